"""Carries requests to the engine's threads and events back. The only file that knows of them.

Events arrive as `event_received(object)` on the GUI thread, in order. Of consecutive drafts of the
same span and candidate only the last is passed on, so a busy window sees fewer drafts and never a
backlog.
"""

from __future__ import annotations

import queue

from PySide6.QtCore import QObject, Qt, Signal, Slot

from engine.messages import Draft, Event, Request
from engine.service import EngineService


class EngineBridge(QObject):
    """Starts the service and is its client. `shutdown` before this object is deleted.

    Signals:
        event_received(Event): one event of a request submitted here.
    """

    event_received = Signal(object)
    _rung = Signal()

    def __init__(self, service: EngineService, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._service = service
        self._rung.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._client = service.connect(self._rung.emit)
        service.start()

    def submit(self, request: Request) -> int:
        """Returns the id of the request; its events never arrive before this returns."""
        return self._client.submit(request)

    def cancel(self, request_id: int) -> None:
        self._client.cancel(request_id)

    def shutdown(self, timeout: float = 2.0) -> bool:
        """Ends every request and joins the engine's threads, then passes on the last events.

        An emit on a deleted QObject raises in the thread that emits: hence the service ends first.
        Returns False if the engine did not end within `timeout` seconds.
        """
        ended = self._service.stop(timeout)
        self._drain()
        return ended

    @Slot()
    def _drain(self) -> None:
        events = []
        while True:
            try:
                events.append(self._client.events.get_nowait())
            except queue.Empty:
                break
        for event in latest_drafts(events):
            self.event_received.emit(event)


def latest_drafts(events: list[Event]) -> list[Event]:
    """Leaves out every draft that a later one of the same run of drafts replaces."""
    kept: list[Event] = []
    replaced: set[tuple[int, int, int]] = set()
    for event in reversed(events):
        if isinstance(event, Draft):
            key = (event.request_id, event.span, event.candidate)
            if key in replaced:
                continue
            replaced.add(key)
        else:
            replaced.clear()
        kept.append(event)
    kept.reverse()
    return kept
