"""Words that an answer must keep, pinned where the answer itself wants to have them.

After a few free steps the decoder has an idea of the whole text. Each protected word is pinned where
it is likeliest then, and the rest is denoised around it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.denoise import FREE, Constraints, Start
from engine.editing.job import Cell, Job
from engine.messages import RequestEvent

FREE_STEPS = 4
ROOM = 8  # positions behind the end that the free steps found, where a word may still land


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """How a batch of answers goes on: ids or FREE, int64 [B, C], and what they begin with."""

    pins: Tensor
    start: Start | None


def landings(chances: Tensor, sizes: Sequence[int], end: int) -> list[int] | None:
    """Where words of so many tokens begin, each at its likeliest place that is still free.

    chances: float32 [C, sum of sizes], the log-probability of each token of each word in turn at
    each position. None where they do not fit in front of `end`.
    """
    columns = chances.split(list(sizes), dim=1)
    scores = []
    for column, size in zip(columns, sizes, strict=True):
        starts = max(0, end - size + 1)
        shifted = [column[place : place + starts, place] for place in range(size)]
        scores.append(torch.stack(shifted).mean(dim=0) if starts else torch.empty(0))
    found = [-1] * len(sizes)
    taken = torch.zeros(chances.shape[0], dtype=torch.bool)
    best = [float(score.max()) if len(score) else -torch.inf for score in scores]
    for word in sorted(range(len(sizes)), key=lambda each: -best[each]):
        size = sizes[word]
        for place in scores[word].argsort(descending=True).tolist():
            if not bool(taken[place : place + size].any()):
                taken[place : place + size] = True
                found[word] = place
                break
        else:
            return None
    return found


def settle_words(
    job: Job,
    prompt: Sequence[int],
    words: Sequence[Sequence[int]],
    rows: int,
    constraints: Constraints,
    stop_ids: frozenset[int],
    seed: int,
    cells: Sequence[Cell],
) -> Generator[RequestEvent, None, Pinned]:
    """A few free steps of `rows` answers, then the place of each word (its ids) in each of them."""
    length, device = job.loaded.model.config.canvas_length, job.loaded.model.device
    pins = torch.full((rows, length), FREE)
    watch = torch.tensor([token for word in words for token in word], device=device)
    result = yield from job.denoise(
        prompt,
        pins,
        replace(constraints, watch=watch.expand(length, -1)),
        job.sampling(FREE_STEPS),
        seed=seed,
        cells=cells,
    )
    assert result.watched is not None
    sizes = [len(word) for word in words]
    for row, ids in enumerate(result.argmax.tolist()):
        end = next((place for place, token in enumerate(ids) if token in stop_ids), length)
        end = min(length - 1, max(end, sum(sizes)) + ROOM)
        places = landings(result.watched[row].cpu(), sizes, end)
        for place, word in zip(places or [], words, strict=False):
            pins[row, place : place + len(word)] = torch.tensor(word)
    return Pinned(pins=pins, start=Start(ids=result.argmax, soft=result.soft))
