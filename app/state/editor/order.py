"""What is asked of the model for a document, and how its text gets into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.state.editor.changes import Range, points, units
from app.state.editor.document import Document
from app.state.text import clean
from app.words import tr
from engine.messages import EditKind, EditRequest, Proposal, Schema, Span, Strength

ALTERNATIVES = 3
_HELD = {0x0D: "\n", 0x2029: "\n", 0xFDD0: "\ufffd", 0xFDD1: "\ufffd"}
AROUND = 100_000  # units of the document on each side that the engine is given to read


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something is to be written, in UTF-16 units of the document."""

    range: Range
    hint: str = ""
    tokens: tuple[int, int] | None = None  # at least and at most; None: the engine finds out


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for. Infilling takes any number of places, in order; the other kinds one."""

    kind: EditKind
    places: tuple[Place, ...]
    instruction: str = ""
    strength: Strength = Strength.FULL  # of a rewrite
    seed: int | None = None


def clean_texts(proposal: Proposal) -> tuple[str, ...]:
    """Its texts as a document can hold them."""
    return tuple(clean(text).replace("\r\n", "\n").translate(_HELD) for text in proposal.texts)


def schema_of(hint: str) -> Schema | None:
    """The form that a hint names by a single word, in English or in the user's language."""
    own = {
        tr("number"): Schema.NUMBER,
        tr("date"): Schema.DATE,
        tr("line"): Schema.LINE,
        tr("list"): Schema.LIST,
    }
    named = {name.lower(): schema for name, schema in own.items()}
    return Schema.named(hint) or named.get(hint.strip().lower())


def request_of(document: Document, order: Order) -> EditRequest:
    """The document, or of a long one what lies around the places, with spans in code points."""
    ranges = [place.range for place in order.places]
    first = max(0, ranges[0].start - AROUND)
    last = min(document.units, ranges[-1].end + AROUND)
    block = document.text_document.findBlock(first)
    first = block.position() if ranges[0].start - block.position() <= 2 * AROUND else first
    text = document.part(Range(start=first, end=last))
    return EditRequest(
        text=text,
        spans=tuple(
            Span(
                start=points(text, place.range.start - first),
                end=points(text, place.range.end - first),
                hint=place.hint,
                lengths=place.tokens,
                schema=schema_of(place.hint),
            )
            for place in order.places
        ),
        kind=order.kind,
        instruction=order.instruction,
        strength=order.strength,
        alternatives=ALTERNATIVES,
        seed=order.seed,
    )


def apply(
    document: Document,
    ranges: Sequence[Range],
    originals: Sequence[str],
    after: Sequence[str],
) -> bool:
    """Puts the new texts in place of the old ones, as one step to undo.

    Only where the old ones still stand there; and if anything else than them has changed then, it
    is undone. Returns whether it is done.
    """
    if any(document.part(place) != old for place, old in zip(ranges, originals, strict=True)):
        return False
    changed = [
        (place, new) for place, old, new in zip(ranges, originals, after, strict=True) if old != new
    ]
    if not changed:
        return True
    start, end, length = ranges[0].start, ranges[-1].end, document.units
    parts, at = [], start
    for place, new in changed:
        parts += [document.part(Range(start=at, end=place.start)), new]
        at = place.end
    expected = "".join((*parts, document.part(Range(start=at, end=end))))
    document.replace(changed)
    grown = units(expected) - (end - start)
    is_right = (
        document.units == length + grown
        and document.part(Range(start=start, end=end + grown)) == expected
    )
    if not is_right:
        document.text_document.undo()
    return is_right
