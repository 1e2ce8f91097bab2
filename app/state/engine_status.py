"""What the engine is doing: loading a model, ready, or failed and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from PySide6.QtCore import QObject, Signal, Slot

from app.bridge import EngineBridge
from app.words import tr_engine
from engine.messages import (
    Committed,
    Draft,
    EngineError,
    ErrorKind,
    Event,
    Failed,
    Finished,
    JobDone,
    JobFailed,
    JobProgress,
    LoadFailed,
    Loading,
    LoadRequest,
    Prefill,
    Proposal,
    Ready,
    Recording,
    ToolCall,
    Unloaded,
    UnloadRequest,
)

DEMO = "demo"  # the model that comes along


class Phase(Enum):
    IDLE = "idle"
    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    UNLOADED = "unloaded"  # because the user wanted it so
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """`what`, `done` and `total` (bytes) while loading; `ready` or `error` afterwards."""

    phase: Phase = Phase.IDLE
    what: str = ""
    done: int = 0
    total: int = 0
    ready: Ready | None = None
    error: EngineError | None = None

    @property
    def is_lost(self) -> bool:
        """Whether only another process can have the GPU again."""
        return self.error is not None and self.error.kind is ErrorKind.ENGINE_LOST


class EngineStatus(QObject):
    """Loads and unloads one model and knows how far that is.

    Signals:
        changed(EngineState)
        noticed(str, str): what to tell once though nothing failed, and what to do about it.
        restart_requested(): the user wants the engine back and the GPU is lost for this process.
    """

    changed = Signal(object)
    noticed = Signal(str, str)
    restart_requested = Signal()

    def __init__(
        self, bridge: EngineBridge, request: LoadRequest, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._request = request
        self._request_id = 0
        self._state = EngineState()
        bridge.event_received.connect(self._on_event)

    @property
    def state(self) -> EngineState:
        return self._state

    @property
    def request(self) -> LoadRequest:
        """The model that is loaded, or would be, and how."""
        return self._request

    @property
    def is_demo(self) -> bool:
        return self._request.model == DEMO

    @property
    def facts(self) -> dict[str, str]:
        """What a report of a fault should say of the model; empty while there is none."""
        ready = self._state.ready
        if ready is None:
            return {}
        return {"model": ready.model, "device": ready.device, "context": str(ready.context)}

    def load(self) -> None:
        """Loads the model, or tries again after a failure. Else it does nothing."""
        if self._state.is_lost:
            self.restart_requested.emit()
            return
        if self._state.phase in (Phase.LOADING, Phase.READY):
            return
        self._request_id = self._bridge.submit(self._request)
        self._set(EngineState(phase=Phase.LOADING))

    def load_model(self, request: LoadRequest) -> None:
        """Loads another model, or the same in another way. The one that is there goes first."""
        if self._state.phase is Phase.LOADING:
            self._bridge.cancel(self._request_id)
        self._request = request
        if not self._state.is_lost:
            self._state = EngineState()
        self.load()

    def unload(self) -> None:
        """Gives the memory back, behind an answer that is being written; ends a load at once."""
        match self._state.phase:
            case Phase.LOADING:
                self._bridge.cancel(self._request_id)
            case Phase.READY:
                self._request_id = self._bridge.submit(UnloadRequest())
                self._set(EngineState(phase=Phase.UNLOADING))

    @Slot(object)
    def _on_event(self, event: Event) -> None:
        if isinstance(event, Failed) and event.error.kind is ErrorKind.ENGINE_LOST:
            self._set(EngineState(phase=Phase.FAILED, error=event.error))
        if isinstance(event, Finished) and event.notice is not None:
            self.noticed.emit(tr_engine(event.notice.message), tr_engine(event.notice.remedy))
        if event.request_id != self._request_id:
            return
        match event:
            case Loading():
                self._set(
                    EngineState(
                        phase=Phase.LOADING, what=event.what, done=event.done, total=event.total
                    )
                )
            case Ready():
                self._set(EngineState(phase=Phase.READY, ready=event))
            case LoadFailed() if event.error.kind is ErrorKind.CANCELLED:
                self._set(EngineState(phase=Phase.UNLOADED))
            case LoadFailed() | Failed():
                self._set(EngineState(phase=Phase.FAILED, error=event.error))
            case Unloaded():
                self._set(EngineState(phase=Phase.UNLOADED))
            case JobProgress() | JobDone() | JobFailed() | Finished():
                pass
            case Prefill() | Draft() | Committed() | ToolCall() | Proposal() | Recording():
                pass
            case _:
                assert_never(event)

    def _set(self, state: EngineState) -> None:
        self._state = state
        self.changed.emit(state)
