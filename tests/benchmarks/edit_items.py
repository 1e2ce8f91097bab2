"""Items to measure editing on, and how one edit is asked for. See `editing.py`, `editing_gate.py`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import torch

from engine.editing.edit import edit
from engine.editing.seams import seam_checks
from engine.editing.switches import Switches
from engine.messages import (
    CheckKind,
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Finished,
    Proposal,
    Span,
)
from engine.pipeline import Pipeline

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging" / "demo_model"))

import corpus
import heldout
import rewriting

__all__ = ["corpus", "heldout", "rewriting"]  # the demo model's own texts, for other benchmarks

SEED = 20_260_921
WORSE = 4.0  # nats a token: so much less likely than the right text makes a seam bad


@dataclass(frozen=True)
class Item:
    """A document with one gap, and what stood there."""

    before: str
    right: str
    after: str
    kind: str

    def request(self, length: int | None, seed: int, **options: Any) -> EditRequest:
        span = Span(start=len(self.before), end=len(self.before), length_hint=length)
        return EditRequest(
            text=self.before + self.after,
            spans=(span,),
            kind=EditKind.INFILL,
            seed=seed,
            **options,
        )


def gap_items(count: int) -> list[Item]:
    seen = heldout.training_runs(SEED + 1, 20_000)
    return [
        Item(
            document.text[: gap[0]],
            document.text[gap[0] : gap[1]],
            document.text[gap[1] :],
            document.kind,
        )
        for document, gap in islice(heldout.gap_items(Random(SEED), seen), count)
    ]


def widened(item: Item, rng: Random) -> Item:
    """The item with up to two more words on each side of its gap deleted, one at least.

    Nothing decides these words, only their number is of interest.
    """
    left, right = item.before.rstrip(), item.after
    took_left, took_right = rng.randrange(3), rng.randrange(1, 3)
    starts = [0, *(found.end() for found in re.finditer(r"\s+", left))]
    start = starts[-took_left] if 0 < took_left <= len(starts) else len(item.before)
    ends = [found.start() for found in re.finditer(r"\s+", right.lstrip())]
    lead = len(right) - len(right.lstrip())
    end = lead + ends[took_right - 1] if took_right <= len(ends) else 0
    middle = item.before[start:] + item.right + right[:end]
    return Item(item.before[:start], middle, right[end:], item.kind)


def others(items: Sequence[Item]) -> list[Item]:
    """For each item another one of its kind with another answer."""
    found = []
    for place, item in enumerate(items):
        rest = [*items[place + 1 :], *items[:place]]
        found.append(
            next(o for o in rest if o.kind == item.kind and o.right not in (item.right, item.after))
        )
    return found


def sentence_items(count: int) -> list[Item]:
    """Held-out stories with a sentence deleted that has sentences on both sides."""
    rng = Random(SEED + 14)
    found: list[Item] = []
    while len(found) < count:
        text = corpus.conversation(rng, "held").answer
        ends = [each.end() for each in re.finditer(r"[.!?]\s+", text)]
        if len(ends) < 3 or len(text) > 500:
            continue
        place = rng.randrange(len(ends) - 1)
        start, right = ends[place], text[ends[place] : ends[place + 1]].rstrip()
        found.append(Item(text[:start], right, text[start + len(right) :], "sentence"))
    return found


def words_changed(old: str, new: str) -> float:
    """The share of words, of both texts together, that the other text does not have there."""
    return 1 - SequenceMatcher(None, old.split(), new.split(), autojunk=False).ratio()


def propose(
    pipeline: Pipeline, request: EditRequest, switches: Switches | None = None
) -> tuple[list[Proposal], Finished | None]:
    """The proposals; none and no end where nothing passed its checks."""
    found: list[Proposal] = []
    last: Finished | None = None
    try:
        for event in edit(pipeline.loaded, 1, request, lambda: False, switches):
            if isinstance(event, Proposal):
                found.append(event)
            elif isinstance(event, Finished):
                last = event
    except EngineFault as fault:
        if fault.error.kind is not ErrorKind.NO_RESULT:
            raise
    return found, last


def tokens(pipeline: Pipeline, item: Item) -> int:
    """How many tokens the right text has on the canvas."""
    blank = " " if item.before.endswith(" ") else ""
    return len(pipeline.loaded.tokenizer.encode(blank + item.right))


def bad_seam(pipeline: Pipeline, item: Item, best: Proposal) -> bool:
    """Whether a reader would stumble: a planted kind of fault, or text behind the gap that the
    encoder finds much less likely behind this text than behind the right one."""
    new = best.texts[0]
    if any(
        check.kind in (CheckKind.REPEATS_AFTER, CheckKind.CUT_WORD, CheckKind.CUT_NUMBER)
        for check in seam_checks(item.before, new, item.after, 0)
    ):
        return True
    return _behind(pipeline, item, new) < _behind(pipeline, item, item.right) - WORSE


def _behind(pipeline: Pipeline, item: Item, new: str) -> float:
    """Mean log-probability of the first tokens behind the gap."""
    loaded = pipeline.loaded
    first = loaded.tokenizer.encode(item.before + new)
    after = loaded.tokenizer.encode(item.after)[:3]
    loaded.cache.cut(0)
    loaded.model.prefill(torch.tensor([loaded.tokenizer.special.bos, *first]), loaded.cache)
    return float(loaded.model.score(torch.tensor(after), loaded.cache).mean())
