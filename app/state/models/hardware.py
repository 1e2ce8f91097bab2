"""What this PC has: asked of the engine, which looks in a process of its own."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.state.models.jobs import Jobs, Listener
from engine.messages import EngineError, Hardware, JobKind, JobRequest


class HardwareStatus(QObject):
    """The last check-up. Nothing waits for it: the window works without.

    Signals:
        changed(): a check-up has begun, ended or failed.
    """

    changed = Signal()

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._hardware: Hardware | None = None
        self._error: EngineError | None = None
        self._is_checking = False

    @property
    def hardware(self) -> Hardware | None:
        """None before the first check-up has ended."""
        return self._hardware

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
        self.changed.emit()

    def _on_failed(self, error: EngineError) -> None:
        self._is_checking, self._error = False, error
        self.changed.emit()
