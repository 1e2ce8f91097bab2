"""Attention over a cached prefix and the canvas itself, against float64 and the network's own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from engine.kernels.attention import AttentionTile, attend, attend_plain, attention_buffers
from engine.kernels.kv import LayerCache, empty_cache, plain, quantise, store
from engine.model.attention import attend as network_attend

SMALL = AttentionTile(rows=16, keys=16, warps=4, stages=1)
LARGE = AttentionTile(rows=64, keys=256, warps=4, stages=1)
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Case:
    queries: Tensor  # [B, C, K G, d]
    keys: Tensor  # [B, C, K, d]
    values: Tensor
    cache: LayerCache

    def run(self, begin: int, end: int, *, tile: AttentionTile = SMALL, splits: int = 2) -> Tensor:
        """From memory full of NaN, so that nothing unwritten goes unnoticed."""
        buffers = attention_buffers(self.queries, self.keys.shape[2], splits=splits, tile=tile)
        for tensor in (buffers.mixed, buffers.peaks, buffers.totals):
            tensor.fill_(torch.nan)
        out = torch.full_like(self.queries, torch.nan)
        span = torch.tensor([begin, end], dtype=torch.int32)
        attend(self.queries, self.keys, self.values, self.cache, span, buffers, out)
        return out

    def exact(self, begin: int, end: int) -> Tensor:
        cache = self.cache
        if cache.key_scale is None:
            cache = replace(cache, keys=cache.keys.double(), values=cache.values.double())
        return attend_plain(
            self.queries.double(), self.keys.double(), self.values.double(), cache, begin, end
        )


def make_case(
    *,
    batch: int = 1,
    canvas: int = 5,
    kv_heads: int = 2,
    group: int = 4,
    size: int = 16,
    places: int = 64,
    dtype: torch.dtype = torch.float32,
    cached: torch.dtype | None = None,
) -> Case:
    generator = torch.Generator().manual_seed(0)

    def normed(*shape: int) -> Tensor:
        x = torch.randn(*shape, generator=generator)
        return (x / x.square().mean(dim=-1, keepdim=True).sqrt()).to(dtype)

    cache = empty_cache(kv_heads, places, size, cached or dtype, CPU)
    for kept, scale in ((cache.keys, cache.key_scale), (cache.values, cache.value_scale)):
        x = normed(kv_heads, places, size)
        if scale is None:
            kept.copy_(x)
        else:
            for part, source in zip((kept, scale), quantise(x), strict=True):
                part.copy_(source)
    return Case(
        queries=normed(batch, canvas, kv_heads * group, size),
        keys=normed(batch, canvas, kv_heads, size),
        values=normed(batch, canvas, kv_heads, size),
        cache=cache,
    )


@pytest.mark.parametrize("prefix", [0, 1, 1023, 1024, 1025])
@pytest.mark.parametrize("cached", [torch.float32, torch.int8])
def test_prefixes_around_the_window(prefix: int, cached: torch.dtype) -> None:
    case = make_case(canvas=7, places=1100, cached=cached)
    out = case.run(40, 40 + prefix, tile=LARGE, splits=3)
    torch.testing.assert_close(out.double(), case.exact(40, 40 + prefix), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("batch", "canvas", "kv_heads", "group", "size"),
    [
        (1, 1, 1, 1, 16),
        (3, 7, 1, 8, 32),
        (1, 255, 1, 2, 16),
        (1, 5, 2, 2, 256),
        (1, 2, 1, 8, 512),
    ],
)
@pytest.mark.parametrize("splits", [1, 4])
def test_canvases_and_heads(batch, canvas, kv_heads, group, size, splits) -> None:
    case = make_case(batch=batch, canvas=canvas, kv_heads=kv_heads, group=group, size=size)
    out = case.run(0, 60, tile=LARGE if canvas > 9 else SMALL, splits=splits)
    # Scores up to 100 have errors of 1e-5, and so have the weights of values up to 4.
    torch.testing.assert_close(out.double(), case.exact(0, 60), rtol=0, atol=1e-4)


def test_more_splits_than_keys() -> None:
    case = make_case(canvas=3)
    out = case.run(10, 12, splits=8)
    torch.testing.assert_close(out.double(), case.exact(10, 12), rtol=0, atol=1e-5)


def test_only_the_span_is_seen() -> None:
    case = make_case()
    before = case.run(16, 40)
    for places in (slice(0, 16), slice(40, 64)):
        case.cache.keys[:, places] = torch.nan
        case.cache.values[:, places] = torch.nan
    assert torch.equal(case.run(16, 40), before)


def test_scores_far_apart() -> None:
    """Softmax over scores from -6,000 to 6,000: one key takes all, and nothing overflows."""
    case = make_case(size=64)
    case = replace(case, queries=case.queries * 100)
    out = case.run(0, 64)
    torch.testing.assert_close(out.double(), case.exact(0, 64), rtol=0, atol=5e-3)
    assert out.isfinite().all()


def test_a_canvas_of_nan_leaves_the_others_of_a_batch_alone() -> None:
    case = make_case(batch=2)
    whole = case.run(0, 64)
    case.queries[0], case.keys[0] = torch.nan, torch.nan
    assert torch.equal(case.run(0, 64)[1], whole[1])


def test_it_is_what_the_network_computes() -> None:
    case = make_case(batch=1, canvas=6, kv_heads=2, group=4, size=32)
    keys, values = (
        torch.cat((old[:, 9:50], own[0].transpose(0, 1)), dim=1)
        for old, own in ((case.cache.keys, case.keys), (case.cache.values, case.values))
    )
    expected = network_attend(case.queries[0], keys, values).view(6, 8, 32)
    torch.testing.assert_close(case.run(9, 50)[0], expected, rtol=0, atol=1e-5)


def test_bfloat16() -> None:
    case = make_case(canvas=7, size=32, dtype=torch.bfloat16)
    out, want = case.run(0, 64).double(), case.exact(0, 64)
    # Weights and the result are rounded to 8 bits, which the interpreter cuts off.
    values = case.exact(0, 64).abs().max() + case.values.abs().max()
    assert (out - want).abs().max() < 2**-7 * values


def test_an_int8_cache_of_bfloat16_keys() -> None:
    case = make_case(canvas=7, size=32, dtype=torch.bfloat16, cached=torch.int8)
    out, want = case.run(0, 64).double(), case.exact(0, 64)
    values = want.abs().max() + case.values.abs().max()
    assert (out - want).abs().max() < 2**-7 * values


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_codes_of_eight_bits_are_those_of_the_reference(dtype: torch.dtype) -> None:
    x = torch.randn(9, 3, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    x[4, 1] = 0
    cache = empty_cache(3, 20, 64, torch.int8, CPU)
    store(cache, x, -2 * x, torch.tensor(6))
    codes, scale = quantise(x.transpose(0, 1))
    assert torch.equal(cache.keys[:, 6:15], codes)
    assert torch.equal(cache.values[:, 6:15], -codes)
    assert cache.key_scale is not None
    torch.testing.assert_close(cache.key_scale[:, 6:15], scale, rtol=1e-6, atol=0)
    keys, values = plain(cache, 6, 15)
    half_step = scale[..., None] * (0.5 + 1e-5)
    assert ((keys - x.transpose(0, 1).float()).abs() <= half_step).all()
    assert ((values + 2 * x.transpose(0, 1).float()).abs() <= 2 * half_step).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8])
def test_storing_touches_no_other_place_and_stops_at_the_end(dtype: torch.dtype) -> None:
    cache = empty_cache(2, 10, 16, dtype, CPU)
    for tensor in (cache.keys, cache.values):
        tensor.fill_(7)
    fresh = torch.ones(6, 2, 16)
    store(cache, fresh, fresh, torch.tensor(7))
    assert (cache.keys[:, :7] == 7).all()
    assert (cache.keys[:, 7:] == (1 if dtype == torch.float32 else 127)).all()
    assert (cache.values[:, :7] == 7).all()


def test_eight_bits_keep_the_direction_of_what_is_mixed() -> None:
    """Cosine to the same attention over the exact cache, for vectors as they leave the norms."""
    exact = make_case(canvas=8, size=256, places=200)
    coarse = make_case(canvas=8, size=256, places=200, cached=torch.int8)
    queries = 0.1 * exact.queries
    a, b = (replace(case, queries=queries).exact(0, 200) for case in (exact, coarse))
    cosine = torch.cosine_similarity(a, b, dim=-1)
    assert cosine.min() > 0.999
