"""Which part of the document stands on a canvas: gaps that lie close together, and text around them.

A document may be of any length: only text within reach of a gap is ever read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.editing.borders import Border, left_border, right_border
from engine.editing.prove import in_order
from engine.messages import EngineFault, ErrorKind, Span
from engine.text.tokenizer import Tokenizer, clean

# Characters of the document that are read for one token of reach. Words are shorter.
PER_TOKEN = 16
MAX_SPANS = 256


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One span, opened: what its text on the canvas must begin and end with, and what is put in."""

    index: int  # of the span in the request
    span: Span
    head: str  # the opened text begins with this, which belongs to the document in front of it
    tail: str
    lent: str  # stands behind the gap on the canvas, and in the span in the document

    def text(self, opened: str) -> str | None:
        """What replaces the span, from the text on the canvas; None where head or tail is not it."""
        inner = len(opened) - len(self.head) - len(self.tail)
        if inner < 0 or not (opened.startswith(self.head) and opened.endswith(self.tail)):
            return None
        return opened[len(self.head) : len(self.head) + inner] + self.lent


@dataclass(frozen=True, kw_only=True)
class Window:
    """Gaps and the fixed ids around them: fixed[0], gap 0, fixed[1], gap 1, ..., fixed[-1]."""

    gaps: tuple[Gap, ...]
    fixed: tuple[tuple[int, ...], ...]

    @property
    def pinned(self) -> int:
        """Tokens around the gaps."""
        return sum(len(ids) for ids in self.fixed)


def check_spans(text: str, spans: Sequence[Span]) -> None:
    """Raises EngineFault for spans that overlap, lie outside of the text or cannot be filled."""
    if not spans:
        raise refused("The text has no gap to fill.")
    if len(spans) > MAX_SPANS:
        raise refused(f"The text has {len(spans)} gaps; {MAX_SPANS} can be filled at once.")
    at = 0
    for span in (spans[index] for index in in_order(spans)):
        if not at <= span.start <= span.end <= len(text):
            raise refused("The gaps overlap or lie outside of the text.")
        if span.length_hint is not None and span.length_hint < 1:
            raise refused("Each gap needs a length of at least one token.")
        if span.lengths is not None and not 1 <= span.lengths[0] <= span.lengths[1]:
            raise refused("The lengths of a gap are at least one token, and at most no less.")
        at = span.end


def groups(
    tokenizer: Tokenizer, text: str, spans: Sequence[Span], room: Sequence[int], capacity: int
) -> list[list[int]]:
    """Indices of spans that share a canvas, in the order of the document.

    room: tokens that each gap may need; capacity: tokens of a canvas. Gaps share one where half of
    it would still be free for text around them.
    """
    order = in_order(spans)
    found: list[list[int]] = []
    taken = 0
    for index in order:
        between = text[spans[found[-1][-1]].end : spans[index].start] if found else ""
        needed = room[index]
        if len(between) <= capacity * PER_TOKEN:
            needed += len(tokenizer.encode(between))
        else:
            needed += capacity
        if found and taken + needed <= capacity // 2:
            found[-1].append(index)
            taken += needed
        else:
            found.append([index])
            taken = room[index]
    return found


def build_window(
    tokenizer: Tokenizer,
    text: str,
    spans: Sequence[Span],
    indices: Sequence[int],
    *,
    reach: int,
    room: int,
) -> Window:
    """The window of the spans `indices`, which are in the order of the document.

    reach: tokens of the document at most on each side; room: tokens for all fixed text together.
    Raises EngineFault where what lies between the gaps takes more.
    """
    reach = min(reach, room)
    borders: list[tuple[Border, Border]] = []
    for place, index in enumerate(indices):
        span = spans[index]
        begin = spans[indices[place - 1]].end if place else _back(span.start, reach)
        end = spans[indices[place + 1]].start if place + 1 < len(indices) else None
        after = text[span.end : span.end + reach * PER_TOKEN if end is None else end]
        following = text[span.start : span.start + 1]
        left = left_border(tokenizer, clean(text[begin : span.start]), following)
        preceding = text[span.end - 1 : span.end] if span.end else ""
        borders.append((left, right_border(tokenizer, preceding, clean(after))))

    gaps = [
        Gap(
            index=index,
            span=spans[index],
            head=left.swallowed,
            tail=right.swallowed,
            lent=right.lent,
        )
        for index, (left, right) in zip(indices, borders, strict=True)
    ]
    inner, gaps = _between(tokenizer, text, spans, indices, borders, gaps)
    left_most, right_most = list(borders[0][0].ids), list(borders[-1][1].ids)
    spare = room - sum(len(ids) for ids in inner)
    if spare < 0:
        raise refused("What stands between these gaps takes more than a canvas.")
    left_ids, right_ids = _share(tokenizer, left_most, right_most, reach, spare)
    return Window(gaps=tuple(gaps), fixed=(tuple(left_ids), *inner, tuple(right_ids)))


def _back(start: int, reach: int) -> int:
    return max(0, start - reach * PER_TOKEN)


def _between(
    tokenizer: Tokenizer,
    text: str,
    spans: Sequence[Span],
    indices: Sequence[int],
    borders: Sequence[tuple[Border, Border]],
    gaps: list[Gap],
) -> tuple[list[tuple[int, ...]], list[Gap]]:
    """The fixed ids between neighbours, where both have a say in what is swallowed."""
    inner: list[tuple[int, ...]] = []
    for place in range(len(indices) - 1):
        left, right = borders[place][1], borders[place + 1][0]
        words = left.lent + clean(text[spans[indices[place]].end : spans[indices[place + 1]].start])
        kept = words[len(left.swallowed) : len(words) - len(right.swallowed)]
        if len(left.swallowed) + len(right.swallowed) > len(words):
            # One short word between two gaps cannot belong to both: it stays fixed.
            kept = words
            gaps[place] = replace(gaps[place], tail="")
            gaps[place + 1] = replace(gaps[place + 1], head="")
        inner.append(tuple(tokenizer.encode(kept)))
    return inner, gaps


def _share(
    tokenizer: Tokenizer, left: list[int], right: list[int], reach: int, spare: int
) -> tuple[list[int], list[int]]:
    """The ids next to the gaps, half of the room for each side and what one leaves to the other."""
    half = spare // 2
    to_right = min(reach, len(right), max(half, spare - len(left)))
    to_left = min(reach, len(left), spare - to_right)
    left, right = left[len(left) - to_left :], right[:to_right]
    # A cut may have left the end of a character that takes several tokens, or the beginning of one.
    while left and tokenizer.decode(left).startswith("\ufffd"):
        left = left[1:]
    while right and tokenizer.decode(right).endswith("\ufffd"):
        right = right[:-1]
    return left, right


def refused(message: str) -> EngineFault:
    return EngineFault(ErrorKind.BAD_REQUEST, message, "Change the gaps and try again.")
