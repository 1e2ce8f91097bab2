"""Attention at the real sizes on a real chip, in bfloat16, from caches of 16 and of 8 bits.

Numbers of the 26B model: 256 positions, 16 query heads; 8 key/value heads of 256 on sliding layers and 2
of 512 on full ones. The reference runs in float32 on the same rounded inputs, so what differs is the
rounding of weights and results to bfloat16.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.attention import attend, attend_plain, attention_buffers
from engine.kernels.kv import LayerCache, empty_cache, quantise, store
from engine.kernels.portable import why_not
from tests.gpu.chip import GPU, capture, randn

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.skipif(why_not(torch.device("cuda")) is not None, reason="needs Triton"),
]

SLIDING, FULL = (8, 2, 256), (2, 8, 512)  # key/value heads, queries of each, head size


def filled_cache(kind: tuple[int, int, int], places: int, dtype: torch.dtype) -> LayerCache:
    heads, _, size = kind
    cache = empty_cache(heads, places, size, dtype, GPU)
    for seed, start in enumerate(range(0, places, 4096)):
        count = min(4096, places - start)
        keys, values = randn(2, count, heads, size, seed=seed).bfloat16()
        store(cache, keys, values, torch.tensor(start, device=GPU))
    return cache


def canvas_of(kind: tuple[int, int, int], batch: int, length: int) -> tuple[Tensor, ...]:
    """Queries small enough that many keys count."""
    heads, group, size = kind
    queries = (2 * randn(batch, length, heads * group, size, seed=50) / size**0.5).bfloat16()
    keys, values = randn(2, batch, length, heads, size, seed=51).bfloat16()
    return queries, keys, values


def assert_attends(
    own: tuple[Tensor, ...], cache: LayerCache, begin: int, end: int, out: Tensor
) -> None:
    if cache.key_scale is None:
        cache = LayerCache(keys=cache.keys.float(), values=cache.values.float())
    queries, keys, values = (x.float() for x in own)
    exact = attend_plain(queries, keys, values, cache, begin, end)
    # Weights and the result are rounded to 2^-9 each.
    assert (out.float() - exact).norm() < 5e-3 * exact.norm()
    assert torch.cosine_similarity(out.float(), exact, dim=-1).min() > 0.9995


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int8])
@pytest.mark.parametrize(
    ("kind", "batch", "length", "places", "begin", "end"),
    [
        (SLIDING, 1, 256, 3328, 1000, 2023),
        (SLIDING, 3, 137, 3328, 0, 5),
        (FULL, 1, 256, 4352, 0, 4096),
        (FULL, 1, 256, 33_024, 0, 32_768),
        (FULL, 2, 137, 5259, 0, 5003),
        (FULL, 1, 1, 300, 0, 0),
    ],
)
def test_attention(kind, batch, length, places, begin, end, dtype) -> None:
    own, cache = canvas_of(kind, batch, length), filled_cache(kind, places, dtype)
    span = torch.tensor([begin, end], dtype=torch.int32, device=GPU)
    out = torch.full_like(own[0], torch.nan)
    attend(*own, cache, span, attention_buffers(own[0], kind[0]), out)
    assert_attends(own, cache, begin, end, out)


@pytest.mark.parametrize("kind", [SLIDING, FULL])
def test_the_number_of_splits_changes_rounding_only(kind: tuple[int, int, int]) -> None:
    own, cache = canvas_of(kind, 1, 256), filled_cache(kind, 3328, torch.bfloat16)
    span = torch.tensor([0, 3000], dtype=torch.int32, device=GPU)
    for splits in (1, 2, 3, 8):
        out = torch.full_like(own[0], torch.nan)
        attend(*own, cache, span, attention_buffers(own[0], kind[0], splits=splits), out)
        assert_attends(own, cache, 0, 3000, out)


def test_eight_bit_codes_are_those_of_the_reference() -> None:
    x = randn(2048, 8, 256).bfloat16()
    cache = empty_cache(8, 3000, 256, torch.int8, GPU)
    store(cache, x, x, torch.tensor(900, device=GPU))
    codes, scale = quantise(x.transpose(0, 1))
    # Fused or not, the product differs in its last bit: a number between two codes may go either way.
    difference = (cache.keys[:, 900:2948].int() - codes.int()).abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 2e-3
    assert cache.key_scale is not None
    torch.testing.assert_close(cache.key_scale[:, 900:2948], scale, rtol=1e-6, atol=0)
    assert (cache.keys[:, :900] == 0).all()
    assert (cache.keys[:, 2948:] == 0).all()


@pytest.mark.parametrize("kind", [SLIDING, FULL])
def test_a_captured_attention_reads_its_span_anew(kind: tuple[int, int, int]) -> None:
    own, cache = canvas_of(kind, 1, 256), filled_cache(kind, 3328, torch.bfloat16)
    span = torch.tensor([0, 100], dtype=torch.int32, device=GPU)
    out = torch.zeros_like(own[0])
    buffers = attention_buffers(own[0], kind[0])
    graph = capture(lambda: attend(*own, cache, span, buffers, out))
    for begin, end in [(0, 0), (7, 1030), (0, 3072)]:
        span.copy_(torch.tensor([begin, end]))
        graph.replay()
        assert_attends(own, cache, begin, end, out)
