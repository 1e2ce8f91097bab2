"""A gap that may hold one of a few given texts: nothing is written, only weighed."""

from __future__ import annotations

import torch

from engine.denoise import FREE
from engine.editing.infill import Filled, Surroundings
from engine.editing.job import Job
from engine.editing.layout import Layout
from engine.editing.ranking import document_score
from engine.editing.seams import seam_checks
from engine.editing.window import Window, refused


def choose(job: Job, window: Window, here: Surroundings) -> list[Filled]:
    """The choices of the window's only gap, the likeliest document first."""
    (gap,) = window.gaps
    tokenizer = job.loaded.tokenizer
    capacity = job.loaded.model.config.canvas_length - 1 - window.pinned
    found: list[Filled] = []
    for number, choice in enumerate(dict.fromkeys(gap.span.choices)):
        ids = tokenizer.encode(gap.head + choice.removesuffix(gap.lent) + gap.tail)
        if len(ids) > capacity:
            raise refused("A choice for this gap takes more than a canvas.")
        layout = Layout(window=window, lengths=(len(ids),))
        canvas = torch.tensor(layout.pins(tokenizer, layout.length + 1))
        canvas[canvas == FREE] = torch.tensor(ids, dtype=torch.int64)
        found.append(
            Filled(
                candidate=number,
                texts=(choice,),
                score=document_score(job, layout, canvas),
                checks=tuple(
                    seam_checks(here.before, choice, here.after, gap.index, here.original)
                ),
                tokens=(len(ids),),
            )
        )
    return sorted(found, key=lambda each: -each.score)
