"""The top of the talk."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QToolButton

from app.ui.chat.header import Header


@pytest.fixture
def header(qtbot, theme) -> Header:
    widget = Header(theme)
    qtbot.addWidget(widget)
    widget.resize(900, 50)
    widget.show()
    return widget


def button(header, name) -> QToolButton:
    return next(e for e in header.findChildren(QToolButton) if e.accessibleName() == name)


@pytest.mark.parametrize(
    ("name", "signal"),
    [
        ("Show or hide the chats", "sidebar_requested"),
        ("New chat", "new_requested"),
        ("How this chat is answered", "panel_requested"),
    ],
)
@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_each_button_asks_for_its_own(qtbot, header, name, signal, by):
    each = button(header, name)
    assert "(Ctrl+" in each.toolTip()
    with qtbot.waitSignal(getattr(header, signal)):
        if by == "mouse":
            qtbot.mouseClick(each, Qt.MouseButton.LeftButton)
        else:
            each.setFocus()
            qtbot.keyClick(each, Qt.Key.Key_Space)


def test_a_title_is_plain_one_line_and_never_empty(header):
    header.show_title("<b>one</b>\ntwo \u202ethree")
    assert header.title == "<b>one</b> two \ufffdthree"
    header.show_title("")
    assert header.title == "New chat"


@pytest.mark.parametrize("is_new_shown", [True, False])
def test_the_title_stands_above_the_middle_however_many_buttons_there_are(
    qtbot, header, is_new_shown
):
    header.show_new(is_new_shown)
    header.show_title("A title")
    qtbot.waitUntil(lambda: abs(_middle(header) - header.width() / 2) <= 1)


def _middle(header) -> float:
    title = header._title
    return title.mapTo(header, QPoint(0, 0)).x() + title.width() / 2


def test_a_long_title_pushes_nothing_out(qtbot, header):
    header.show_title("A very long title indeed " * 30)
    header.resize(300, 50)
    more = button(header, "Everything else")
    qtbot.waitUntil(lambda: more.mapTo(header, QPoint(more.width(), 0)).x() <= header.width())
    assert header.minimumSizeHint().width() <= 300


def test_the_menu_is_filled_as_it_opens(qtbot, header):
    filled = []
    header.menu_requested.connect(lambda menu: filled.append(menu.addAction("One")))
    menu = button(header, "Everything else").menu()
    menu.aboutToShow.emit()
    assert [action.text() for action in menu.actions()] == ["One"]
