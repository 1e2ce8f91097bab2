"""The top of the talk: what it is called, how full it is, and the ways to everything else."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from app.state.text import visible
from app.ui.context_meter import ContextMeter
from app.ui.theme import Theme, interface_font
from app.ui.widgets import IconButton, OneLine
from app.words import tr


class Header(QWidget):
    """Signals:
    sidebar_requested(), panel_requested(), new_requested()
    menu_requested(QMenu): it is about to open; fill it.
    """

    sidebar_requested = Signal()
    panel_requested = Signal()
    new_requested = Signal()
    menu_requested = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.meter = ContextMeter(theme)
        self._title = OneLine()
        self._sidebar = IconButton(theme, "sidebar", tr("Show or hide the chats (Ctrl+B)"))
        self._new = IconButton(theme, "new", tr("New chat (Ctrl+N)"))
        self._panel = IconButton(theme, "sliders", tr("How this chat is answered (Ctrl+.)"))
        self._more = IconButton(theme, "more", tr("Everything else (Ctrl+Shift+P)"))
        menu = QMenu(self._more)
        menu.aboutToShow.connect(lambda: self.menu_requested.emit(menu))
        self._more.setMenu(menu)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._sidebar.clicked.connect(self.sidebar_requested)
        self._new.clicked.connect(self.new_requested)
        self._panel.clicked.connect(self.panel_requested)
        self._left = _group(self._sidebar, self._new)
        self._right = _group(self.meter, self._panel, self._more)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 12, 0)
        layout.setSpacing(4)
        layout.addWidget(self._left)
        layout.addWidget(self._title, 1)
        layout.addWidget(self._right)
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        theme.changed.connect(self._set_font)
        self._set_font()

    @property
    def title(self) -> str:
        return self._title.text()

    def show_title(self, title: str) -> None:
        self._title.setText(visible(title).replace("\n", " ") or tr("New chat"))

    def show_new(self, is_shown: bool) -> None:
        """The list of chats has this button too; while it is shown, this one is not needed."""
        self._new.setVisible(is_shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._center()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # the meter says more, or a button comes
            self._center()
        return super().event(event)

    def _center(self) -> None:
        """Where there is room, the title stands above the middle of the talk."""
        right = self._right.sizeHint().width()
        self._left.setMinimumWidth(right if self.width() > 4 * right else 0)

    def _set_font(self) -> None:
        font = interface_font()
        font.setWeight(font.Weight.DemiBold)
        self._title.setFont(font)
        self._title.setFixedHeight(self._title.fontMetrics().height() + 4)


def _group(*parts: QWidget) -> QWidget:
    group = QWidget()
    layout = QHBoxLayout(group)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for part in parts:
        layout.addWidget(part)
    layout.addStretch(1)
    return group
