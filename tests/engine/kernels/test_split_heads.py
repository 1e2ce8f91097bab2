"""Queries, keys and values against the network's own projection."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.config import LayerConfig
from engine.kernels.heads import split_heads, split_heads_plain
from engine.model.attention import project, rotation
from tests.engine.kernels.layer import EPS, Sizes, random_layer

SIZES = Sizes(hidden=64, dense=64, experts=1, width=64, top_k=1)


@pytest.mark.parametrize(("is_sliding", "size", "kv_heads"), [(True, 32, 2), (False, 48, 1)])
@pytest.mark.parametrize("rows", [1, 7])
def test_they_are_the_networks(is_sliding: bool, size: int, kv_heads: int, rows: int) -> None:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    kind = LayerConfig(
        is_sliding=is_sliding, head_dim=size, num_kv_heads=kv_heads,
        rope_theta=1e4, rotated_dims=size if is_sliding else size // 4,
    )  # fmt: skip
    weights = replace(
        random_layer(SIZES), config=kind, q_norm=draw(size), k_norm=draw(size), o=draw(64, 4 * size),
        qkv=draw((4 + (2 if is_sliding else 1) * kv_heads) * size, 64),
    )  # fmt: skip
    x, turn = draw(2, rows, 64), rotation(kind, torch.arange(1000, 1000 + rows), torch.float32)
    joined = (x @ weights.qkv.T).flatten(0, 1)
    given = (joined, weights.q_norm, weights.k_norm, turn.cos[:, 0], turn.sin[:, 0], kv_heads, EPS)
    wanted = project(weights, x, turn, EPS)
    for split in (split_heads, split_heads_plain):
        found = split(*given, values_are_keys=not is_sliding)
        for own, theirs in zip((found.queries, found.keys, found.values), wanted, strict=True):
            torch.testing.assert_close(own, theirs.flatten(0, 1), rtol=1e-4, atol=1e-5)
