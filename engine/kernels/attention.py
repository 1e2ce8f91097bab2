"""Attention of canvases over one cached prefix and themselves, everything seeing everything.

The G query heads that share a key/value head are one long side of the product, C · G rows. The prefix is
read where it lies in the cache, from the place `span[0]` to `span[1]`, both read on the device: the
whole prefix on a full layer, its last `sliding_window - 1` tokens on a sliding one, the same for each
query. Keys are split over several programs, whose results a second kernel weighs by their sums
(log-sum-exp). Attention scale is 1.0.
Shape letters: B canvases, C positions, K key/value heads, G query heads of each, d head size, S splits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.kv import LayerCache, plain
from engine.kernels.portable import as_float, capability, cdiv, constant, dot, jit, tl
from engine.sizes import MAX_SPLITS, SPLIT_BYTES

_JOIN_ROWS = 8
_LOG2E = constant(1.4426950408889634)


@dataclass(frozen=True, kw_only=True)
class AttentionTile:
    """How the kernel cuts its work: rows of queries, keys at a time."""

    rows: int
    keys: int
    warps: int
    stages: int


@dataclass(frozen=True, kw_only=True, eq=False)
class AttentionBuffers:
    """What the programs of `attend` leave for the join; of use for one call."""

    tile: AttentionTile
    mixed: Tensor  # float32 [S, B K, C G, d]
    peaks: Tensor  # float32 [S, B K, C G], the largest score of a row, times log2 e
    totals: Tensor  # float32 [S, B K, C G], Σ 2^(score - peak)


def default_tile(queries: Tensor) -> AttentionTile:
    """What fits into the registers and the shared memory of the chip. No timing chose it yet."""
    wide = queries.shape[-1] > 256
    if 90 <= capability(queries) < 110:  # 227 KB a multiprocessor, on others 99
        return AttentionTile(rows=64 if wide else 128, keys=32 if wide else 64, warps=8, stages=2)
    return AttentionTile(rows=32 if wide else 64, keys=32, warps=8, stages=2)


def attention_buffers(
    queries: Tensor,
    kv_heads: int,
    *,
    splits: int | None = None,
    tile: AttentionTile | None = None,
) -> AttentionBuffers:
    """Memory for queries [B, C, K G, d]; without `splits`, as many as fill the GPU well."""
    batch, canvas, heads, size = queries.shape
    tile = tile or default_tile(queries)
    rows = canvas * heads // kv_heads
    splits = splits or _default_splits(queries, cdiv(rows, tile.rows) * batch * kv_heads)
    shape, device = (splits, batch * kv_heads, rows), queries.device
    return AttentionBuffers(
        tile=tile,
        mixed=torch.empty(*shape, size, device=device),
        peaks=torch.empty(shape, device=device),
        totals=torch.empty(shape, device=device),
    )


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    cache: LayerCache,
    span: Tensor,
    buffers: AttentionBuffers,
    out: Tensor,
) -> None:
    """Mixed values of every query, to `out` [B, C, K G, d].

    queries [B, C, K G, d]; keys, values [B, C, K, d], the canvas' own; all contiguous and of one dtype,
    d a power of two. span: int32 [2], the places of the cache that are seen, begin <= end.
    """
    batch, canvas, heads, size = queries.shape
    kv_heads, places = cache.keys.shape[:2]
    for tensor in (queries, keys, values, cache.keys, cache.values, out):
        assert tensor.is_contiguous()
    assert keys.shape == values.shape == (batch, canvas, kv_heads, size)
    group, tile = heads // kv_heads, buffers.tile
    rows, splits = canvas * group, buffers.peaks.shape[0]
    _attend[(cdiv(rows, tile.rows), batch * kv_heads, splits)](
        queries,
        keys,
        values,
        cache.keys,
        cache.values,
        cache.key_scale,
        cache.value_scale,
        span,
        buffers.mixed,
        buffers.peaks,
        buffers.totals,
        canvas,
        places,
        HEADS=kv_heads,
        GROUP=group,
        SIZE=size,
        BLOCK_M=tile.rows,
        BLOCK_N=tile.keys,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    join_splits(buffers, out, kv_heads)


def join_splits(buffers: AttentionBuffers, out: Tensor, kv_heads: int) -> None:
    """What the splits have mixed, to `out` [B, C, K G, d]."""
    batch, canvas, heads, size = out.shape
    splits, _, rows = buffers.peaks.shape
    _join_splits[(cdiv(rows, _JOIN_ROWS), batch * kv_heads)](
        buffers.mixed, buffers.peaks, buffers.totals, out, canvas, splits,
        HEADS=kv_heads, GROUP=heads // kv_heads, SIZE=size, BLOCK_M=_JOIN_ROWS, num_warps=4,
    )  # fmt: skip


def attend_plain(
    queries: Tensor, keys: Tensor, values: Tensor, cache: LayerCache, begin: int, end: int
) -> Tensor:
    """The reference of `attend` in the dtype of its inputs, [B, C, K G, d]."""
    group = queries.shape[2] // keys.shape[2]
    old_keys, old_values = (
        x.to(queries.dtype).transpose(0, 1).expand(queries.shape[0], -1, -1, -1)
        for x in plain(cache, begin, end)
    )
    all_keys = torch.cat((old_keys, keys), dim=1).repeat_interleave(group, dim=2)
    all_values = torch.cat((old_values, values), dim=1).repeat_interleave(group, dim=2)
    weights = torch.einsum("bqhd,bkhd->bhqk", queries, all_keys).softmax(dim=-1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, all_values)


def _default_splits(like: Tensor, programs: int) -> int:
    """Few splits, but so many that the last wave of programs leaves little of the GPU idle.

    like: the queries.
    """
    if like.device.type != "cuda":
        return 2
    processors = torch.cuda.get_device_properties(like.device).multi_processor_count

    def cost(splits: int) -> float:
        return cdiv(programs * splits, processors) / splits + 0.03 * splits

    return min(range(1, most_splits(like) + 1), key=cost)


def most_splits(queries: Tensor) -> int:
    """As many as the memory plan counts with."""
    return max(1, min(MAX_SPLITS, SPLIT_BYTES // (4 * queries.numel())))


@jit
def fold(
    q, keys, values, key_scale, value_scale, at, inner, stride, is_key, is_seen, acc, peak, total
):  # fmt: skip
    """One tile of keys, at the rows `at` of memory, joins the running softmax.

    is_key: [N], where there is one; is_seen: [M, N] or [1, N], where a query may look.
    """
    # Keys lie across, [d, N].
    k = tl.load(keys + at[None, :] * stride + inner[:, None], mask=is_key[None, :], other=0)
    scores = dot(q, as_float(k, q.dtype), tl.zeros((q.shape[0], at.shape[0]), tl.float32)) * _LOG2E
    if key_scale is not None:
        scores *= tl.load(key_scale + at, mask=is_key, other=0)[None, :]
    scores = tl.where(is_seen, scores, float("-inf"))
    new_peak = tl.maximum(peak, tl.max(scores, axis=1))
    shrink = tl.exp2(peak - new_peak)
    weights = tl.exp2(scores - new_peak[:, None])
    total = total * shrink + tl.sum(weights, axis=1)
    if value_scale is not None:
        weights *= tl.load(value_scale + at, mask=is_key, other=0)[None, :]
    v = tl.load(values + at[:, None] * stride + inner[None, :], mask=is_key[:, None], other=0)
    acc = dot(weights.to(q.dtype), as_float(v, q.dtype), acc * shrink[:, None])
    return acc, new_peak, total


@jit
def _attend(
    queries,
    keys,
    values,
    cached_keys,
    cached_values,
    key_scale,
    value_scale,
    span,
    mixed,
    peaks,
    totals,
    canvas,
    places,
    HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    lane, split, splits = tl.program_id(1), tl.program_id(2), tl.num_programs(2)
    batch, head = lane // HEADS, lane % HEADS
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    inner, column = tl.arange(0, SIZE), tl.arange(0, BLOCK_N)
    is_row = row < canvas * GROUP
    at = query_rows(row, batch, head, canvas, HEADS, GROUP)
    q = tl.load(queries + at[:, None] * SIZE + inner[None, :], mask=is_row[:, None], other=0)

    begin, end = tl.load(span), tl.load(span + 1)
    prefix_blocks = tl.cdiv(end - begin, BLOCK_N)
    blocks = prefix_blocks + tl.cdiv(canvas, BLOCK_N)
    share = tl.cdiv(blocks, splits)
    first, last = split * share, tl.minimum(split * share + share, blocks)

    acc = tl.zeros((BLOCK_M, SIZE), tl.float32)
    peak = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    for block in range(first, tl.minimum(last, prefix_blocks)):
        place = begin + block * BLOCK_N + column
        is_key = place < end
        acc, peak, total = fold(
            q, cached_keys, cached_values, key_scale, value_scale,
            head.to(tl.int64) * places + place, inner, SIZE, is_key, is_key[None, :],
            acc, peak, total,
        )  # fmt: skip
    for block in range(tl.maximum(first, prefix_blocks), last):
        place = (block - prefix_blocks) * BLOCK_N + column
        is_key = place < canvas
        acc, peak, total = fold(
            q, keys, values, None, None, (batch * canvas + place) * HEADS + head, inner, SIZE,
            is_key, is_key[None, :], acc, peak, total,
        )  # fmt: skip

    to = (split * tl.num_programs(1) + lane) * canvas * GROUP + row
    tl.store(mixed + to.to(tl.int64)[:, None] * SIZE + inner[None, :], acc, mask=is_row[:, None])
    tl.store(peaks + to, peak, mask=is_row)
    tl.store(totals + to, total, mask=is_row)


@jit
def _join_splits(
    mixed,
    peaks,
    totals,
    out,
    canvas,
    splits,
    HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    lane = tl.program_id(1)
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    inner, is_row = tl.arange(0, SIZE), row < canvas * GROUP
    acc = tl.zeros((BLOCK_M, SIZE), tl.float32)
    peak = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    for split in range(splits):
        at = (split * tl.num_programs(1) + lane) * canvas * GROUP + row
        part_peak = tl.load(peaks + at, mask=is_row, other=0)
        new_peak = tl.maximum(peak, part_peak)
        # The first split is never empty, so new_peak is a number.
        shrink, weight = tl.exp2(peak - new_peak), tl.exp2(part_peak - new_peak)
        part = tl.load(
            mixed + at.to(tl.int64)[:, None] * SIZE + inner[None, :],
            mask=is_row[:, None],
            other=0,
        )
        acc = acc * shrink[:, None] + part * weight[:, None]
        total = total * shrink + tl.load(totals + at, mask=is_row, other=1) * weight
        peak = new_peak
    at = query_rows(row, lane // HEADS, lane % HEADS, canvas, HEADS, GROUP)
    result = (acc / total[:, None]).to(out.dtype.element_ty)
    tl.store(out + at[:, None] * SIZE + inner[None, :], result, mask=is_row[:, None])


@jit
def query_rows(row, batch, head, canvas, HEADS: tl.constexpr, GROUP: tl.constexpr):
    """Where the queries of a key/value head lie in [B, C, K G]; the G of a position come together."""
    position, member = row // GROUP, row % GROUP
    return ((batch * canvas + position) * HEADS + head) * GROUP + member
