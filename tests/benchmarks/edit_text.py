"""The figures of editing that need no network: planted seams, and bytes outside of fuzzed edits."""

from __future__ import annotations

import random
from typing import Any

from engine.editing.seams import seam_checks
from engine.messages import CheckKind, EngineFault
from engine.pipeline import Pipeline
from tests.benchmarks.demo_model import percent
from tests.benchmarks.edit_items import SEED
from tests.engine.editing import fuzz
from tests.engine.editing.test_text_machinery import edit_once


def planted(count: int) -> dict[str, Any]:
    """Faults put into sound documents by hand, and how many of them are found."""
    rng = random.Random(SEED)
    words = ["harbour", "early", "ships", "bring", "apples", "while", "gulls", "seven", "boats"]
    found: dict[str, list[bool]] = {"repetition": [], "cut_word": [], "cut_number": []}
    for _ in range(count):
        new = " ".join(rng.choice(words) for _ in range(rng.randrange(1, 7)))
        after = " ".join(rng.choice(words) for _ in range(10))
        again = " ".join(after.split()[: rng.randrange(1, 4)])
        kinds = {c.kind for c in seam_checks("It is ", f"{new} {again}", f" {after}.", 0)}
        found["repetition"].append(CheckKind.REPEATS_AFTER in kinds)
        kinds = {c.kind for c in seam_checks(f"{new[:-1]}", f"{after}", ".", 0)}
        found["cut_word"].append(CheckKind.CUT_WORD in kinds)
        number = str(rng.randrange(1000, 10_000_000))
        kinds = {c.kind for c in seam_checks("That is ", number[:-1], f"\n\nSo {number} {new}.", 0)}
        found["cut_number"].append(CheckKind.CUT_NUMBER in kinds)
    return {name: percent(values) for name, values in found.items()} | {"each": count}


def outside(pipeline: Pipeline, count: int) -> dict[str, Any]:
    """Fuzzed Unicode edits; one that touched a byte outside would raise."""
    rng = random.Random(SEED + 8)
    tokenizer, config = pipeline.loaded.tokenizer, pipeline.loaded.model.config
    made = violations = 0
    for _ in range(count):
        text = fuzz.document(rng, 30)
        try:
            made += edit_once(rng, tokenizer, config, text, fuzz.spans(rng, text, 3))
        except (AssertionError, EngineFault):
            violations += 1
    return {"edits": count, "applied": made, "violations": violations}
