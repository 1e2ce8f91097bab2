"""Places that are to be filled: the marks people write for them, and what is known of each.

Such marks stand in real code and prose too, so finding one is a question to the user and no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from app.state.editor.changes import Range, units

MOST_GAPS = 64  # in one text; nobody confirms more
MARK = "[[...]]"  # what is put in where a gap is dropped
_EMPTY_HINTS = ("", "...", "…", "gap")
_MARKS = re.compile(
    r"""
      \[\[ (?P<hint> [^\[\]\n]{0,200} ) \]\]      # [[...]], [[what belongs here]]
    | (?<![\w]) _{4,} (?![\w])                     # ____
    | (?<!\S) … (?!\S)                             # … on its own
    | (?://|\#) [ \t]* TODO:? [ \t]+ fill\b [ \t]*:?(?P<todo> [^\n]{0,200} )
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Length(Enum):
    AUTO = "auto"
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"

    @property
    def tokens(self) -> tuple[int, int] | None:
        """At least and at most; None where the engine finds out by itself."""
        return _TOKENS.get(self)


_TOKENS = {Length.SHORT: (1, 8), Length.MEDIUM: (8, 24), Length.LONG: (24, 64)}


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What stands at `place` goes when the gap is filled: the mark, or what was selected."""

    place: Range
    hint: str = ""
    length: Length = Length.AUTO


def find_gaps(text: str, offset: int = 0) -> tuple[Gap, ...]:
    """All marks in `text`, in order, at most MOST_GAPS. `offset` is where it begins, in units.

    Of marks in each other the inner one counts: the others are not closed around plain words.
    """
    found: list[Gap] = []
    at, place = 0, offset
    for match in _MARKS.finditer(text):
        place += units(text[at : match.start()])
        end = place + units(match[0])
        found.append(Gap(place=Range(start=place, end=end), hint=_hint(match)))
        at, place = match.end(), end
        if len(found) == MOST_GAPS:
            break
    return tuple(found)


def _hint(match: re.Match[str]) -> str:
    words = " ".join((match["hint"] or match["todo"] or "").split())
    return "" if words.lower() in _EMPTY_HINTS else words
