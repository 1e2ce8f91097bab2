"""The clock of a replay: which step it is, and when the next one comes."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer, Signal

STEPS_PER_SECOND = 12.0  # at speed 1
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)


class Player(QObject):
    """Counts steps from 0 to `steps - 1`.

    Signals:
        moved(int): that step is to be shown.
        playing_changed(bool)
    """

    moved = Signal(int)
    playing_changed = Signal(bool)

    def __init__(self, steps: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps = steps
        self._step = 0
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._advance)
        self.set_speed(1.0)

    @property
    def step(self) -> int:
        return self._step

    @property
    def is_playing(self) -> bool:
        return self._timer.isActive()

    def set_speed(self, speed: float) -> None:
        """As a factor of STEPS_PER_SECOND."""
        self._timer.setInterval(round(1000 / (STEPS_PER_SECOND * speed)))

    def play(self) -> None:
        """From here, or from the start if this is the end."""
        if self.is_playing or not self._steps:
            return
        if self._step == self._steps - 1:
            self.go_to(0)
        self._timer.start()
        self.playing_changed.emit(True)

    def pause(self) -> None:
        if self.is_playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    def toggle(self) -> None:
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def go_to(self, step: int) -> None:
        """To that step, or to the nearest there is."""
        step = max(0, min(step, self._steps - 1))
        if step != self._step:
            self._step = step
            self.moved.emit(step)

    def _advance(self) -> None:
        self.go_to(self._step + 1)
        if self._step >= self._steps - 1:
            self.pause()
