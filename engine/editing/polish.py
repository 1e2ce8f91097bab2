"""Seam repair: what a gap says although it stands beside it already is cut, a gap that ends in the
middle of something gets more room, and the canvas is denoised for a few more steps from where it was.
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

NEW = -1  # in place of the old position that a canvas position goes on from


@dataclass(frozen=True, kw_only=True)
class Resized:
    """What becomes of each gap: canvas positions [start, end) that are kept, and new ones behind."""

    kept: tuple[slice, ...]
    added: tuple[int, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        sizes = (slot.stop - slot.start for slot in self.kept)
        return tuple(size + more for size, more in zip(sizes, self.added, strict=True))


def shorter(
    tokenizer: Tokenizer, layout: Layout, ids: Sequence[int], checks: Sequence[Check]
) -> Resized | None:
    """Which tokens to keep so that no gap repeats what is beside it; None where that is all or
    nothing."""
    kept = list(layout.slots)
    for place, gap in enumerate(layout.window.gaps):
        for check in checks:
            if check.span == gap.index:
                kept[place] = _without(tokenizer, ids, kept[place], check)
    if kept == list(layout.slots) or any(slot.stop <= slot.start for slot in kept):
        return None
    return Resized(kept=tuple(kept), added=(0,) * len(kept))


def longer(layout: Layout, unfinished: Sequence[int], most: Sequence[int]) -> Resized | None:
    """More room, about a third, for the gaps that are `unfinished`; None where there is none left.

    most: tokens that each gap may have.
    """
    added = [0] * len(layout.lengths)
    for place in unfinished:
        size = layout.lengths[place]
        added[place] = max(0, min(most[place] - size, max(2, size // 3)))
    return Resized(kept=layout.slots, added=tuple(added)) if any(added) else None


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
    changes: Mapping[int, Resized],
    seed: int,
    label: int,
) -> Generator[RequestEvent, None, dict[int, tuple[Layout, Tensor]]]:
    """Denoises the resized canvases of some rows on; their new layouts and ids by row."""
    resized = {
        row: replace(layouts[row], lengths=change.lengths) for row, change in changes.items()
    }
    capacity = job.loaded.model.config.canvas_length - 1
    rows = [
        row
        for row, layout in resized.items()
        if layout.length <= capacity
        and all(rules.can_hold(gap, length) for gap, length in enumerate(layout.lengths))
    ]
    if not rows or result.soft is None:
        return {}
    shown = [resized[row] for row in rows]
    pins = stack(job.loaded.tokenizer, job.loaded.model.config, shown)
    old_width = result.argmax.shape[-1]
    sources = torch.tensor(
        [_sources(layouts[row], changes[row], pins.shape[-1], old_width) for row in rows]
    )
    start = _start(job, result, rows, sources.to(result.argmax.device), seed)
    coldest = job.loaded.model.sampling.t_min
    is_growing = any(any(changes[row].added) for row in rows)
    steps = job.switches.grow_steps if is_growing else job.switches.polish_steps
    again = yield from job.denoise(
        prompt,
        pins,
        replace(constraints_for(job, rules, shown, pins), start=start),
        job.sampling(steps, t_max=coldest),
        seed=seed,
        cells=cells(job.parts, shown, [label + row for row in rows]),
    )
    return {
        row: (layout, again.argmax[place])
        for place, (row, layout) in enumerate(zip(rows, shown, strict=True))
    }


def _start(job: Job, result: StepResult, rows: Sequence[int], sources: Tensor, seed: int) -> Start:
    """The old canvases at new positions; new ones are noise of which nothing was said before."""
    assert result.soft is not None
    row = torch.tensor(rows, device=sources.device)[:, None]
    source, is_new = sources.clamp(min=0), sources == NEW
    stream = torch.Generator().manual_seed(seed)
    noise = torch.randint(job.loaded.model.config.vocab_size, sources.shape, generator=stream)
    return Start(
        ids=torch.where(is_new, noise.to(sources.device), result.argmax[row, source]),
        soft=result.soft[row, source].masked_fill(is_new[..., None], 0.0),
    )


def _sources(layout: Layout, change: Resized, width: int, old_width: int) -> list[int]:
    """For each position of the resized canvas the one of the old canvas it goes on from."""
    found: list[int] = []
    at = 0
    for slot, kept, more in zip(layout.slots, change.kept, change.added, strict=True):
        found += [*range(at, slot.start), *range(kept.start, kept.stop), *[NEW] * more]
        at = slot.stop
    found += range(at, old_width)
    return (found + [old_width - 1] * width)[:width]
