"""What stands in the place of an edited text, held against plain strings."""

from __future__ import annotations

import random

from app.state.editor.offer import Choice, make_offer
from app.ui.editor.pieces import Mark, Stretch, as_parts, shortened

LETTERS = ("a", "bc", " ", " ", "\n", "日本", "😀", "é", "7", ", ")


def some_text(rng: random.Random, most: int) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randrange(most)))


def shown(parts, *marks: Mark) -> str:
    return "".join(part.text for part in parts if part.mark in marks)


def test_both_texts_can_be_read_off_whatever_is_decided():
    """Without what is removed the new text stands there, and without what is added the old one.

    Lines apart: two texts of several lines stand below each other.
    """
    rng = random.Random(5)
    for _ in range(300):
        between = tuple(some_text(rng, 8) for _ in range(3))
        originals = tuple(some_text(rng, 12) for _ in range(2))
        texts = tuple(some_text(rng, 12) for _ in range(2))
        offer = make_offer(originals, texts, in_words=rng.random() < 0.5)
        for number in range(len(offer.hunks)):
            if rng.random() < 0.5:
                choice = rng.choice((Choice.ACCEPTED, Choice.REJECTED))
                offer = offer.choosing(number, choice)
        stretch = Stretch(places=(0, 1), between=between, start=0, end=0)
        parts = as_parts(stretch, offer)
        first, second = offer.choosing_open(Choice.ACCEPTED).result()
        wanted = f"{between[0]}{first}{between[1]}{second}{between[2]}"
        found = shown(parts, Mark.PLAIN, Mark.PINNED, Mark.ADDED, Mark.TAKEN)
        assert found.replace("\n", "") == wanted.replace("\n", "")
        first, second = offer.choosing_open(Choice.REJECTED).result()
        wanted = f"{between[0]}{first}{between[1]}{second}{between[2]}"
        found = shown(parts, Mark.PLAIN, Mark.PINNED, Mark.REMOVED, Mark.TAKEN)
        assert found.replace("\n", "") == wanted.replace("\n", "")


def test_texts_of_several_lines_stand_below_each_other():
    stretch = Stretch(places=(0,), between=("", ""), start=0, end=0)

    def parts(old: str, new: str) -> str:
        return "".join(
            part.text for part in as_parts(stretch, make_offer([old], [new], in_words=True))
        )

    assert parts("one two three", "- uno\n- dos") == "one two three\n- uno\n- dos"
    assert parts("one two three", "uno dos tres") == "one two threeuno dos tres"
    assert parts("", "- uno\n- dos") == "- uno\n- dos"


def test_a_text_too_long_to_lay_out_shows_its_ends():
    assert shortened("short") == "short"
    cut = shortened("a" * 500_000 + "b" * 500_000)
    assert len(cut) < 10_000
    assert (cut[0], cut[-1]) == ("a", "b")
