"""Planted bad seams are found, every one; good ones are left alone."""

from __future__ import annotations

import random

import pytest

from engine.editing.seams import lost, overlap_before, overlap_behind, seam_checks
from engine.messages import CheckKind

WORDS = ["the", "harbour", "opens", "early", "and", "ships", "bring", "apples", "from", "Alder"]
AFTER, BEFORE = CheckKind.REPEATS_AFTER, CheckKind.REPEATS_BEFORE


def kinds(before: str, new: str, after: str, original: str = "") -> set[CheckKind]:
    return {check.kind for check in seam_checks(before, new, after, 0, original)}


@pytest.mark.parametrize(
    ("before", "new", "after", "found"),
    [
        ("", "5 cents\n\n**Reasoning", "**Reasoning:** because", {AFTER}),
        ("It costs ", "5 cents. Since the lily", " Since the lily pads double", {AFTER}),
        ("She likes her ", "her red", " boat.", {BEFORE}),
        ("the answer is ", "5,60", "\n\nTogether 5607 coins.", {CheckKind.CUT_NUMBER}),
        ("Page ", "1", "2 of 30", {CheckKind.CUT_NUMBER}),
        ("It costs 3.", "5", " euros", {CheckKind.CUT_NUMBER}),
        ("They were wal", "king home", ".", {CheckKind.CUT_WORD}),
        ("f(x", ", (y", ") + 1", {CheckKind.BRACKETS}),
    ],
)
def test_planted_seams_are_found(before: str, new: str, after: str, found: set[CheckKind]) -> None:
    assert found <= kinds(before, new, after)


@pytest.mark.parametrize(
    ("before", "new", "after", "original"),
    [
        ("She likes her ", "red", " boat.", ""),
        ("She likes her ", "red", " boat.", "old"),
        ("東京", "は大きい", "町です。", ""),  # no blanks between words
        ("def f(", "x, y", "):\n    return x", ""),
        ("It costs ", "3.50", " euros.", "4"),
        ("wal", "k", "ing", "k"),  # the original cut words too
        ("1", "2", "3", "2"),
        ("the ", "the", " cat", "the"),
        ("Yes, ", "yes", "terday", "no"),
    ],
)
def test_good_seams_are_left_alone(before: str, new: str, after: str, original: str) -> None:
    found = kinds(before, new, after, original) - {CheckKind.CUT_WORD}
    assert found <= ({BEFORE} if new == "the" else set())


def test_every_planted_repetition_is_found() -> None:
    rng = random.Random(5)
    for _ in range(500):
        words = [rng.choice(WORDS) for _ in range(rng.randrange(1, 9))]
        side = " ".join(rng.choice(WORDS) for _ in range(12))
        count = rng.randrange(1, 6)
        blank = rng.choice([" ", "\n", "  "])
        repeated = side.split()[:count]
        if sum(map(len, repeated)) < 3:
            continue
        new = " ".join(words) + blank + " ".join(repeated)
        assert AFTER in kinds("", new, " " + side)
        repeated = side.split()[-count:]
        new = " ".join(repeated) + blank + " ".join(words)
        if sum(map(len, repeated)) >= 3:
            assert BEFORE in kinds(side + " ", new, "")


def test_the_overlap_is_the_longest_and_exact() -> None:
    new = "He left. She likes her"
    assert new[-overlap_behind(new, " She likes her boat.") :].strip() == "She likes her"
    assert overlap_behind(new, " boat") == 0
    assert overlap_before("She likes her ", "her boat") == len("her ")
    assert overlap_behind("", "x") == overlap_before("", "x") == 0
    assert overlap_behind("it is a", " a cat") == 0, "too short to be a repetition"


def test_what_was_lost() -> None:
    original = 'Call "Mara Lind" at mara@alder.org or https://alder.org/a?b=1 before 17:30, room 4.'
    assert lost(original, original, 0) == []
    missing = {check.text for check in lost(original, "Call Mara before 17:30.", 0)}
    assert missing >= {'"Mara Lind"', "mara@alder.org", "https://alder.org/a?b=1", "4"}
    assert [check.text for check in lost("3 and 3", "3", 0)] == ["3"]
