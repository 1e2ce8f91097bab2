"""What stands in the place of the text that is being edited: its surroundings and the canvas.

Texts before, between and behind the places are pinned: they look so, and nothing moves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from app.state.editor.changes import Range
from app.state.editor.diff import alike
from app.state.editor.document import Document
from app.state.editor.offer import Choice, Offer
from app.state.recording.edit_run import in_text
from engine.messages import Draft

MOST_SHOWN = 6_000  # letters of one text; of a longer one its two ends
MOST_BEHIND = 2_000  # units of the text behind the last place that are shown
MOST_BETWEEN = 4_000  # units between two places that still stand in one piece


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Places of an edit that stand close together, with the text around them.

    `between` has one text more than there are places; `start` and `end` are where it all stands in
    the document.
    """

    places: tuple[int, ...]
    between: tuple[str, ...]
    start: int
    end: int


def stretches(document: Document, ranges: Sequence[Range]) -> list[Stretch]:
    """The places in groups that share a line, each with the rest of its lines."""
    groups: list[list[int]] = []
    find = document.text_document.findBlock
    for number, place in enumerate(ranges):
        last = ranges[groups[-1][-1]] if groups else None
        is_near = last is not None and place.start - last.end <= MOST_BETWEEN
        if is_near and last is not None and find(last.end) == find(place.start):
            groups[-1].append(number)
        else:
            groups.append([number])
    return [_stretch(document, ranges, group) for group in groups]


def _stretch(document: Document, ranges: Sequence[Range], group: list[int]) -> Stretch:
    first, last = ranges[group[0]], ranges[group[-1]]
    block = document.text_document.findBlock(first.start)
    within = first.start - block.position()
    line = block.layout().lineForTextPosition(within)  # in a long line only what is beside it
    start = block.position() + (line.textStart() if line.isValid() else 0)
    behind = document.text_document.findBlock(last.end)
    end = min(behind.position() + behind.length() - 1, last.end + MOST_BEHIND)
    edges = [start, *(at for n in group for at in (ranges[n].start, ranges[n].end)), end]
    texts = [
        document.part(Range(start=edges[i], end=edges[i + 1])) for i in range(0, len(edges), 2)
    ]
    return Stretch(places=tuple(group), between=tuple(texts), start=start, end=end)


def as_draft(stretch: Stretch, drafts: Sequence[Draft | None], originals: Sequence[str]) -> Draft:
    """One canvas of it all. A place whose canvas has not come yet shows what stands there."""
    return in_text(
        stretch.between,
        [drafts[place] for place in stretch.places],
        [shortened(originals[place]) for place in stretch.places],
    )


class Mark(Enum):
    """How a part of a compared text looks."""

    PLAIN = "plain"
    PINNED = "pinned"
    REMOVED = "removed"
    ADDED = "added"
    TAKEN = "taken"  # of an accepted hunk


@dataclass(frozen=True, kw_only=True)
class Part:
    text: str
    mark: Mark
    hunk: int | None = None


def as_parts(stretch: Stretch, offer: Offer) -> list[Part]:
    """The old text and the new one in each other: hunks that are open show both."""
    parts: list[Part] = []
    for before, place in zip(stretch.between, (*stretch.places, None), strict=True):
        parts.append(Part(text=before, mark=Mark.PINNED))
        if place is None:
            continue
        original, at = offer.originals[place], 0
        for number in offer.of(place):
            hunk = offer.hunks[number]
            parts.append(Part(text=original[at : hunk.start], mark=Mark.PLAIN))
            parts += _hunk_parts(hunk.old, hunk.new, offer.choices[number], number)
            at = hunk.end
        parts.append(Part(text=original[at:], mark=Mark.PLAIN))
    return [replace(part, text=shortened(part.text)) for part in parts if part.text]


def shortened(text: str) -> str:
    """What of a text can be laid out at once."""
    half = MOST_SHOWN // 2
    return text if len(text) <= MOST_SHOWN else f"{text[:half]} … {text[-half:]}"


def _hunk_parts(old: str, new: str, choice: Choice, number: int) -> list[Part]:
    if choice is Choice.REJECTED:
        return [Part(text=old, mark=Mark.PLAIN, hunk=number)]
    if choice is Choice.ACCEPTED:
        return [Part(text=new, mark=Mark.TAKEN, hunk=number)]
    head, tail = alike(old, new)
    has_lines = "\n" in new or "\n" in old  # then one stands below the other
    parts = (
        (old[:head], Mark.PLAIN),
        (old[head : len(old) - tail], Mark.REMOVED),
        ("\n" if has_lines and old and new else "", Mark.PLAIN),
        (new[head : len(new) - tail], Mark.ADDED),
        (old[len(old) - tail :], Mark.PLAIN),
    )
    return [Part(text=text, mark=mark, hunk=number) for text, mark in parts]
