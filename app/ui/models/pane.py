"""The place of the models: the list, what this PC has, and the guide through a first setup."""

from __future__ import annotations

from functools import cached_property

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QStackedWidget,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.state.models.first_run import FirstRun
from app.state.models.models import Models
from app.ui.models.guide import Guide
from app.ui.models.hardware_page import HardwarePage
from app.ui.models.library_page import LibraryPage
from app.ui.models.words import name_of
from app.ui.notice import Notice
from app.ui.theme import Theme
from app.ui.toast import Toast
from app.ui.widgets import IconButton, flat_button
from app.words import tr

LIBRARY, HARDWARE, GUIDE = 0, 1, 2  # the pages; the last has no tab


class ModelsPane(QWidget):
    """Its pages are built when they are needed, or by `build` when the window is up.

    Signals:
        menu_requested(QMenu): it is about to open; fill it.
        left(), asked(str): what the guide ends with
    """

    menu_requested = Signal(object)
    left = Signal()
    asked = Signal(str)

    def __init__(self, models: Models, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models, self._theme = models, theme
        self.toast = Toast()
        self.notice = Notice()
        self._told: set[tuple[str, str]] = set()  # notices are told once
        self._tabs = QTabBar()
        self._tabs.setAccessibleName(tr("Pages"))
        self._tabs.setDrawBase(False)
        for title in (tr("Models"), tr("This PC")):
            self._tabs.addTab(title)
        setup = flat_button(tr("Guided setup"))
        setup.clicked.connect(lambda: self.show_page(GUIDE))
        self._more = IconButton(theme, "more", tr("Everything else (Ctrl+Shift+P)"))
        menu = QMenu(self._more)
        menu.aboutToShow.connect(lambda: self.menu_requested.emit(menu))
        self._more.setMenu(menu)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._pages = QStackedWidget()
        for _ in (LIBRARY, HARDWARE, GUIDE):
            self._pages.addWidget(_room())
        self._top = self._build(setup)
        self._tabs.currentChanged.connect(self._on_page)
        models.library.changed.connect(self._offer_to_go_on)

    @cached_property
    def library(self) -> LibraryPage:
        page = LibraryPage(self._models, self._theme)
        page.noticed.connect(self._tell_once)
        page.told.connect(self.toast.tell)
        self._furnish(LIBRARY, page)
        return page

    @cached_property
    def hardware(self) -> HardwarePage:
        page = HardwarePage(self._models, self._theme)
        self._furnish(HARDWARE, page)
        return page

    @cached_property
    def guide(self) -> Guide:
        page = Guide(FirstRun(self._models, self), self._models, self._theme)
        page.closed.connect(lambda: self.show_page(LIBRARY))
        page.left.connect(self.left)
        page.asked.connect(self.asked)
        self._furnish(GUIDE, page)
        return page

    def build(self) -> tuple[QWidget, ...]:
        """All pages, built where they are not yet."""
        return self.library, self.hardware, self.guide

    def show_page(self, page: int) -> None:
        self._top.setVisible(page != GUIDE)
        if page == GUIDE:
            self._pages.setCurrentIndex(GUIDE)
            self.guide.focus()
            return
        self._tabs.setCurrentIndex(page)
        self._on_page(page)

    @property
    def page(self) -> int:
        return self._pages.currentIndex()

    def showEvent(self, event: QShowEvent) -> None:
        """What is here may have changed, also by other programs; and whether it fits."""
        super().showEvent(event)
        self.build()
        self._models.library.refresh()
        if self.page != GUIDE:  # the guide has a page of its own for that
            self.hardware.look()

    def _furnish(self, number: int, page: QWidget) -> None:
        room = self._pages.widget(number)
        layout = room.layout() if room is not None else None
        assert layout is not None
        layout.addWidget(page)

    def _on_page(self, page: int) -> None:
        self._pages.setCurrentIndex(page)
        if page == HARDWARE:
            self.hardware.look()

    def _tell_once(self, message: str, remedy: str) -> None:
        if (message, remedy) not in self._told:
            self._told.add((message, remedy))
            self.notice.tell(message, remedy)

    def _offer_to_go_on(self) -> None:
        """A download that the last end of Redraft has interrupted."""
        entry = self._models.interrupted
        if entry is None or ("interrupted", entry.id) in self._told:
            return
        self._told.add(("interrupted", entry.id))
        self.library.show_entry(entry.id)
        self.toast.tell(
            tr("The download of {name} was interrupted.", name=name_of(entry)),
            tr("Go on"),
            lambda: self._models.work.download(entry),
        )

    def _build(self, setup: QWidget) -> QWidget:
        """Returns what stands above the pages."""
        header = QWidget()
        top = QHBoxLayout(header)
        top.setContentsMargins(14, 8, 12, 2)
        top.setSpacing(6)
        top.addWidget(self._tabs, 0, Qt.AlignmentFlag.AlignLeft)
        top.addStretch(1)
        top.addWidget(setup)
        top.addWidget(self._more)
        told = QVBoxLayout()
        told.setContentsMargins(14, 0, 14, 0)
        told.addWidget(self.notice)
        told.addWidget(self.toast)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(header)
        layout.addLayout(told)
        layout.addWidget(self._pages, 1)
        return header


def _room() -> QWidget:
    room = QWidget()
    QVBoxLayout(room).setContentsMargins(0, 0, 0, 0)
    return room
