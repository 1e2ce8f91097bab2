"""What is different between two texts, word by word, as hunks that can be taken or left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

from PySide6.QtCore import QTextBoundaryFinder

from app.state.editor.changes import common_start

MOST_IN_WORDS = 20_000  # letters; beyond that lines are compared
MOST_IN_LINES = 400_000  # letters; beyond that nothing is
MOST_PAIRS = 4_000_000  # pieces of one text times pieces of the other
LEAST_COMMON = 0.4  # of the words; with less in common the two texts stand side by side
LEAST_ALIKE = 0.6  # of the letters; two words that are less alike are shown whole


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """Of the old text, `start` to `end` (code points) would become `new`."""

    start: int
    end: int
    old: str
    new: str


def hunks_of(old: str, new: str) -> tuple[Hunk, ...]:
    """The differences, in order and apart from each other; none if the texts are equal.

    Long texts are compared line by line, so that nobody waits for it.
    """
    if old == new:
        return ()
    head, tail = _common_lines(old, new)
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    whole = Hunk(start=head, end=len(old) - tail, old=before, new=after)
    most = max(len(before), len(after))
    if most > MOST_IN_LINES:
        return (whole,)
    cut = words if most <= MOST_IN_WORDS else _lines
    pieces, others = cut(before), cut(after)
    if len(pieces) * len(others) > MOST_PAIRS:
        return (whole,)
    matcher = SequenceMatcher(None, pieces, others, autojunk=False)
    if _share(matcher, pieces, others) < LEAST_COMMON:
        return (whole,)
    starts = list(accumulate(map(len, pieces), initial=head))
    return tuple(
        Hunk(
            start=starts[a],
            end=starts[b],
            old="".join(pieces[a:b]),
            new="".join(others[c:d]),
        )
        for a, b, c, d in _changed(matcher, pieces)
    )


def _common_lines(old: str, new: str) -> tuple[int, int]:
    """How many letters both begin with and end with, in whole lines."""
    head = old.rfind("\n", 0, common_start(old, new)) + 1
    rest, other = old[head:][::-1], new[head:][::-1]
    tail = max(0, rest.rfind("\n", 0, common_start(rest, other)))
    return head, tail


def _share(matcher: SequenceMatcher[str], before: Sequence[str], after: Sequence[str]) -> float:
    """How much of the longer text the other one has, too; spaces do not count."""
    blocks = matcher.get_matching_blocks()
    common = sum(not word.isspace() for b in blocks for word in before[b.a : b.a + b.size])
    most = max(sum(not word.isspace() for word in each) for each in (before, after))
    return common / most if most else 1.0


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _changed(
    matcher: SequenceMatcher[str], before: Sequence[str]
) -> Iterator[tuple[int, int, int, int]]:
    """Stretches of words that differ; those with nothing but a space between them are one."""
    open_one: tuple[int, int, int, int] | None = None
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            is_thin = not "".join(before[a:b]).strip(" ")
            if open_one is not None and not is_thin:
                yield open_one
                open_one = None
        elif open_one is None:
            open_one = (a, b, c, d)
        else:
            open_one = (open_one[0], b, open_one[2], d)
    if open_one is not None:
        yield open_one


def words(text: str) -> list[str]:
    """The text in pieces that nobody reads half: words, runs of spaces, signs, emoji."""
    wide = text.encode("utf-16-le", "surrogatepass")
    finder = QTextBoundaryFinder(QTextBoundaryFinder.BoundaryType.Word, text)
    found: list[str] = []
    start = 0
    while (end := finder.toNextBoundary()) > 0:
        piece = wide[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")
        if found and piece.isspace() and found[-1].isspace() and "\n" not in piece + found[-1]:
            found[-1] += piece
        else:
            found.append(piece)
        start = end
    return found


def alike(old: str, new: str) -> tuple[int, int]:
    """How many letters two words share at their start and at their end, to be shown as one.

    (0, 0) where they are not alike enough to be read as one word with another letter.
    """
    if not old or not new or len(old) + len(new) > 200:
        return 0, 0
    if SequenceMatcher(None, old, new, autojunk=False).ratio() <= LEAST_ALIKE:
        return 0, 0
    least = min(len(old), len(new))
    head = next((i for i in range(least) if old[i] != new[i]), least)
    tail = next((i for i in range(least - head) if old[-1 - i] != new[-1 - i]), least - head)
    return head, tail
