"""The figures of editing that are about selections: rewriting, proofreading, what is protected."""

from __future__ import annotations

import re
import statistics
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

from engine.messages import EditKind, EditRequest, Span, Strength
from engine.pipeline import Pipeline
from tests.benchmarks.demo_model import obeyed, percent
from tests.benchmarks.edit_items import (
    SEED,
    gap_items,
    heldout,
    propose,
    rewriting,
    words_changed,
)

NAME_OR_NUMBER = re.compile(r"\b[A-Z]\w+\b|\b\d+\b")


def whole(text: str, instruction: str, seed: int, **options: Any) -> EditRequest:
    """The request to rewrite all of a text."""
    return EditRequest(
        text=text,
        spans=(Span(start=0, end=len(text)),),
        kind=EditKind.REWRITE,
        instruction=instruction,
        seed=seed,
        alternatives=3,
        **options,
    )


def rewrites(pipeline: Pipeline, count: int) -> dict[str, Any]:
    seen = heldout.training_runs(SEED + 1, 2_000)
    rng = Random(SEED + 3)
    results: dict[str, list[bool]] = {}
    empty, samples = [], []
    for seed, change in enumerate(islice(heldout.rewrites(Random(SEED + 4), seen), count)):
        asked = rewriting.choose(rng, "held", rewriting.ASKED[change.rule])
        text = change.before
        found, _ = propose(pipeline, whole(text, asked, seed))
        new = found[0].texts[0] if found else ""
        results.setdefault(change.rule, []).append(bool(found) and obeyed(change, new))
        empty.append(bool(found) and not new.strip())
        samples.append(f"{asked}: {text!r} -> {new!r}")
    return {
        "items": count,
        "obeyed": percent(value for values in results.values() for value in values),
        **{rule: percent(values) for rule, values in sorted(results.items())},
        "empty": percent(empty),
        "samples": samples[:10],
    }


def proofreading(pipeline: Pipeline, count: int) -> dict[str, Any]:
    """Typos put into held-out sentences: how many are put right, and how many right words spoilt."""
    rng = Random(SEED + 5)
    fixed, spoilt, whole = [], [], []
    for seed in range(count):
        after = rng.choice(rewriting.sentence(rng, "held"))
        before = rewriting.misspell(rng, after)
        request = EditRequest(
            text=before, spans=(Span(start=0, end=len(before)),), kind=EditKind.PROOFREAD, seed=seed
        )
        found, _ = propose(pipeline, request)
        new = found[0].texts[0] if found else before
        whole.append(new == after)
        triples = list(zip(before.split(" "), after.split(" "), new.split(" "), strict=False))
        fixed += [made == right for was, right, made in triples if was != right]
        spoilt += [made != right for was, right, made in triples if was == right]
    return {
        "items": count,
        "typos_fixed": percent(fixed),
        "right_words_spoilt": percent(spoilt),
        "texts_right": percent(whole),
    }


def strengths(pipeline: Pipeline, count: int) -> dict[str, Any]:
    """The share of words that each strength of a rewrite changes."""
    seen = heldout.training_runs(SEED + 1, 2_000)
    rng = Random(SEED + 11)
    changed: dict[str, list[float]] = {each.value: [] for each in Strength}
    for seed, change in enumerate(islice(heldout.rewrites(Random(SEED + 12), seen), count)):
        text, asked = change.before, rewriting.choose(rng, "held", rewriting.ASKED[change.rule])
        for strength in Strength:
            request = replace(whole(text, asked, seed), strength=strength)
            found, _ = propose(pipeline, request)
            changed[strength.value].append(
                words_changed(text, found[0].texts[0] if found else text)
            )
    return {"items": count} | {
        name: round(statistics.mean(shares), 3) for name, shares in changed.items()
    }


def protected(pipeline: Pipeline, count: int) -> dict[str, Any]:
    """Names and numbers in protected ranges: in how many proposals all are kept."""
    seen = heldout.training_runs(SEED + 1, 2_000)
    rng = Random(SEED + 6)
    kept, none = [], 0
    for seed, change in enumerate(islice(heldout.rewrites(Random(SEED + 7), seen), count)):
        number = rng.randrange(10, 10_000)
        text = f"{change.before} Call {number}."
        asked = rewriting.choose(rng, "held", rewriting.ASKED[change.rule])
        ranges = tuple(found.span() for found in NAME_OR_NUMBER.finditer(text, 1))[:3]
        found, _ = propose(pipeline, whole(text, asked, seed, protected=ranges))
        none += not found
        kept += [all(text[a:b] in each.texts[0] for a, b in ranges) for each in found]
    in_gaps, gaps_none = _protected_in_gaps(pipeline, count)
    return {
        "rewrites": count,
        "kept": percent(kept),
        "proposals": len(kept),
        "none": none,
        "gaps_kept": percent(in_gaps),
        "gaps_none": gaps_none,
    }


def _protected_in_gaps(pipeline: Pipeline, count: int) -> tuple[list[bool], int]:
    """The same for a sentence that is filled anew around its names and numbers."""
    rng, kept, none = Random(SEED + 13), [], 0
    for seed, item in enumerate(gap_items(count)):
        number = str(rng.randrange(10, 10_000))
        middle = f" She has {number} boats."
        text = item.before + item.right + item.after + middle + " The end."
        start = text.index(middle) + 1
        at = text.index(number, start)
        request = EditRequest(
            text=text,
            spans=(Span(start=start, end=start + len(middle) - 1),),
            kind=EditKind.INFILL,
            seed=seed,
            protected=((at, at + len(number)),),
        )
        found, _ = propose(pipeline, request)
        none += not found
        kept += [number in each.texts[0] for each in found]
    return kept, none
