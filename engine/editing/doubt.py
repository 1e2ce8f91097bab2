"""Which words of a text the model would hardly have written there, after one look at all of it."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch

from engine.denoise import FREE, Start
from engine.editing.job import Job
from engine.editing.layout import fitting_width
from engine.editing.length import base_constraints
from engine.messages import RequestEvent, Span

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A stretch of the selection that fits on one canvas, and where it begins in the document."""

    text: str
    start: int

    def words(self) -> list[Span]:
        """Its words, as ranges of the stretch."""
        return [Span(start=found.start(), end=found.end()) for found in _WORD.finditer(self.text)]


def word_chances(
    job: Job, prompt: Sequence[int], passage: Passage
) -> Generator[RequestEvent, None, dict[Span, float]]:
    """The log-probability of each word in nats, with the whole passage on the canvas."""
    tokenizer, config = job.loaded.tokenizer, job.loaded.model.config
    ids = tokenizer.encode(passage.text)
    width = fitting_width(config, len(ids))
    special = tokenizer.special
    behind = [special.turn_end, *[special.pad] * (width - len(ids) - 1)]
    whole = torch.tensor([[*ids, *behind]], device=job.loaded.model.device)
    pins = torch.tensor([[*[FREE] * len(ids), *behind]])
    result = yield from job.denoise(
        prompt,
        pins,
        replace(base_constraints(job), start=Start(ids=whole, soft=None), watch=whole[0][:, None]),
        job.sampling(1, t_min=1.0, t_max=1.0),
        seed=job.run.seed,
    )
    assert result.watched is not None
    chances: list[float] = result.watched[0, :, 0].tolist()
    ends, at = [], 0
    for piece in tokenizer.pieces(ids):
        at += len(piece)
        ends.append(at)
    return {word: _chance(word, ends, chances) for word in passage.words()}


def is_protected(job: Job, passage: Passage, word: Span) -> bool:
    start, end = passage.start + word.start, passage.start + word.end
    return any(start < last and end > first for first, last in job.request.protected)


def _chance(word: Span, ends: Sequence[int], chances: Sequence[float]) -> float:
    """The log-probability of all tokens that hold some of the word; `ends` is where tokens end."""
    starts = [0, *ends]
    return sum(
        chance
        for start, end, chance in zip(starts, ends, chances, strict=False)
        if start < word.end and end > word.start
    )
