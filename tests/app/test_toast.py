"""A word that goes away by itself, but not from under the mouse or the keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication, QPushButton, QVBoxLayout, QWidget

from app.ui.toast import Toast
from tests.app.driving import press, seen


@pytest.fixture
def page(qtbot):
    page = QWidget()
    layout = QVBoxLayout(page)
    page.other = QPushButton("Other")
    page.toast = Toast()
    layout.addWidget(page.other)
    layout.addWidget(page.toast)
    qtbot.addWidget(page)
    page.resize(500, 200)
    page.show()
    qtbot.waitExposed(page)
    page.activateWindow()
    page.other.setFocus()
    return page


def will_go(toast):
    return toast._timer.isActive()


def test_it_says_what_happened_and_takes_it_back_once(qtbot, page):
    done = []
    assert not page.toast.isVisible()
    page.toast.tell("<b>Gone</b>", "Undo", lambda: done.append(1))
    assert page.toast.text == "<b>Gone</b>"
    assert page.toast.accessibleName() == "<b>Gone</b>"
    press(qtbot, page.toast, "Undo")
    assert done == [1]
    assert not page.toast.isVisible()


def test_without_anything_to_do_there_is_only_dismiss(qtbot, page):
    page.toast.tell("First", "Undo", lambda: pytest.fail("undone"))
    page.toast.tell("Exported.")
    assert seen(page.toast).split("\n") == ["Exported.", "Dismiss"]
    press(qtbot, page.toast, "Dismiss")
    assert not page.toast.isVisible()


def test_it_goes_away_by_itself(qtbot, page):
    page.toast._timer.setInterval(10)
    page.toast.tell("Soon gone")
    assert page.toast.isVisible()
    qtbot.waitUntil(lambda: not page.toast.isVisible())


def test_it_stays_under_the_keyboard(qtbot, page):
    done = []
    page.toast.tell("Gone", "Undo", lambda: done.append(1))
    assert will_go(page.toast)
    undo, dismiss = page.toast.findChildren(QPushButton)
    for button in (undo, dismiss):
        button.setFocus()
        assert not will_go(page.toast)
    page.toast.tell("Gone again", "Undo", lambda: done.append(2))
    assert not will_go(page.toast)
    page.other.setFocus()
    assert will_go(page.toast)
    undo.setFocus()
    qtbot.keyClick(undo, Qt.Key.Key_Space)
    assert done == [2]


def test_it_stays_under_the_mouse(page):
    page.toast.tell("Gone")
    place = QPointF(5, 5)
    QApplication.sendEvent(page.toast, QEnterEvent(place, place, place))
    assert not will_go(page.toast)
    QApplication.sendEvent(page.toast, QEvent(QEvent.Type.Leave))
    assert will_go(page.toast)


def test_its_action_may_say_something_itself(qtbot, page):
    page.toast.tell("One", "Undo", lambda: page.toast.tell("Two"))
    press(qtbot, page.toast, "Undo")
    assert page.toast.isVisible()
    assert page.toast.text == "Two"
