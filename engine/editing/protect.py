"""Protected ranges of gaps: only what lies around them is opened, so that they are pinned like all
text outside of a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from engine.editing.infill import Filled
from engine.editing.job import Part
from engine.editing.window import check_spans, refused
from engine.messages import EngineFault, ErrorKind, Span

Ranges = Sequence[tuple[int, int]]


def check_protected(spans: Sequence[Span], protected: Ranges) -> None:
    """Raises EngineFault for a protected range that is no part of a span."""
    if not all(any(s.start <= start < end <= s.end for s in spans) for start, end in protected):
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            "A protected range lies outside of what is edited.",
            "Select the text again.",
        )


def opened(text: str, spans: Sequence[Span], protected: Ranges) -> list[Part]:
    """The parts of all spans that are written anew. Raises EngineFault where one has none."""
    check_spans(text, spans)
    parts: list[Part] = []
    for number, span in enumerate(spans):
        inside = sorted(each for each in protected if span.start <= each[0] < each[1] <= span.end)
        if not inside:
            parts.append(Part(span=span, owner=number))
            continue
        if span.choices or span.schema is not None:
            raise refused("A gap with choices or a form has nothing in it to protect.")
        free = _between(span, inside)
        if not free:
            raise refused("All of this range is protected.")
        parts += _parts(text, span, number, free)
    return parts


def closed(filled: Filled, parts: Sequence[Part]) -> Filled:
    """The same with one text for each span of the request, what is protected in its place."""
    texts, tokens = [], []
    together = zip(parts, filled.texts, filled.tokens, strict=True)
    for _, group in groupby(together, key=lambda each: each[0].owner):
        own = list(group)
        texts.append("".join(part.lead + new + part.trail for part, new, _ in own))
        tokens.append(sum(count for _, _, count in own))
    checks = tuple(replace(each, span=parts[each.span].owner) for each in filled.checks)
    return replace(filled, texts=tuple(texts), tokens=tuple(tokens), checks=checks)


def _between(span: Span, inside: Ranges) -> list[tuple[int, int]]:
    """What of a span is not protected; the ranges inside of it are sorted, and may overlap."""
    free: list[tuple[int, int]] = []
    at = span.start
    for start, end in inside:
        if start > at:
            free.append((at, start))
        at = max(at, end)
    return [*free, (at, span.end)] if at < span.end else free


def _parts(text: str, span: Span, number: int, free: Ranges) -> list[Part]:
    if span.length_hint is not None and span.length_hint < len(free):
        raise refused("A gap needs a token for each part of it that is not protected.")
    found: list[Part] = []
    at = span.start
    for place, (start, end) in enumerate(free):
        part = replace(_share(span, place, len(free)), start=start, end=end)
        found.append(Part(span=part, owner=number, lead=text[at:start]))
        at = end
    return [*found[:-1], replace(found[-1], trail=text[at : span.end])]


def _share(span: Span, place: int, count: int) -> Span:
    """The span with the share of one of its `count` parts in its tokens."""
    hint, lengths = span.length_hint, span.lengths
    if hint is not None:
        hint = (hint + place) // count
    if lengths is not None:
        low, high = (max(1, (each + place) // count) for each in lengths)
        lengths = (low, high)
    return replace(span, length_hint=hint, lengths=lengths)
