"""Edits of a document, held against plain strings."""

from __future__ import annotations

import random

import pytest
from PySide6.QtGui import QTextCursor

from app.state.editor.changes import Range, replay, units
from app.state.editor.edit import Phase
from app.state.editor.offer import Choice
from app.state.editor.order import Order, Place, apply
from engine.messages import (
    EditKind,
    ErrorKind,
    UnloadRequest,
)
from tests.app.edit_scripts import editing, refusing
from tests.app.edit_world import World
from tests.fakes import Gate

LETTERS = ("a", "bc", " ", " ", "\n", "日本", "😀", "é", "👩‍👧", ", ", "7")


def some_text(rng: random.Random, most: int = 40) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randrange(most)))


@pytest.fixture
def world(qapp, tmp_path):
    made = []

    def make(script) -> World:
        made.append(World(tmp_path, script))
        return made[-1]

    yield make
    for each in made:
        each.close()


def order(text: str, *parts: str, kind=EditKind.REWRITE, instruction="shorter") -> Order:
    places, at = [], 0
    for part in parts:
        at = text.index(part, at)
        start = units(text[:at])
        places.append(Place(range=Range(start=start, end=start + units(part))))
        at += len(part)
    return Order(kind=kind, places=tuple(places), instruction=instruction)


def wait(qtbot, session, phase=Phase.OFFERED):
    qtbot.waitUntil(lambda: session.phase is phase)


TEXT = "😀 The quick brown fox.\nIt jumps over the lazy dog.\nEnd."
SENTENCE = "It jumps over the lazy dog."


def test_an_edit_is_one_step_to_undo_and_touches_nothing_else(qtbot, world):
    there = world(editing("It leaps over the dog."))
    document, session = there.session(TEXT)
    assert session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session)
    assert document.text == TEXT  # not before it is accepted
    assert not document.text_document.isUndoAvailable()
    request = there.pipeline.requests[0]
    (span,) = request.spans
    assert request.text[span.start : span.end] == SENTENCE
    assert request.text == TEXT
    assert session.accept()
    assert document.text == TEXT.replace(SENTENCE, "It leaps over the dog.")
    document.text_document.undo()
    assert document.text == TEXT
    assert not document.text_document.isUndoAvailable()
    (record, recording), = there.records  # fmt: skip
    assert (record.before, record.after) == ((SENTENCE,), ("It leaps over the dog.",))
    assert (record.seed, record.instruction) == (7, "shorter")
    assert len(recording.frames) == 3


def test_hunks_are_taken_in_any_order(qtbot, world):
    there = world(editing("It leaps over the sleepy dog!"))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session)
    assert [hunk.new for hunk in session.offer.hunks] == ["leaps", "sleepy", "!"]
    session.choose(2, Choice.REJECTED)
    session.choose(0, Choice.ACCEPTED)
    assert document.text == TEXT
    session.choose(1, Choice.ACCEPTED)  # the last one: it is over
    assert session.phase is Phase.IDLE
    assert "It leaps over the sleepy dog.\n" in document.text


def test_all_rejected_changes_nothing(qtbot, world):
    there = world(editing("It leaps over the lazy dog."))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session)
    session.choose(0, Choice.REJECTED)
    assert session.phase is Phase.IDLE
    assert document.text == TEXT
    assert not document.text_document.isUndoAvailable()
    assert there.records == []


def test_several_gaps_are_filled_together(qtbot, world):
    text = "A ____ sat on 😀 ____ and ____."
    there = world(editing(("cat", "mats", "slept"), ("dog", "rugs", "ran")))
    document, session = there.session(text)
    session.begin(order(text, "____", "____", "____", kind=EditKind.INFILL, instruction=""))
    wait(qtbot, session)
    assert session.alternatives == 2
    session.show(1)
    session.choose(1, Choice.REJECTED)
    session.accept()
    assert document.text == "A dog sat on 😀 ____ and ran."
    document.text_document.undo()
    assert document.text == text


def test_typing_elsewhere_moves_the_place_and_typing_inside_lets_go(qtbot, world):
    gate = Gate()
    there = world(editing("SHORT.", gate=gate))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    qtbot.waitUntil(gate.reached.is_set)
    cursor = QTextCursor(document.text_document)
    cursor.insertText("日本 😀 first\n")
    cursor.movePosition(QTextCursor.MoveOperation.End)
    cursor.insertText(" Last.")
    gate.opened.set()
    wait(qtbot, session)
    assert document.part(session.ranges[0]) == SENTENCE
    session.accept()
    assert document.text == "日本 😀 first\n" + TEXT.replace(SENTENCE, "SHORT.") + " Last."

    session.begin(order(document.text, "quick brown"))
    wait(qtbot, session)
    cursor.setPosition(session.ranges[0].start + 2)
    cursor.insertText("!")
    assert session.phase is Phase.IDLE
    assert "You changed the text" in there.notes[-1]
    assert "qu!ick brown" in document.text


def test_anchors_hold_through_any_edits(qtbot, world):
    """Against marks that stand in a plain string."""
    gate = Gate()
    there = world(editing("NEW", gate=gate))
    document, session = there.session("")
    rng = random.Random(8)
    kept = 0
    for _ in range(60):
        document.replace_all("before " * 5 + "TARGET" + " after" * 5)
        session.begin(order(document.text, "TARGET"))
        for _ in range(8):
            at = rng.randrange(document.units + 1)
            end = min(document.units, at + rng.randrange(4))
            new = rng.choice(("", "x", "yy\n", "😀"))
            document.replace([(Range(start=at, end=end), new)])
        is_there = session.phase is not Phase.IDLE
        assert not is_there or document.part(session.ranges[0]) == "TARGET"
        kept += is_there
        session.cancel()
    assert 5 < kept < 60
    gate.opened.set()


def test_another_seed_and_other_words_begin_from_the_original(qtbot, world):
    there = world(editing("It leaps.", "It hops."))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session)
    session.choose(0, Choice.OPEN)
    assert session.again("friendlier")
    wait(qtbot, session)
    second = there.pipeline.requests[1]
    assert second.instruction == "friendlier"
    assert second.text == TEXT
    session.again()
    wait(qtbot, session)
    assert there.pipeline.requests[2] == second
    session.cancel()
    assert document.text == TEXT
    assert not session.again()


def test_one_edit_at_a_time_in_a_document(qtbot, world):
    gate = Gate()
    there = world(editing("x", gate=gate))
    _, session = there.session(TEXT)
    _, other = there.session(TEXT)
    assert session.begin(order(TEXT, SENTENCE))
    assert not session.begin(order(TEXT, "quick"))
    assert other.begin(order(TEXT, "quick"))  # another document has its own
    gate.opened.set()
    wait(qtbot, session)
    wait(qtbot, other)
    assert len(there.pipeline.requests) == 2


def test_cancelling_leaves_nothing_behind(qtbot, world):
    gate = Gate()
    there = world(editing("x", gate=gate))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    qtbot.waitUntil(lambda: session.draft(0) is not None)
    session.cancel()
    assert session.phase is Phase.IDLE
    assert session.draft(0) is None
    assert session.ranges == ()
    gate.opened.set()
    session.begin(order(TEXT, "quick"))
    wait(qtbot, session)
    assert document.text == TEXT
    assert not document.is_modified or document.text == TEXT


def test_what_the_engine_cannot_do_is_said(qtbot, world):
    there = world(refusing("Nothing fits here.", "Try a shorter text."))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session, Phase.IDLE)
    assert there.notes == ["Nothing fits here. Try a shorter text."]
    there.pipeline.script = refusing("No model.", "Load one.", ErrorKind.NOT_LOADED)
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session, Phase.IDLE)
    assert there.notes[-1] == "No model. Load one."
    there.pipeline.script = editing(SENTENCE)
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session, Phase.IDLE)
    assert "would leave it as it is" in there.notes[-1]
    assert document.text == TEXT


def test_a_model_that_is_unloaded_while_it_edits(qtbot, world):
    gate = Gate()
    there = world(editing("x", gate=gate))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    qtbot.waitUntil(gate.reached.is_set)
    there.bridge.submit(UnloadRequest())
    gate.opened.set()
    qtbot.waitUntil(lambda: session.phase is not Phase.RUNNING)
    session.cancel()
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session, Phase.IDLE)
    assert "no model" in there.notes[-1].lower()
    assert document.text == TEXT


def test_line_ends_of_an_alternative_become_those_of_the_document(qtbot, world):
    there = world(editing("one\r\ntwo\rthree\u2029four\ud800"))
    document, session = there.session(TEXT)
    session.begin(order(TEXT, SENTENCE))
    wait(qtbot, session)
    assert session.accept()
    assert "one\ntwo\nthree\nfour\ufffd\nEnd." in document.text


def test_applying_compares_first(qtbot, world):
    there = world(editing("x"))
    document, _ = there.session("one two three")
    place = Range(start=4, end=7)
    assert not apply(document, [place], ["TWO"], ["x"])
    assert document.text == "one two three"
    assert apply(document, [place], ["two"], ["x"])
    assert document.text == "one x three"


def test_ten_thousand_edits_leave_everything_else_as_it_is(qtbot, world):
    there = world(editing("x"))
    document, _ = there.session("")
    rng = random.Random(1)
    for _ in range(2_000):
        text = some_text(rng)
        document.text_document.setPlainText(text)
        text = document.text
        cuts = [units(text[:i]) for i in sorted(rng.randrange(len(text) + 1) for _ in range(4))]
        ranges = [Range(start=cuts[0], end=cuts[1]), Range(start=cuts[2], end=cuts[3])]
        new = [some_text(rng, 6), some_text(rng, 6)]
        changes = []
        document.edited.connect(changes.append)
        olds = [document.part(each) for each in ranges]
        data = text.encode("utf-16-le")
        parts = (
            data[: 2 * cuts[0]], new[0].encode("utf-16-le"), data[2 * cuts[1] : 2 * cuts[2]],
            new[1].encode("utf-16-le"), data[2 * cuts[3] :],
        )  # fmt: skip
        expected = b"".join(parts).decode("utf-16-le")
        assert apply(document, ranges, olds, new)
        document.edited.disconnect(changes.append)
        assert document.text == expected == replay(text, changes)
        document.text_document.undo()
        assert document.text == text


def test_a_long_document_is_read_around_the_place(qtbot, world):
    there = world(editing("NEW"))
    text = "".join(f"line {i} 😀\n" for i in range(60_000))
    document, session = there.session(text)
    session.begin(order(text, "line 30000"))
    wait(qtbot, session)
    request = there.pipeline.requests[0]
    assert len(request.text) < 260_000
    (span,) = request.spans
    assert request.text[span.start : span.end] == "line 30000"
    session.accept()
    assert document.text == text.replace("line 30000", "NEW")
