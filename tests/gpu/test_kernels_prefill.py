"""Attention of prompts at the real sizes on a real chip, and a prompt through all fused layers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.attention import AttentionTile, default_tile
from engine.kernels.kv import LayerCache
from engine.kernels.portable import why_not
from engine.kernels.prefill import attend_causal, attend_causal_plain
from engine.load import load_model
from tests.engine.kernels.network import fused
from tests.gpu.chip import GPU, randn
from tests.gpu.test_kernels_attention import FULL, SLIDING, filled_cache

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.skipif(why_not(torch.device("cuda")) is not None, reason="needs Triton"),
]

WINDOW = 1024


def prompt_of(kind: tuple[int, int, int], tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    heads, group, size = kind
    queries = (2 * randn(tokens, heads * group, size, seed=60) / size**0.5).bfloat16()
    keys, values = randn(2, tokens, heads, size, seed=61).bfloat16()
    return queries, keys, values


def assert_causal(kind: tuple[int, int, int], own: tuple[Tensor, ...], cache: LayerCache, begin: int,
                  end: int, splits: int | None = None) -> None:  # fmt: skip
    window = WINDOW if kind == SLIDING else None
    span = torch.tensor([begin, end], dtype=torch.int32, device=GPU)
    tile: AttentionTile = default_tile(own[0])
    out = attend_causal(*own, cache, span, window, splits=splits, tile=tile).float()
    if cache.key_scale is None:
        cache = LayerCache(keys=cache.keys.float(), values=cache.values.float())
    exact = attend_causal_plain(*(x.float() for x in own), cache, begin, end, window)
    assert (out - exact).norm() < 5e-3 * exact.norm()
    assert torch.cosine_similarity(out, exact, dim=-1).min() > 0.9995


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int8])
@pytest.mark.parametrize("kind", [SLIDING, FULL])
@pytest.mark.parametrize(
    ("tokens", "begin", "end"), [(1, 0, 0), (7, 5, 1500), (255, 0, 1023), (1025, 3, 3000), (2048, 0, 2500)]
)  # fmt: skip
def test_prompts(kind, tokens: int, begin: int, end: int, dtype: torch.dtype) -> None:
    assert_causal(kind, prompt_of(kind, tokens), filled_cache(kind, 3328, dtype), begin, end)


@pytest.mark.parametrize("splits", [1, 3, 8])
def test_the_number_of_splits_changes_rounding_only(splits: int) -> None:
    own, cache = prompt_of(FULL, 100), filled_cache(FULL, 3328, torch.bfloat16)
    assert_causal(FULL, own, cache, 0, 3000, splits)


@pytest.mark.parametrize("bits", [16, 8])
def test_a_prompt_leaves_the_keys_of_the_plain_way(bits: int) -> None:
    plain = load_model("demo", device="cuda", dtype="bfloat16", weights="int4")
    ids, read = torch.arange(900) % 700, []
    for model in (plain, fused(plain)):
        cache = model.new_cache(1024, bits)
        model.prefill(ids, cache, chunk=400)
        read.append([torch.cat(cache.read(index)) for index in range(len(plain.config.layers))])
    for one, other in zip(*read, strict=True):
        assert torch.cosine_similarity(one.flatten(), other.flatten(), dim=0) > 0.995
