"""A canvas that is longer than the old text: the page makes room for it, calmly, and covers nothing."""

from __future__ import annotations

from functools import partial

import pytest
from PySide6.QtWidgets import QPlainTextEdit

from app.state.editor.changes import Range
from app.ui.editor.room import line_top, room_below, set_room_below
from engine.messages import Finished, FinishReason, Prefill, Proposal
from tests.app.edit_driving import SENTENCE, TEXT, ask, begin, keys, wait_phase
from tests.app.edit_scripts import editing, of_step
from tests.fakes import Gate, usage

LONG = "A long new sentence that needs a line of its own. " * 14


def growing(steps: int, gates: list[Gate]):
    """A canvas that needs more lines with every step, and stands still after each."""
    words = LONG.split(" ")

    def script(request_id, request, cancelled):
        yield Prefill(request_id=request_id, done=1, total=1)
        for step in range(1, steps + 1):
            text = " ".join(words[: len(words) * step // steps])
            yield of_step(request_id, text, step, steps, 0, 0)
            gate = gates[step - 1]
            gate.reached.set()
            while not gate.opened.wait(0.001) and not cancelled():
                pass
        yield Proposal(request_id=request_id, candidate=0, texts=(LONG,), score=0.0)
        yield Finished(request_id=request_id, reason=FinishReason.END, usage=usage())

    return script


def top_of(view, line: int) -> int:
    block = view.editor.document().findBlockByNumber(line)
    box = view.editor.blockBoundingGeometry(block).translated(view.editor.contentOffset())
    return round(box.top())


def room_at(view, line: int) -> int:
    block = view.editor.document().findBlockByNumber(line)
    view.editor.height_of(block)  # lays it out
    return room_below(block)


def test_the_page_below_moves_once_and_nothing_is_covered(qtbot, start):
    steps = 8
    gates = [Gate() for _ in range(steps)]
    _, view = begin(qtbot, start, growing(steps, gates), TEXT * 3)
    above, below = top_of(view, 0), top_of(view, 2)
    text, units = view.document.text, view.document.units
    ask(qtbot, view, SENTENCE, "x")
    places = []

    def has_step(step: int) -> bool:
        draft = view.session.draft(0)
        return draft is not None and draft.step == step

    for step, gate in enumerate(gates, start=1):
        qtbot.waitUntil(partial(has_step, step))
        view.editing.overlay._show_frame()
        (shown,) = view.editing.overlay.widgets
        assert top_of(view, 0) == above
        assert shown.y() == top_of(view, 1)
        assert shown.height() >= shown.text_height
        assert shown.geometry().bottom() < top_of(view, 2)
        places.append(top_of(view, 2))
        gate.opened.set()
    wait_phase(qtbot, view)
    (shown,) = view.editing.overlay.widgets
    places.append(top_of(view, 2))
    assert shown.geometry().bottom() < top_of(view, 2)
    assert places[0] == below  # what fits moves nothing
    assert len(set(places)) <= 4
    assert places == sorted(places)
    assert (view.document.text, view.document.units) == (text, units)
    assert not view.document.text_document.isUndoAvailable()
    keys(view, "Esc")
    assert top_of(view, 2) == below


def test_the_room_goes_with_its_text_and_ends_with_the_edit(qtbot, start):
    _, view = begin(qtbot, start, editing(LONG))
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    (shown,) = view.editing.overlay.widgets
    room = room_at(view, 1)
    assert room > 0
    new = "new\n" + "long " * 60 + "\n"
    view.document.replace([(Range(start=0, end=0), new)])
    assert [room_at(view, line) for line in range(6)] == [0, 0, 0, room, 0, 0]
    assert shown.y() == top_of(view, 3)
    assert shown.geometry().bottom() < top_of(view, 4)
    keys(view, "Ctrl+Return")
    assert [room_at(view, line) for line in range(6)] == [0] * 6
    assert view.document.text == new + TEXT.replace(SENTENCE, LONG)


@pytest.mark.parametrize("wraps", [True, False])
def test_layouts_made_anew_keep_the_room(qtbot, start, wraps):
    running, view = begin(qtbot, start, editing(LONG))
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    running.settings.change(wrap_lines=wraps)
    running.window.resize(running.window.width() - 160, running.window.height())
    qtbot.wait(50)
    (shown,) = view.editing.overlay.widgets
    qtbot.waitUntil(lambda: shown.geometry().bottom() < top_of(view, 2))
    assert shown.height() >= shown.text_height


@pytest.mark.parametrize("text", ["one", "some words " * 40])
def test_a_block_is_that_much_higher_until_it_is_laid_out_anew(qtbot, text):
    editor = QPlainTextEdit(f"{text}\n{text}\nend")
    qtbot.addWidget(editor)
    editor.resize(200, 400)
    document, layout = editor.document(), editor.document().documentLayout()
    one, other = document.findBlockByNumber(0), document.findBlockByNumber(1)

    def heights() -> list[float]:
        return [layout.blockBoundingRect(block).height() for block in (one, other)]

    before, tops = heights(), [line_top(one, at) for at in range(len(text))]
    assert set_room_below(one, 40)
    assert not set_room_below(one, 40)
    assert heights() == [before[0] + 40, before[1]]
    assert (room_below(one), room_below(other)) == (40, 0)
    assert [line_top(one, at) for at in range(len(text))] == tops
    assert set_room_below(one, 7)
    assert heights() == [before[0] + 7, before[1]]
    document.markContentsDirty(0, 1)
    assert heights() == before
    assert room_below(one) == 0
