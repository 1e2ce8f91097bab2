"""A change of all windows in steps: they answer in between, and are painted once, at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication, QWidget

Step = Callable[[], object]


class Gradual(QObject):
    """One step a turn of the event loop. What was begun before and is not done yet is given up."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._left: list[Step] = []
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._go_on)

    def begin(self, steps: Iterable[Step]) -> None:
        """Takes the steps from the next turn on; at once where no window could be kept waiting."""
        self._left = list(steps)
        windows = [each for each in _windows() if each.isVisible()]
        if not windows:
            self.finish()
            return
        for window in windows:
            window.setUpdatesEnabled(False)  # else one would see the half of it
        self._timer.start()

    def finish(self) -> None:
        """All that is left, now."""
        while self._left:
            self._go_on()

    def _go_on(self) -> None:
        if not self._left:
            return
        try:
            self._left.pop(0)()
        finally:  # whatever happens, the windows are painted again
            if self._left:
                self._timer.start()
            else:
                for window in _windows():
                    window.setUpdatesEnabled(True)


def _windows() -> list[QWidget]:
    return QApplication.topLevelWidgets()
