"""What this PC has: asked of the engine, which looks in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.state.models.jobs import Jobs, Listener
from engine.messages import EngineError, Hardware, JobKind, JobRequest


class HardwareStatus(QObject):
    """The last check-up. Nothing waits for it: the window works without.

    Signals:
        changed(): a check-up has begun, ended or failed.
    """

    changed = Signal()

    def __init__(self, jobs: Jobs, held: Callable[[], int], parent: QObject | None = None) -> None:
        """held: bytes that the loaded model takes where models run; 0 without one."""
        super().__init__(parent)
        self._jobs = jobs
        self._held = held
        self._ours = 0  # bytes that were held when it was looked
        self._hardware: Hardware | None = None
        self._error: EngineError | None = None
        self._is_checking = False

    @property
    def hardware(self) -> Hardware | None:
        """None before the first check-up has ended."""
        return self._hardware

    @property
    def without_ours(self) -> Hardware | None:
        """As it would be without the model that is loaded: it goes before another one comes."""
        found = self._hardware
        if found is None or not self._ours:
            return found
        gpus = tuple(
            replace(gpu, memory_free=min(gpu.memory_total, gpu.memory_free + self._ours))
            if gpu.is_usable
            else gpu
            for gpu in found.gpus
        )
        return replace(found, gpus=gpus, memory_free=found.memory_free + self._ours)

    @property
    def error(self) -> EngineError | None:
        """Why the last check-up came to nothing."""
        return self._error

    @property
    def is_checking(self) -> bool:
        return self._is_checking

    def check(self, home: str = "") -> None:
        """Looks again. home: the folder that keeps models, for the room on its disk."""
        if self._is_checking:
            return
        self._is_checking, self._error = True, None
        self._jobs.start(
            JobRequest(kind=JobKind.DOCTOR, home=home),
            Listener(done=self._on_done, failed=self._on_failed),
        )
        self.changed.emit()

    def check_once(self, home: str = "") -> None:
        """Looks if nobody has looked yet."""
        if self._hardware is None:
            self.check(home)

    def _on_done(self, hardware: Hardware) -> None:
        self._is_checking, self._hardware = False, hardware
        self._ours = self._held()
        self.changed.emit()

    def _on_failed(self, error: EngineError) -> None:
        self._is_checking, self._error = False, error
        self.changed.emit()
