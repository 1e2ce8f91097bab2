"""How well a filled document reads, by the causal encoder and the decoder's doubt.

A document is as likely as all of it. But where a gap takes several tokens and nothing decides how
many, there are so many more long texts than short ones that the likeliest is always a short one;
there a gap counts by its mean, and is measured by what it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from engine.editing.job import Job
from engine.editing.layout import Layout
from engine.messages import Check, CheckKind, Span

PENALTY = 2.0  # nats for each thing a check found and that does not rule a candidate out
UNFINISHED = 8.0  # nats for a sentence without an end
BEHIND = 12  # tokens behind an open gap that tell how well it leads there

Doubts = Mapping[int, Tensor]  # gap -> entropy in nats of each of its tokens at the first look


def is_open(span: Span) -> bool:
    """Whether a gap is known to take several tokens, but not how many."""
    return span.length_hint is None and span.lengths is not None and span.lengths[0] > 1


def fit(job: Job, layout: Layout, ids: Tensor, doubts: Doubts) -> float:
    """How well those gaps of a canvas (int64 [C]) that `doubts` has are filled, in nats.

    The cache holds the prompt.
    """
    slots, weight = layout.slots, job.switches.doubt
    first, last = min(doubts), max(doubts) + 1
    scores = _scores(job, layout, ids, last)
    total = 0.0
    for place in range(first, last):
        end = slots[place + 1].start if place + 1 < last else len(scores)
        inside, behind = scores[slots[place]], scores[slots[place].stop : end]
        if is_open(layout.window.gaps[place].span):
            total += float(inside.mean() + behind[:BEHIND].sum() - weight * doubts[place].mean())
        else:
            total += float(inside.sum() + behind.sum() - weight * doubts[place].sum())
    return total


def document_score(job: Job, layout: Layout, ids: Tensor) -> float:
    """Log-probability in nats of a canvas (int64 [C]) from its first gap to the end of turn.

    The cache holds the prompt.
    """
    return float(_scores(job, layout, ids, len(layout.slots))[layout.slots[0].start :].sum())


def penalty(checks: tuple[Check, ...]) -> float:
    """What the findings of a candidate cost, in nats."""
    grave = (CheckKind.LOST, CheckKind.BRACKETS)
    return PENALTY * sum(check.kind in grave and not check.repaired for check in checks)


def _scores(job: Job, layout: Layout, ids: Tensor, last: int) -> Tensor:
    """Log-probabilities of the tokens up to gap `last`, or to the end of turn if there is none."""
    end = layout.slots[last].start if last < len(layout.slots) else layout.length + 1
    return job.loaded.model.score(ids[:end], job.loaded.cache)
