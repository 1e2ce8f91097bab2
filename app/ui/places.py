"""The places of the window, one at a time, and the rail on the left that leads to them."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Signal
from PySide6.QtGui import QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.ui.theme import Theme
from app.ui.widgets import IconButton

ICON = 22
CHAT, EDITOR, MODELS = 0, 1, 2  # in the order in which they are added


class Places(QWidget):
    """Each place has keys of its own, which hold only while it is shown.

    Signals:
        changed(int): another place is shown.
    """

    changed = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._buttons: list[IconButton] = []
        self._keys: list[tuple[QShortcut, ...]] = []
        self._stack = QStackedWidget()
        self.rail = QFrame()
        self.rail.setObjectName("rail")
        self._column = QVBoxLayout(self.rail)
        self._column.setContentsMargins(6, 10, 6, 10)
        self._column.setSpacing(6)
        self._column.addStretch(1)
        self.above = QWidget()  # of no height while nothing is to be said everywhere
        self._lines = QVBoxLayout(self.above)
        self._lines.setContentsMargins(0, 0, 0, 0)
        content = QVBoxLayout()
        content.setSpacing(0)
        content.addWidget(self.above)
        content.addWidget(self._stack, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addLayout(content, 1)

    @property
    def current(self) -> int:
        return self._stack.currentIndex()

    def add(self, place: QWidget, icon: str, name: str) -> int:
        """Returns its number."""
        number = len(self._buttons)
        button = IconButton(self._theme, icon, name, size=ICON)
        button.setCheckable(True)
        button.clicked.connect(lambda: self.show_place(number))
        self._buttons.append(button)
        self._keys.append(())
        self._column.insertWidget(number, button)
        self._stack.addWidget(place)
        self._mark()
        return number

    def put_above(self, line: QWidget) -> None:
        """Shows `line` above all places, while it is not hidden."""
        self._lines.addWidget(line)

    def widgets(self) -> tuple[QWidget, ...]:
        """The places, in their order."""
        found = (self._stack.widget(number) for number in range(self._stack.count()))
        return tuple(place for place in found if place is not None)

    def set_keys(self, number: int, keys: Iterable[QShortcut]) -> None:
        self._keys[number] = tuple(keys)
        self._mark()

    def show_place(self, number: int) -> None:
        is_other = number != self.current
        self._stack.setCurrentIndex(number)
        self._mark()
        if is_other:
            self.changed.emit(number)

    def _mark(self) -> None:
        for number, (button, keys) in enumerate(zip(self._buttons, self._keys, strict=True)):
            is_here = number == self.current
            button.setChecked(is_here)
            for key in keys:
                key.setEnabled(is_here)
