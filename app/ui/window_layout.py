"""Where the parts of the window stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.ui.places import EDITOR
from app.ui.theme import SCROLL_BAR_WIDTH, Theme
from app.ui.widgets import in_column
from app.words import tr

if TYPE_CHECKING:
    from app.ui.main_window import MainWindow

SPACING = 8
MARGIN = 24 + SCROLL_BAR_WIDTH  # what is below the talk stands below its column
SIDES = (250, 640, 400)  # pixels: the chats, the talk, how answers are made
NARROWEST = (170, 420, 0)  # the last says itself how wide it must be


def lay_out(window: MainWindow, theme: Theme) -> QStackedWidget:
    """The chats, the talk, and how answers are made. Returns what the talk stands in."""
    window.setWindowTitle("Redraft")
    window.setWindowIcon(theme.icon("redraft", "", 64))
    window.resize(1180, 800)
    window.setMinimumHeight(420)  # its parts say how wide it must be, also when one is opened
    stack = QStackedWidget()
    stack.addWidget(in_column(window.empty_state, MARGIN))
    stack.addWidget(window.chat)
    split = QSplitter()
    sides = (window.chat_list, _talk(window, stack), window.side_panel)
    for place, (side, narrowest) in enumerate(zip(sides, NARROWEST, strict=True)):
        split.addWidget(side)
        split.setStretchFactor(place, 1 if place == 1 else 0)
        split.setCollapsible(place, False)
        side.setMinimumWidth(narrowest)
    split.setSizes(list(SIDES))
    split.setHandleWidth(1)
    window.side_panel.hide()
    window.header.show_new(False)
    whole = QHBoxLayout(window)
    whole.setContentsMargins(0, 0, 0, 0)
    whole.addWidget(window.places)
    window.places.add(split, "chat", tr("Chat (Ctrl+1)"))
    window.places.add(window.editor, "document", tr("Editor (Ctrl+2)"))
    return stack


def reading_order(window: MainWindow) -> Sequence[QWidget]:
    """The parts as Tab goes through them: from what one has read to where one writes."""
    return (
        window.places.rail,
        window.places.above,
        window.chat_list,
        window.header,
        window.empty_state,
        window.chat,
        window.notice,
        window.toast,
        window.composer,
        window.side_panel,
        *window.places.widgets()[EDITOR:],
    )


def _talk(window: MainWindow, stack: QStackedWidget) -> QWidget:
    below = QWidget()  # one column, so that what is hidden in it takes no room
    column = QVBoxLayout(below)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(SPACING)
    for part in (window.notice, window.toast, window.composer, window.status_line):
        column.addWidget(part)
    talk = QWidget()
    layout = QVBoxLayout(talk)
    layout.setContentsMargins(0, 0, 0, 12)
    layout.setSpacing(SPACING)
    layout.addWidget(window.header)
    layout.addWidget(stack, 1)
    layout.addWidget(in_column(below, MARGIN))
    return talk
