"""Two models in the same denoising loop, and how often they find the same words."""

from __future__ import annotations

import torch
from torch import Tensor

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
