"""Whole edits, from the order to the undo, against a plain list of letters that knows where each
of them came from."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from app.state.editor.changes import Range, units
from app.state.editor.document import Document
from app.state.editor.edit import EditSession, Phase
from app.state.editor.offer import Choice
from app.state.editor.order import Order, Place
from engine.messages import EditKind
from tests.app.edit_scripts import editing
from tests.app.edit_world import World
from tests.fakes import Gate

LETTERS = ("a", "b", " ", " ", "\n", "日", "😀", "é", "👩‍👧", ".", "7")
RUNS = 60


@pytest.fixture
def world(qapp, tmp_path):
    made = World(tmp_path, editing("x"))
    yield made
    made.close()


def some_text(rng: random.Random, least: int, most: int) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randrange(least, most)))


class Letters:
    """The document as a list: each letter with the number of its place, None outside of all."""

    def __init__(self, parts: Sequence[str]) -> None:
        """Every second part is a place."""
        self.cells = [
            (letter, number // 2 if number % 2 else None)
            for number, part in enumerate(parts)
            for letter in part
        ]

    @property
    def text(self) -> str:
        return "".join(letter for letter, _ in self.cells)

    def outside(self, rng: random.Random) -> tuple[int, int]:
        """Somewhere no place is touched, not even at its border: two indices."""
        free = [
            at for at in range(len(self.cells) + 1)
            if all(place is None for _, place in self.cells[max(0, at - 1) : at + 1])
        ]  # fmt: skip
        start = rng.choice(free)
        end = start
        while end + 1 in free and end + 1 - start <= 2 and rng.random() < 0.6:
            end += 1
        return start, end

    def replace(self, start: int, end: int, text: str) -> None:
        self.cells[start:end] = [(letter, None) for letter in text]

    def with_places(self, texts: Sequence[str]) -> str:
        out, done = [], set()
        for letter, place in self.cells:
            if place is None:
                out.append(letter)
            elif place not in done:
                done.add(place)
                out.append(texts[place])
        return "".join(out)


def places_of(parts: Sequence[str]) -> tuple[Place, ...]:
    found, at = [], 0
    for number, part in enumerate(parts):
        size = units(part)
        if number % 2:
            found.append(Place(range=Range(start=at, end=at + size)))
        at += size
    return tuple(found)


def type_outside(rng: random.Random, document: Document, model: Letters) -> None:
    start, end = model.outside(rng)
    text = some_text(rng, 0, 4)
    before = units("".join(letter for letter, _ in model.cells[:start]))
    size = units("".join(letter for letter, _ in model.cells[start:end]))
    document.replace([(Range(start=before, end=before + size), text)])
    model.replace(start, end, text)
    assert document.text == model.text


def decide(rng: random.Random, session: EditSession) -> None:
    """All hunks but one, in any order; the last is decided by `accept`, or one by one, too."""
    assert session.offer is not None
    order = list(range(len(session.offer.hunks)))
    rng.shuffle(order)
    for number in order[: rng.randrange(len(order) + 1)]:
        session.choose(number, rng.choice((Choice.ACCEPTED, Choice.REJECTED)))
        if session.phase is Phase.IDLE:
            return


def test_whole_edits_are_what_a_list_of_letters_says(qtbot, world):
    rng = random.Random(11)
    taken = 0
    document, session = world.session("")
    records = world.records
    for run in range(RUNS):
        count = rng.randrange(1, 4)
        parts = [some_text(rng, 3, 12) for _ in range(2 * count + 1)]
        document.replace_all("".join(parts))
        model = Letters(parts)
        new = [some_text(rng, 1, 12) for _ in range(count)]
        gate = Gate()
        world.pipeline.script = editing(tuple(new), gate=gate)
        kind = EditKind.INFILL if count > 1 else rng.choice((EditKind.INFILL, EditKind.REWRITE))
        assert session.begin(Order(kind=kind, places=places_of(parts), instruction="x"))
        assert session.originals == tuple(parts[1::2])
        for _ in range(rng.randrange(3)):
            type_outside(rng, document, model)
        gate.opened.set()
        qtbot.waitUntil(lambda: session.phase is not Phase.RUNNING)
        if session.phase is Phase.IDLE:
            assert tuple(new) == tuple(parts[1::2])  # as it was already
            continue
        for _ in range(rng.randrange(3)):
            type_outside(rng, document, model)
        before, known = document.text, len(records)
        decide(rng, session)
        if session.phase is Phase.OFFERED:
            assert document.text == before  # not before the last hunk
            assert session.offer is not None
            expected = model.with_places(session.offer.choosing_open(Choice.ACCEPTED).result())
            session.accept()
        else:
            after = records[-1][0].after if len(records) > known else tuple(parts[1::2])
            expected = model.with_places(after)
        assert document.text == expected, run
        if document.text != before:
            taken += 1
            document.text_document.undo()
            assert document.text == before  # one step
            document.text_document.redo()
            assert document.text == expected
    assert taken > RUNS // 2
