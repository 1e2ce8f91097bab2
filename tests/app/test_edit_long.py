"""What a long document is spared: no line that was laid out is laid out again for nothing."""

from __future__ import annotations

from app.settings import Scheme
from tests.app.edit_driving import begin
from tests.app.edit_scripts import editing


def lines(view, number: int) -> int:
    """On the screen, of one block; 0 where Qt has forgotten."""
    return view.editor.document().findBlockByNumber(number).layout().lineCount()


def test_another_look_wraps_no_line_anew(qtbot, start, theme):
    _, view = begin(qtbot, start, editing("x"), "some words " * 40 + "\n" + "line\n" * 3_000)
    qtbot.waitUntil(lambda: lines(view, 0) > 1)
    # out of view: nothing but a change of all lines reaches it
    view.editor.blockBoundingRect(view.editor.document().findBlockByNumber(2_500))
    width = view.editor.viewport().width()
    theme.set_scheme(Scheme.DARK)
    try:
        qtbot.wait(50)
        assert view.editor.viewport().width() == width
        assert lines(view, 2_500) == 1
    finally:
        theme.set_scheme(Scheme.LIGHT)


def test_wrapping_is_turned_off_and_on(qtbot, start):
    running, view = begin(qtbot, start, editing("x"), "some words " * 400 + "\nend")
    qtbot.waitUntil(lambda: lines(view, 0) > 5)
    assert view.editor.horizontalScrollBar().maximum() == 0
    running.settings.change(wrap_lines=False)
    qtbot.waitUntil(lambda: lines(view, 0) == 1)
    assert not view.editor.is_wrapping
    qtbot.waitUntil(lambda: view.editor.horizontalScrollBar().maximum() > 1_000)
    running.settings.change(wrap_lines=True)
    qtbot.waitUntil(lambda: lines(view, 0) > 5)
    assert view.editor.horizontalScrollBar().maximum() == 0
