"""The figures of editing that are about gaps: what stands in them, how long it is, how it meets the text."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from engine.editing.sentences import is_finished
from engine.messages import EditKind, EditRequest, Proposal, Span
from engine.pipeline import Pipeline
from tests.benchmarks.demo_model import percent
from tests.benchmarks.edit_items import (
    SEED,
    Item,
    bad_seam,
    others,
    propose,
    sentence_items,
    tokens,
    widened,
)

NAIVE = 24  # tokens of a gap whose length nobody looked for
RANGES = {"short": (1, 8), "medium": (8, 24), "long": (24, 64)}  # as the editor's gaps have


def gaps(pipeline: Pipeline, items: Sequence[Item]) -> dict[str, Any]:
    swapped = [
        replace(item, after=other.after) for item, other in zip(items, others(items), strict=True)
    ]
    alone = [replace(item, after="") for item in items]
    known = _filled(pipeline, items, lambda item: tokens(pipeline, item))
    figures = {
        "items": len(items),
        "known_length": _right(items, known),
        "known_length_suffix_swapped": _right(
            items, _filled(pipeline, swapped, lambda item: tokens(pipeline, item))
        ),
        "known_length_no_suffix": _right(
            items, _filled(pipeline, alone, lambda item: tokens(pipeline, item))
        ),
    }
    found = _filled(pipeline, items, lambda item: None)
    errors = [
        abs(best.tokens[0] - tokens(pipeline, item))
        for item, best in zip(items, found, strict=True)
        if best is not None
    ]
    naive = _filled(pipeline, items[: max(1, len(items) // 4)], lambda item: NAIVE)
    return figures | {
        "unknown_length": _right(items, found),
        "length_error_median": statistics.median(errors) if errors else None,
        "length_error_mean": round(statistics.mean(errors), 2) if errors else None,
        "no_result": percent(best is None for best in found),
        "empty": percent(best is not None and not best.texts[0].strip() for best in found),
        "fallback": percent(best is not None and best.is_fallback for best in found),
        "bad_seams": percent(
            bad_seam(pipeline, item, best) for item, best in zip(items, found, strict=True) if best
        ),
        f"bad_seams_{NAIVE}_tokens": percent(
            bad_seam(pipeline, item, best) for item, best in zip(items, naive, strict=False) if best
        ),
    }


def wide_gaps(pipeline: Pipeline, items: Sequence[Item]) -> dict[str, Any]:
    """How far the length is off where a gap is several words that nothing decides."""
    rng = Random(SEED + 10)
    wide = [widened(item, rng) for item in items]
    found = _filled(pipeline, wide, lambda item: None)
    errors = [
        best.tokens[0] - tokens(pipeline, item)
        for item, best in zip(wide, found, strict=True)
        if best is not None
    ]
    return {
        "items": len(items),
        "right_length_mean": round(statistics.mean(tokens(pipeline, item) for item in wide), 2),
        "length_error_median": statistics.median(map(abs, errors)),
        "length_error_signed_mean": round(statistics.mean(errors), 2),
    }


def missing_sentences(pipeline: Pipeline, count: int) -> dict[str, Any]:
    """Sentences deleted from held-out stories: what is put there, and of what length."""
    items = sentence_items(count)
    found = _filled(pipeline, items, lambda item: None)
    pairs = [
        (best, tokens(pipeline, item), item)
        for item, best in zip(items, found, strict=True)
        if best is not None
    ]
    errors = [best.tokens[0] - right for best, right, _ in pairs]
    shares = [abs(error) / right for error, (_, right, _) in zip(errors, pairs, strict=True)]
    return {
        "items": count,
        "no_result": percent(best is None for best in found),
        "length_error_median": statistics.median(map(abs, errors)),
        "length_error_median_share": round(statistics.median(shares), 2),
        "length_error_signed_mean": round(statistics.mean(errors), 2),
        "ends_as_a_sentence": percent(is_finished(best.texts[0]) for best, _, _ in pairs),
        "bad_seams": percent(bad_seam(pipeline, item, best) for best, _, item in pairs),
    }


def ranges(pipeline: Pipeline, count: int) -> dict[str, Any]:
    """The lengths that the editor offers: whether they are kept to, and what comes out."""
    items = sentence_items(count)
    figures: dict[str, Any] = {"items": count}
    for name, lengths in RANGES.items():
        sizes = []
        for seed, item in enumerate(items):
            at = len(item.before)
            request = EditRequest(
                text=item.before + item.after,
                spans=(Span(start=at, end=at, lengths=lengths),),
                kind=EditKind.INFILL,
                seed=seed,
            )
            sizes += [best.tokens[0] for best in propose(pipeline, request)[0][:1]]
        figures[name] = {
            "asked": list(lengths),
            "tokens_median": statistics.median(sizes) if sizes else None,
            "kept_to": percent(lengths[0] <= size <= lengths[1] for size in sizes),
            "no_result": round(100 * (1 - len(sizes) / count), 1),
        }
    return figures


def _filled(
    pipeline: Pipeline, items: Sequence[Item], length: Callable[[Item], int | None]
) -> list[Proposal | None]:
    made = (
        propose(pipeline, item.request(length(item), seed))[0] for seed, item in enumerate(items)
    )
    return [found[0] if found else None for found in made]


def _right(items: Sequence[Item], found: Sequence[Proposal | None]) -> dict[str, float]:
    kinds = sorted({item.kind for item in items})
    right = [
        best is not None and best.texts[0] == item.right
        for item, best in zip(items, found, strict=True)
    ]
    return {"right": percent(right)} | {
        kind: percent(value for item, value in zip(items, right, strict=True) if item.kind == kind)
        for kind in kinds
    }
