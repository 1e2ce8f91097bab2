"""Editing in place, on held-out items, through the engine as the app asks it.

    python -m tests.benchmarks.editing [--gaps 300] [--rewrites 100] [--fuzz 10000] [--model DIR]

Gaps come from `packaging/demo_model/heldout.py`: each is decided by the text behind it. Writes
`tests/benchmarks/results/editing.json`. Times are CPU seconds of one thread, medians.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any

import torch

from engine.messages import (
    ChatRequest,
    EditKind,
    EditRequest,
    Finished,
    LoadRequest,
    Proposal,
    Role,
    Span,
    Turn,
)
from engine.pipeline import Pipeline, load_pipeline
from tests.benchmarks.demo_model import obeyed, percent
from tests.benchmarks.edit_items import (
    SEED,
    Item,
    bad_seam,
    corpus,
    gap_items,
    heldout,
    others,
    propose,
    rewriting,
    tokens,
    widened,
)
from tests.benchmarks.edit_text import outside, planted
from tests.benchmarks.record import record

NAIVE = 24  # tokens of a gap whose length nobody looked for


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


def rewrites(pipeline: Pipeline, count: int) -> dict[str, Any]:
    seen = heldout.training_runs(SEED + 1, 2_000)
    rng = Random(SEED + 3)
    results: dict[str, list[bool]] = {}
    empty, samples = [], []
    for seed, change in enumerate(islice(heldout.rewrites(Random(SEED + 4), seen), count)):
        asked = rewriting.choose(rng, "held", rewriting.ASKED[change.rule])
        text = change.before
        request = EditRequest(
            text=text,
            spans=(Span(start=0, end=len(text)),),
            kind=EditKind.REWRITE,
            instruction=asked,
            seed=seed,
            alternatives=3,
        )
        found, _ = propose(pipeline, request)
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


def protected(pipeline: Pipeline, count: int) -> dict[str, Any]:
    """Names and numbers in protected ranges: in how many proposals they are kept."""
    seen = heldout.training_runs(SEED + 1, 2_000)
    rng = Random(SEED + 6)
    kept, without = [], 0
    for seed, change in enumerate(islice(heldout.rewrites(Random(SEED + 7), seen), count)):
        text = change.before
        words = [word for word in text.replace(",", " ").split() if word[0].isupper()][1:2]
        ranges = tuple((text.index(word), text.index(word) + len(word)) for word in words)
        request = EditRequest(
            text=text,
            spans=(Span(start=0, end=len(text)),),
            kind=EditKind.REWRITE,
            instruction=rewriting.choose(rng, "held", rewriting.ASKED[change.rule]),
            seed=seed,
            alternatives=3,
            protected=ranges,
        )
        found, _ = propose(pipeline, request)
        without += not found
        kept += [all(w in each.texts[0] for w in words) for each in found]
    return {"requests": count, "kept": percent(kept), "proposals": len(kept), "none": without}


def long_stories(count: int) -> list[str]:
    """Questions whose right answers take more than a canvas."""
    rng = Random(SEED + 9)
    found: list[str] = []
    while len(found) < count:
        talk = corpus.conversation(rng, "held")
        if talk.kind == "long story" and len(talk.turns) == 1:
            found.append(talk.turns[0][1])
    return found


def cost(pipeline: Pipeline, repeats: int) -> dict[str, Any]:
    """A 40-token infill with three candidates against one answer that fills its canvas."""
    stories = long_stories(repeats)
    length = pipeline.loaded.model.config.canvas_length
    text = "Mara has a red boat. She took the red boat to the bridge. " * 6
    middle = pipeline.loaded.tokenizer.decode(pipeline.loaded.tokenizer.encode(text)[30:70])
    start = text.index(middle)
    before, after = text[:start], text[start + len(middle) :][:120]

    def infill(seed: int) -> int:
        span = Span(start=len(before), end=len(before), lengths=(20, 60))
        request = EditRequest(
            text=before + after,
            spans=(span,),
            kind=EditKind.INFILL,
            seed=seed,
            alternatives=3,
        )
        _, last = propose(pipeline, request)
        return last.usage.denoising_steps if last else -1

    def answer(seed: int) -> int:
        request = ChatRequest(
            turns=(Turn.of(Role.USER, stories[seed]),), seed=seed, max_new_tokens=length
        )
        last = list(pipeline.run(1, request, lambda: False))[-1]
        assert isinstance(last, Finished)
        return last.usage.denoising_steps

    times: dict[str, list[float]] = {"infill": [], "answer": []}
    passes: dict[str, list[int]] = {"infill": [], "answer": []}
    for seed in range(repeats):
        for name, work in (("infill", infill), ("answer", answer)):
            began = time.thread_time()
            passes[name].append(work(seed))
            times[name].append(time.thread_time() - began)
    medians = {name: statistics.median(each) for name, each in times.items()}
    return {
        "repeats": repeats,
        "infill_seconds": round(medians["infill"], 3),
        "answer_seconds": round(medians["answer"], 3),
        "ratio": round(medians["infill"] / medians["answer"], 2),
        "infill_passes": statistics.median(passes["infill"]),
        "answer_passes": statistics.median(passes["answer"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--gaps", type=int, default=300)
    parser.add_argument("--rewrites", type=int, default=100)
    parser.add_argument("--fuzz", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--name", default="editing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    request = LoadRequest(model=options.model, device="cpu")
    pipeline = load_pipeline(request, lambda what, done, total: None, lambda: False)
    items = gap_items(options.gaps)
    figures = {
        "gaps": gaps(pipeline, items),
        "wide_gaps": wide_gaps(pipeline, items[: max(2, options.gaps // 4)]),
        "planted_seams_found": planted(1000),
        "rewriting": rewrites(pipeline, options.rewrites),
        "proofreading": proofreading(pipeline, options.rewrites),
        "protected": protected(pipeline, options.rewrites // 2),
        "outside": outside(pipeline, options.fuzz),
        "cost": cost(pipeline, options.repeats),
    }
    record(options.name, figures)


if __name__ == "__main__":
    main()
