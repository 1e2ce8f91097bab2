"""The text around the places of an edit, as much of it as one needs to see where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from app.state.editor.changes import Range
from app.state.editor.document import Document
from app.state.text import clean

MOST = 400  # units in front of the first place, behind the last, and on each side between two


def texts_around(document: Document, ranges: Sequence[Range]) -> tuple[str, ...]:
    """The texts before, between and behind the places, shortened: one more than places."""
    first, last = ranges[0].start, ranges[-1].end
    before = document.part(Range(start=max(0, first - MOST), end=first))
    behind = document.part(Range(start=last, end=min(document.units, last + MOST)))
    return (
        _from_a_word(before) if first > MOST else before,
        *(_between(document, one.end, other.start) for one, other in pairwise(ranges)),
        _to_a_word(behind) if last + MOST < document.units else behind,
    )


def _between(document: Document, start: int, end: int) -> str:
    if end - start <= 2 * MOST:
        return document.part(Range(start=start, end=end))
    head = document.part(Range(start=start, end=start + MOST))
    tail = document.part(Range(start=end - MOST, end=end))
    return f"{_to_a_word(head)}\n{_from_a_word(tail)}"


def _from_a_word(text: str) -> str:
    """Without the part of a word, or of a letter, that it begins with."""
    at = min((found for each in " \n" if (found := text.find(each)) >= 0), default=0)
    return f"…{clean(text[at:])}"


def _to_a_word(text: str) -> str:
    at = max(text.rfind(" "), text.rfind("\n"))
    return f"{clean(text[: at + 1] if at >= 0 else text)}…"
