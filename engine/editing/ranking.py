"""How well a filled document reads, by the causal encoder.

The words behind a gap are the same for every candidate, so their likelihood has no favourite
length; that of the gap itself is counted with them, because a document is as likely as all of it.
"""

from __future__ import annotations

from torch import Tensor

from engine.editing.job import Job
from engine.editing.layout import Layout
from engine.messages import Check, CheckKind

PENALTY = 2.0  # nats for each thing a check found and that does not rule a candidate out


def document_score(job: Job, layout: Layout, ids: Tensor, first: int, last: int) -> float:
    """Log-probability in nats of a canvas (int64 [C]) from gap `first` up to gap `last`.

    Up to the end of turn where there is no gap `last`. The cache holds the prompt.
    """
    slots = layout.slots
    end = slots[last].start if last < len(slots) else layout.length + 1
    scores = job.loaded.model.score(ids[:end], job.loaded.cache)
    return float(scores[slots[first].start :].sum())


def penalty(checks: tuple[Check, ...]) -> float:
    """What the findings of a candidate cost, in nats."""
    grave = (CheckKind.LOST, CheckKind.BRACKETS)
    return PENALTY * sum(check.kind in grave and not check.repaired for check in checks)
