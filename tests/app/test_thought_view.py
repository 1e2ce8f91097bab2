"""A thought: live, folded, opened and closed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton

from app.ui.chat.thought import ThoughtView
from app.ui.text_view import TextView
from app.ui.theme import interface_font
from engine.messages import Channel
from tests.fakes import draft

THOUGHT = "I weigh it. " * 50


@pytest.fixture
def view(qtbot, theme) -> ThoughtView:
    widget = ThoughtView(theme, is_still=False)
    qtbot.addWidget(widget)
    widget.resize(500, 300)
    widget.show()
    return widget


def line_of(view) -> QToolButton:
    return view.findChild(QToolButton)


def test_it_is_live_then_one_line_with_length_and_time(qtbot, view):
    view.show_draft(draft(0, ("hm", " hm"), channel=Channel.THOUGHT))
    qtbot.waitUntil(lambda: view.text == "hm hm")
    assert view.is_live
    assert view.title == "Thinking"
    assert not line_of(view).isEnabled()
    view.settle(THOUGHT, 12.4)
    assert not view.is_live
    assert view.title == "Thought for 12 s · 150 words"
    assert view.text == ""
    view.settle("one", 0.2)
    assert view.title == "Thought · 1 word"


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_it_opens_and_closes(qtbot, view, by):
    view.settle(THOUGHT, 3.0)
    line = line_of(view)
    folded = view.sizeHint().height()
    for is_open in (True, False, True):
        if by == "mouse":
            qtbot.mouseClick(line, Qt.MouseButton.LeftButton)
        else:
            line.setFocus(Qt.FocusReason.TabFocusReason)
            qtbot.keyClick(line, Qt.Key.Key_Space)
        assert view.is_open is is_open
        assert (view.text == THOUGHT) is is_open
        assert (view.sizeHint().height() > folded) is is_open


def test_the_line_keeps_its_height_in_every_state(qtbot, view):
    heights = []
    view.show_draft(draft(0, ("hm",), channel=Channel.THOUGHT))
    heights.append(line_of(view).sizeHint().height())
    view.fold()
    heights.append(line_of(view).sizeHint().height())
    view.settle(THOUGHT, 3.0)
    heights.append(line_of(view).sizeHint().height())
    line_of(view).click()
    heights.append(line_of(view).sizeHint().height())
    assert len(set(heights)) == 1


def test_a_thought_that_goes_on_closes_and_shows_all_of_it_at_the_end(qtbot, view):
    view.settle("First.", 1.0)
    line_of(view).click()
    assert view.text == "First."
    view.show_committed("First.")
    view.show_draft(draft(0, (" Second",), channel=Channel.THOUGHT))
    qtbot.waitUntil(lambda: view.text == "First. Second")
    assert not any(each.isVisible() for each in view.findChildren(TextView))
    view.settle("First. Second.", 2.0)
    line_of(view).click()
    assert view.text == "First. Second."


def test_foreign_text_is_plain_and_its_font_follows(qtbot, view, theme):
    view.settle("<b>bold?</b> \u202eback", 1.0)
    line_of(view).click()
    assert view.text == "<b>bold?</b> \ufffdback"
    theme.set_sizes(reading_points=12, interface_scale=1.5)
    try:
        font = view.findChild(TextView).document().defaultFont()
        assert font.pointSizeF() == interface_font().pointSizeF()
    finally:
        theme.set_sizes(reading_points=12, interface_scale=1.0)
