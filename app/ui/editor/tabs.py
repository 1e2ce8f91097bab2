"""The open documents, one tab each."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTabBar, QWidget

from app.words import tr

MODIFIED = "•"


class Tabs(QTabBar):
    """Knows documents by their ids.

    Signals:
        chosen(str), close_requested(str)
    """

    chosen = Signal(str)
    close_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setExpanding(False)
        self.setMovable(True)
        self.setTabsClosable(True)
        self.setUsesScrollButtons(True)
        self.setDrawBase(False)
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setAccessibleName(tr("Open documents"))
        self.currentChanged.connect(lambda _number: self.chosen.emit(self.current))
        self.tabCloseRequested.connect(lambda number: self.close_requested.emit(self._id(number)))

    @property
    def current(self) -> str:
        """The id of the shown document; empty where none is open."""
        return self._id(self.currentIndex())

    @property
    def ids(self) -> list[str]:
        """Of all of them, from left to right."""
        return [self._id(number) for number in range(self.count())]

    @property
    def titles(self) -> list[str]:
        return [self.tabText(number) for number in range(self.count())]

    def add(self, document_id: str, name: str) -> None:
        number = self.addTab(_shown(name))
        self.setTabData(number, document_id)
        self.setCurrentIndex(number)

    def choose(self, document_id: str) -> None:
        number = self._number(document_id)
        if number >= 0:
            self.setCurrentIndex(number)

    def rename(self, document_id: str, name: str, *, is_modified: bool) -> None:
        number = self._number(document_id)
        if number >= 0:
            self.setTabText(number, f"{_shown(name)} {MODIFIED}" if is_modified else _shown(name))
            self.setAccessibleTabName(
                number, tr("{name}, not saved", name=name) if is_modified else name
            )
            self.setTabToolTip(number, name)

    def remove(self, document_id: str) -> None:
        number = self._number(document_id)
        if number >= 0:
            self.removeTab(number)

    def step(self, by: int) -> None:
        if self.count():
            self.setCurrentIndex((self.currentIndex() + by) % self.count())

    def _id(self, number: int) -> str:
        return str(self.tabData(number) or "")

    def _number(self, document_id: str) -> int:
        return self.ids.index(document_id) if document_id in self.ids else -1


def _shown(name: str) -> str:
    return name.replace("&", "&&")
