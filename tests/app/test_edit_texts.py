"""Marks for gaps, differences and colours of texts, held against plain strings."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from app.state.editor.changes import Range, units
from app.state.editor.diff import alike, hunks_of, words
from app.state.editor.gaps import MOST_GAPS, find_gaps
from app.state.editor.language import MARKDOWN, coloured, is_code, language_of
from app.state.editor.offer import Choice, make_offer
from app.state.editor.quick import remarks
from app.state.markdown.code import Kind
from engine.messages import (
    Check,
    CheckKind,
    Proposal,
)
from tests.app.test_editing_state import LETTERS, some_text

# --- gaps -----------------------------------------------------------------------------------------


def marks(text: str) -> list[str]:
    data = text.encode("utf-16-le")
    return [
        data[2 * gap.place.start : 2 * gap.place.end].decode("utf-16-le") for gap in find_gaps(text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ____ b", ["____"]),
        ("😀 日本 ______ 😀 [[...]].", ["______", "[[...]]"]),
        ("Dear [[name of the person]],", ["[[name of the person]]"]),
        ("one … two", ["…"]),
        ("…", ["…"]),
        ("wait… no", []),
        ("x = 1\n    // TODO fill the loop\ny", ["// TODO fill the loop"]),
        ("# TODO: fill: more", ["# TODO: fill: more"]),
        ("// TODO filler", []),
        ("__init__ and my____name", []),
        ("[[a [[b]] c]]", ["[[b]]"]),
        ("[[a\nb]]", []),
        ('print("fill ____ in")', ["____"]),  # only the user knows what is meant
        ("", []),
        ("[[", []),
        ("[[]] [[ … ]]", ["[[]]", "[[ … ]]"]),
    ],
)
def test_marks_are_found(text, expected):
    assert marks(text) == expected


def test_hints_are_read():
    text = "[[ a  red fox ]] [[...]] // TODO fill: sums up\n# TODO fill"
    assert [gap.hint for gap in find_gaps(text)] == ["a red fox", "", "sums up", ""]


def test_a_million_characters_and_thousands_of_marks_are_looked_through():
    assert find_gaps("word " * 200_000) == ()
    assert len(find_gaps("____ " * 5_000)) == MOST_GAPS
    assert find_gaps("[" * 1_000_000) == ()
    assert find_gaps("_" * 1_000_000)[0].place == Range(start=0, end=1_000_000)


# --- differences ----------------------------------------------------------------------------------


def test_words_are_the_text_and_nothing_is_cut():
    rng = random.Random(2)
    for _ in range(300):
        text = some_text(rng)
        assert "".join(words(text)) == text
    assert words("a👩‍👧b") == ["a", "👩‍👧", "b"]
    assert words("one two") == ["one", " ", "two"]


def test_a_changed_word_is_one_hunk():
    (hunk,) = hunks_of("The fox jumps over the dog.", "The fox leaps over the dog.")
    assert (hunk.old, hunk.new) == ("jumps", "leaps")
    assert "The fox jumps over"[hunk.start : hunk.end] == "jumps"


def test_neighbouring_words_are_one_hunk():
    (hunk,) = hunks_of("I am very happy today, friend.", "I am deeply glad today, friend.")
    assert (hunk.old, hunk.new) == ("very happy", "deeply glad")


def test_texts_with_little_in_common_stand_side_by_side():
    old, new = "one two three four five", "uno dos tres cuatro five"
    (hunk,) = hunks_of(old, new)
    assert (hunk.old, hunk.new) == (old, new)


def test_alike_words_share_their_letters():
    assert alike("organise", "organize") == (6, 1)
    assert alike("cat", "dog") == (0, 0)
    assert alike("", "dog") == (0, 0)


def changed_text(rng: random.Random, old: str) -> str:
    pieces = words(old)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(pieces) + 1)
        pieces[at : at + rng.randrange(3)] = [rng.choice(LETTERS) for _ in range(rng.randrange(3))]
    return "".join(pieces)


def test_taking_any_hunks_is_what_a_plain_string_gives():
    rng = random.Random(4)
    several = 0
    for _ in range(400):
        old = some_text(rng)
        new = changed_text(rng, old)
        hunks = hunks_of(old, new)
        several += len(hunks) > 1
        taken = [rng.random() < 0.5 for _ in hunks]
        expected = old
        for hunk, is_taken in reversed(list(zip(hunks, taken, strict=True))):
            assert old[hunk.start : hunk.end] == hunk.old
            if is_taken:
                expected = expected[: hunk.start] + hunk.new + expected[hunk.end :]
        offer = make_offer((old,), (new,), in_words=True)
        order = list(range(len(hunks)))
        rng.shuffle(order)
        for number in order:
            choice = Choice.ACCEPTED if taken[number] else Choice.REJECTED
            offer = offer.choosing(number, choice)
        assert offer.is_decided
        assert offer.result() == (expected,)
        assert make_offer((old,), (new,), in_words=True).choosing_open(
            Choice.ACCEPTED
        ).result() == (new,)
    assert several > 50


def test_the_order_of_choices_does_not_matter():
    offer = make_offer(("a b c d e f g",), ("a X c d Y f Z",), in_words=True)
    choices = [(0, Choice.ACCEPTED), (1, Choice.REJECTED), (2, Choice.ACCEPTED)]
    results = set()
    for order in permutations(choices):
        made = offer
        for number, choice in order:
            made = made.choosing(number, choice)
        results.add(made.result())
    assert results == {("a X c d e f Z",)}


def test_a_megabyte_is_compared():
    old = "".join(f"word{i} and\n" for i in range(90_000))
    new = old.replace("word77 ", "WORD ").replace("word88888 ", "")
    assert len(old) > 1_000_000
    near = old.replace("word77 ", "WORD ").replace("word79 ", "")
    (one, other) = hunks_of(old, near)
    assert (one.old, one.new) == ("word77", "WORD")
    assert (other.old, other.new) == ("word79 ", "")
    offer = make_offer((old,), (new,), in_words=True)
    assert len(offer.hunks) == 1
    assert offer.choosing_open(Choice.ACCEPTED).result() == (new,)


# --- words about it ---


def test_what_checks_have_found_is_said_beside_the_alternative():
    def proposal(*kinds, repaired=False, is_fallback=False):
        checks = tuple(Check(kind=kind, span=0, repaired=repaired) for kind in kinds)
        return Proposal(
            request_id=1, candidate=0, texts=("x",), score=0.0, checks=checks,
            is_fallback=is_fallback,
        )  # fmt: skip

    assert remarks(proposal()) == ""
    assert remarks(proposal(CheckKind.CUT_WORD, repaired=True)) == ""
    said = remarks(proposal(CheckKind.CUT_WORD, CheckKind.LOST, CheckKind.CUT_WORD))
    assert said.count("A word may be cut off") == 1
    assert "A number or name of the original is missing." in said
    assert "from the instruction alone" in remarks(proposal(is_fallback=True))


def test_languages_are_known_by_the_name_of_the_file():
    names = {
        "a.py": "py",
        "A.PY": "py",
        "notes.md": MARKDOWN,
        "Makefile": "make",
        "a.txt": "",
        "x": "",
    }
    assert {name: language_of(name) for name in names} == names
    assert is_code("py")
    assert not is_code(MARKDOWN)
    assert not is_code("")


def test_coloured_parts_lie_apart_and_inside_of_the_text():
    rng = random.Random(6)
    pieces = ("# head 😀\n", "> said\n", "- one\n", "`code` ", "**bold** ", "```py\nx = 1\n```\n", "____ ",
              "日本 ", "[a](b) ", "plain\n", "~~~\nopen", "😀😀 ")  # fmt: skip
    met = set()
    for _ in range(300):
        text = "".join(rng.choice(pieces) for _ in range(rng.randrange(14)))
        end = 0
        for start, length, kind in coloured(text, MARKDOWN):
            assert start >= end
            assert length > 0
            end = start + length
            met.add(kind)
        assert end <= units(text)
    assert len(met) >= 5
    assert coloured("😀 # no head\n# head", MARKDOWN) == ((13, 6, Kind.NAME),)
    assert coloured("a ____ b ____ c", MARKDOWN) == ()
