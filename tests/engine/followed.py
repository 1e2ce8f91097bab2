"""Two models in the same denoising loop, and how often they find the same words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from engine.fused_step import FusedStep
from engine.model.cache import KVCache
from engine.model.network import Model


class Followed(Model):
    """A model that takes another one along: the same inputs, and its argmax compared."""

    def __init__(self, leader: Model, follower: Model) -> None:
        super().__init__(leader.config, leader.sampling, leader.weights)
        self.follower = follower
        self.agreements: list[float] = []

    def decode(self, canvas: Tensor, cache: KVCache, soft: Tensor | None) -> Tensor:
        hidden = super().decode(canvas, cache, soft)
        theirs = self.follower.new_cache(cache.length)
        self.follower.prefill(torch.tensor(cache.ids), theirs)
        other = self.follower.decode(canvas, theirs, soft)
        same = self.logits(hidden).argmax(-1) == self.follower.logits(other).argmax(-1)
        self.agreements.append(float(same.float().mean()))
        return hidden


@contextmanager
def followed_steps(plain: Model) -> Iterator[list[float]]:
    """Every fused step inside is made by `plain` as well; how often they find the same words.

    Both start from the same prefix, canvas and self-conditioning.
    """
    agreements: list[float] = []
    work = FusedStep.work

    def followed(step: FusedStep, settled: Tensor | None = None) -> None:
        state = step._state
        ids, soft = state.ids.clone(), None if state.soft is None else state.soft.clone()
        prefix = [*step._cache.ids, *([] if settled is None else settled.tolist())]
        cache = plain.new_cache(len(prefix))
        plain.prefill(torch.tensor(prefix), cache)
        wanted = plain.logits(plain.decode(ids, cache, soft)).argmax(-1)
        work(step, settled)
        agreements.append(float((state.argmax == wanted).float().mean()))

    with patch.object(FusedStep, "work", followed):
        yield agreements
