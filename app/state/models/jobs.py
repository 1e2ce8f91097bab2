"""File work of the engine: hands jobs over, and what comes of each to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Slot

from app.bridge import EngineBridge
from engine.messages import EngineError, Event, JobDone, JobFailed, JobProgress, JobRequest


def _nobody(_: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Is told of one job: any number of times how far it is, then once how it ended."""

    done: Callable[[Any], object] = _nobody  # the `JobResult` of the job's kind
    failed: Callable[[EngineError], object] = _nobody
    progress: Callable[[JobProgress], object] = _nobody


class Jobs(QObject):
    """The jobs that run now, by their number."""

    def __init__(self, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._listeners: dict[int, Listener] = {}
        bridge.event_received.connect(self._on_event)

    def start(self, request: JobRequest, listener: Listener) -> int:
        """Returns the number of the job, before the listener is told anything."""
        job = self._bridge.submit(request)
        self._listeners[job] = listener
        return job

    def cancel(self, job: int) -> None:
        """It ends soon, and the listener is told. Does nothing where it has ended."""
        self._bridge.cancel(job)

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        match event:
            case JobProgress():
                if listener := self._listeners.get(event.request_id):
                    listener.progress(event)
            case JobDone():
                if listener := self._listeners.pop(event.request_id, None):
                    listener.done(event.result)
            case JobFailed():
                if listener := self._listeners.pop(event.request_id, None):
                    listener.failed(event.error)
            case _:
                pass
