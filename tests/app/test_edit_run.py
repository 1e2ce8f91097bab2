"""The replay of an edit: every gap in its text, and each step as it was."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel

from app.state.editor.around import MOST, texts_around
from app.state.editor.changes import Range
from app.state.editor.document import Document
from app.state.editor.store import EditRecord
from app.state.recording.codec import Tape, encode
from app.state.recording.edit_run import BETWEEN, EditRun, in_text
from app.ui.editor.text_editor import plain_layout
from app.ui.replay.replay import Replay, replay_dialog
from engine.messages import Channel, TokenState
from tests.app.test_replay import recorded
from tests.fakes import draft

NOISE, NEARLY, SURE, SETTLED, PINNED, BEYOND = TokenState
AROUND = ("The ", " sat on ", ".")
BEFORE = ("____", "[[...]]")


def gap(span: int, text: str, state: TokenState, step: int, canvas: int = 0, candidate: int = 0):
    return draft(1, (text,), (state,), step=step, span=span, canvas=canvas, candidate=candidate)


def together() -> list:
    """Two gaps step by step, and another candidate beside them."""
    return [
        gap(0, "dog", NOISE, 1), gap(1, "tree", NOISE, 1), gap(0, "X", NOISE, 1, candidate=1),
        gap(0, "cat", NEARLY, 2), gap(1, "rug", NOISE, 2), gap(0, "Y", NOISE, 2, candidate=1),
        gap(0, "cat", SURE, 3), gap(1, "mat", SURE, 3), gap(0, "Z", SURE, 3, candidate=1),
    ]  # fmt: skip


def run_of(drafts, **named) -> EditRun:
    return EditRun(Tape(encode(recorded(drafts))), **named)


def texts(run: EditRun) -> list[str]:
    return ["".join(run.draft(step).pieces) for step in range(len(run))]


def test_all_gaps_stand_in_their_text():
    run = run_of(together(), originals=BEFORE, around=AROUND)
    assert texts(run) == [
        "The dog sat on tree.", "The cat sat on rug.", "The cat sat on mat.",
    ]  # fmt: skip
    last = run.draft(2)
    assert last.states == bytes([PINNED, SURE, PINNED, SURE, PINNED])
    assert run.starts == (0,)
    moment = run.moment(1)
    assert (moment.canvas, moment.canvases, moment.steps, moment.draft.step) == (1, 1, 3, 2)
    assert (moment.sure, moment.tokens) == (0, 2)  # what is around was never searched


def test_gaps_one_after_the_other_show_what_stood_there():
    drafts = [
        gap(0, "a", NOISE, 1), gap(0, "cat", SETTLED, 2),
        gap(1, "b", NOISE, 1), gap(1, "mat", SETTLED, 2),
    ]  # fmt: skip
    run = run_of(drafts, originals=BEFORE, around=AROUND)
    assert texts(run) == [
        "The a sat on [[...]].", "The cat sat on b.", "The cat sat on mat.",
    ]  # fmt: skip


def test_another_try_is_another_canvas():
    drafts = [
        gap(0, "a", NOISE, 1), gap(1, "b", NOISE, 1),
        gap(0, "cat", SETTLED, 1, canvas=1), gap(1, "mat", SETTLED, 1, canvas=1),
    ]  # fmt: skip
    run = run_of(drafts, originals=BEFORE, around=AROUND)
    assert run.starts == (0, 1)
    assert [run.moment(step).canvas for step in range(2)] == [1, 2]


def test_another_candidate_is_another_run():
    run = run_of(together(), candidate=1, originals=BEFORE, around=AROUND)
    assert texts(run) == [f"The {each} sat on [[...]]." for each in "XYZ"]
    assert len(run_of(together(), candidate=7)) == 0


def test_an_older_record_knows_no_surroundings():
    run = run_of(together(), originals=BEFORE)
    assert texts(run)[-1] == f"cat{BETWEEN}mat"


def test_the_dialog_shows_them_all(qtbot, theme):
    data = encode(recorded(together()))
    edit = EditRecord(document="a", made=0, kind="infill", instruction="", seed=1, before=BEFORE,
                      after=("cat", "mat"), around=AROUND)  # fmt: skip
    dialog = replay_dialog(data, theme, edit=edit)
    qtbot.addWidget(dialog)
    dialog.show()
    replay = dialog.findChild(Replay)
    canvas = replay.canvases[Channel.ANSWER]
    assert canvas.shown_text == "The dog sat on tree."
    replay.player.go_to(2)
    qtbot.waitUntil(lambda: canvas.shown_text == "The cat sat on mat.")
    said = "\n".join(label.text() for label in dialog.findChildren(QLabel))
    assert "step 3 of 3" in said


def test_a_place_without_a_draft_shows_its_original():
    shown = in_text(("a", "c"), [None], ["b"])
    assert shown.pieces == ("a", "b", "c")
    assert shown.states == bytes([PINNED, SETTLED, PINNED])


@pytest.mark.parametrize("size", [10, MOST, 3 * MOST])
def test_what_is_around_is_the_text_or_its_ends(qapp, size):
    document = Document("d")
    plain_layout(document.text_document)
    text = "".join(f"{number} 😀 " for number in range(size))
    document.fill(text, at_once=True)
    before, behind = texts_around(document, [Range(start=0, end=0)])
    assert before == ""
    assert text.startswith(behind.removesuffix("…"))
    first, last = Range(start=4, end=6), Range(start=document.units - 6, end=document.units - 4)
    one, between, other = texts_around(document, [first, last])
    assert one == document.part(Range(start=0, end=4))
    assert other == document.part(Range(start=document.units - 4, end=document.units))
    inside = document.part(Range(start=6, end=document.units - 6))
    parts = between.split("…\n…")
    assert len(between) <= 2 * MOST + 5
    assert inside.startswith(parts[0])
    assert inside.endswith(parts[-1])
    assert (len(parts) == 1) == (document.units - 12 <= 2 * MOST)
