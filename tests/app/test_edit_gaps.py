"""Gaps in a document: pasted, dropped, filled together, without a mouse."""

from __future__ import annotations

from app.state.editor.gaps import Length
from tests.app.driving import seen
from tests.app.edit_driving import (
    asked,
    begin,
    choose,
    keys,
    paste,
    press,
    wait_phase,
)
from tests.app.edit_scripts import editing


def test_pasted_marks_are_gaps_once_one_says_so(qtbot, start):
    script = editing(("cat", "mat", "slept"))
    _running, view = begin(qtbot, start, script, "")
    text = "The ____ sat on the [[thing]] and ____.\r\n"
    paste(view, text)
    qtbot.waitUntil(lambda: "3 places look like gaps" in seen(view.gap_bar))
    assert view.gaps.gaps == ()
    assert view.document.text == text.replace("\r", "")  # nothing is changed unasked
    press(qtbot, view.gap_bar, "Make them gaps")
    view.gaps.set_length(1, Length.LONG)
    press(qtbot, view.gap_bar, "Fill all")
    wait_phase(qtbot, view)
    (request,) = asked(view)
    assert [request.text[each.start : each.end] for each in request.spans] == [
        "____", "[[thing]]", "____",
    ]  # fmt: skip
    assert [(each.hint, each.lengths) for each in request.spans] == [
        ("", None), ("thing", (24, 64)), ("", None),
    ]  # fmt: skip
    keys(view, "Ctrl+Return")
    assert view.document.text == "The cat sat on the mat and slept.\n"
    assert view.gaps.gaps == ()
    assert not view.gap_bar.isVisible()
    view.editor.undo()
    assert view.document.text == text.replace("\r", "")


def test_marks_that_are_no_gaps_stay(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "")
    paste(view, "fields = '____'")
    press(qtbot, view.gap_bar, "Leave it as text")
    assert not view.gap_bar.isVisible()
    assert view.gaps.gaps == ()
    assert view.document.text == "fields = '____'"
    paste(view, "no marks at all")
    assert not view.gap_bar.isVisible()


def test_a_gap_is_dropped_anywhere_and_moves_with_the_text(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "ab")
    cursor = view.editor.textCursor()
    cursor.setPosition(1)
    view.editor.setTextCursor(cursor)
    keys(view, "Ctrl+Shift+G")
    assert view.document.text == "a[[...]]b"
    choose(view, "b")
    keys(view, "Ctrl+Shift+G")
    assert view.document.text == "a[[...]]b"  # over what is selected
    assert len(view.gaps.gaps) == 2
    cursor.setPosition(0)
    cursor.insertText("123")
    assert [view.document.part(gap.place) for gap in view.gaps.gaps] == ["[[...]]", "b"]
    cursor.setPosition(6)
    cursor.insertText("x")  # inside of the mark
    assert [view.document.part(gap.place) for gap in view.gaps.gaps] == ["b"]


def test_gaps_need_no_mouse(qtbot, start):
    running, view = begin(qtbot, start, editing("x"), "one ____ two ____")
    commands = {each.id: each for each in running.window.commands_here}
    view.find_gaps()
    assert not commands["editor.length.long"].is_enabled()
    commands["editor.confirm"].run()
    cursor = view.editor.textCursor()
    cursor.setPosition(6)
    view.editor.setTextCursor(cursor)
    assert commands["editor.length.long"].is_enabled()
    commands["editor.length.long"].run()
    assert [gap.length for gap in view.gaps.gaps] == [Length.LONG, Length.AUTO]
    commands["editor.no_gap"].run()
    assert len(view.gaps.gaps) == 1
    assert not commands["editor.no_gap"].is_enabled()
    view.editor.setFocus()
    keys(view, "F6")
    assert not view.editor.hasFocus()


def test_many_gaps_are_counted(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "____ " * 20)
    view.find_gaps()
    view.gaps.confirm()
    qtbot.waitUntil(lambda: "and 12 more" in seen(view.gap_bar))
