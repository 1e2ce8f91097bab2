"""Seam repair: what a gap says although it stands beside it already is cut, and the rest denoised
for a few more steps from where it was.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.denoise import Start, StepResult
from engine.editing.job import Job, cells
from engine.editing.layout import Layout, Rules, stack
from engine.editing.length import constraints_for
from engine.messages import Check, CheckKind, RequestEvent
from engine.text.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Canvas positions [start, end) of each gap that are kept."""

    kept: tuple[slice, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        return tuple(slot.stop - slot.start for slot in self.kept)


def shorter(
    tokenizer: Tokenizer, layout: Layout, ids: Sequence[int], checks: Sequence[Check]
) -> Cut | None:
    """Which tokens to keep so that no gap repeats what is beside it; None where that is all or
    nothing."""
    kept = list(layout.slots)
    for place, gap in enumerate(layout.window.gaps):
        for check in checks:
            if check.span == gap.index:
                kept[place] = _without(tokenizer, ids, kept[place], check)
    if kept == list(layout.slots) or any(slot.stop <= slot.start for slot in kept):
        return None
    return Cut(kept=tuple(kept))


def _without(tokenizer: Tokenizer, ids: Sequence[int], slot: slice, check: Check) -> slice:
    """The slot without the tokens that spell the repetition."""
    wanted = len("".join(check.text.split()))
    if check.kind is CheckKind.REPEATS_AFTER:
        places = range(slot.stop - 1, slot.start - 1, -1)
    elif check.kind is CheckKind.REPEATS_BEFORE:
        places = range(slot.start, slot.stop)
    else:
        return slot
    for place in places:
        if wanted <= 0:
            break
        wanted -= len("".join(tokenizer.decode([ids[place]]).split()))
        behind = check.kind is CheckKind.REPEATS_AFTER
        slot = slice(slot.start, place) if behind else slice(place + 1, slot.stop)
    return slot


def polish(
    job: Job,
    prompt: Sequence[int],
    rules: Rules,
    layouts: Sequence[Layout],
    result: StepResult,
    cuts: Mapping[int, Cut],
    seed: int,
    label: int,
) -> Generator[RequestEvent, None, dict[int, tuple[Layout, Tensor]]]:
    """Denoises the shortened canvases of some rows on; their new layouts and ids by row."""
    rows = [
        row
        for row, cut in cuts.items()
        if all(rules.can_hold(gap, length) for gap, length in enumerate(cut.lengths))
    ]
    if not rows or result.soft is None:
        return {}
    shortened = [replace(layouts[row], lengths=cuts[row].lengths) for row in rows]
    pins = stack(job.loaded.tokenizer, job.loaded.model.config, shortened)
    sources = [
        _sources(layouts[row], cuts[row], pins.shape[-1], result.argmax.shape[-1]) for row in rows
    ]
    start = Start(
        ids=torch.stack(
            [result.argmax[row, source] for row, source in zip(rows, sources, strict=True)]
        ),
        soft=torch.stack(
            [result.soft[row, source] for row, source in zip(rows, sources, strict=True)]
        ),
    )
    coldest = job.loaded.model.sampling.t_min
    again = yield from job.denoise(
        prompt,
        pins,
        replace(constraints_for(job, rules, shortened, pins), start=start),
        job.sampling(job.switches.polish_steps, t_max=coldest),
        seed=seed,
        cells=cells(job.parts, shortened, [label + row for row in rows]),
    )
    return {
        row: (layout, again.argmax[place])
        for place, (row, layout) in enumerate(zip(rows, shortened, strict=True))
    }


def _sources(layout: Layout, cut: Cut, width: int, old_width: int) -> list[int]:
    """For each position of the shortened canvas the one of the old canvas it goes on from."""
    found: list[int] = []
    at = 0
    for slot, kept in zip(layout.slots, cut.kept, strict=True):
        found += [*range(at, slot.start), *range(kept.start, kept.stop)]
        at = slot.stop
    found += range(at, old_width)
    return (found + [old_width - 1] * width)[:width]
