"""Attention of a prompt's next positions over the cached prefix and themselves, each seeing backwards.

A program has some positions with all query heads of a key/value head, and walks over the tiles of keys
that one of them sees: from the window of its first position on, up to its last position. Tiles before
and behind are never read, so a long prompt costs half of all pairs on a full layer, and a window's width
on a sliding one. Splits and memory are those of `attention`; so is the scale of 1.0.
Shape letters: T positions, K key/value heads, G query heads of each, d head size, S splits.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.attention import (
    AttentionBuffers,
    AttentionTile,
    attention_buffers,
    default_tile,
    fold,
    join_splits,
    most_splits,
    query_rows,
)
from engine.kernels.kv import LayerCache, plain
from engine.kernels.portable import cdiv, constant, jit, tl

# Below every score and finite: a row may see nothing of a tile that others of its program need.
_LOWEST = constant(-1e30)


def attend_causal(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    cache: LayerCache,
    span: Tensor,
    window: int | None,
    *,
    splits: int | None = None,
    tile: AttentionTile | None = None,
) -> Tensor:
    """Mixed values [T, K G, d] where a query sees itself and back as far as the window reaches.

    queries [T, K G, d]; keys, values [T, K, d], those of the same positions; all contiguous and of one
    dtype, d a power of two. span: int32 [2], the places of the cache in front of them, begin <= end.
    window: counts the query itself; None means no limit. Without `splits`, a few where T is short.
    """
    tokens, heads, size = queries.shape
    kv_heads, places = cache.keys.shape[:2]
    for tensor in (queries, keys, values, *cache.parts):
        assert tensor.is_contiguous()
    assert keys.shape == values.shape == (tokens, kv_heads, size)
    out, tile = torch.empty_like(queries), tile or default_tile(queries)
    group = heads // kv_heads
    programs = cdiv(tokens * group, tile.rows) * kv_heads
    splits = splits or _default_splits(queries, programs)
    buffers: AttentionBuffers = attention_buffers(queries[None], kv_heads, splits=splits, tile=tile)
    _attend_causal[(programs // kv_heads, kv_heads, splits)](
        queries, keys, values, cache.keys, cache.values, cache.key_scale, cache.value_scale, span,
        buffers.mixed, buffers.peaks, buffers.totals, tokens, places, window or 0,
        SLIDING=window is not None, HEADS=kv_heads, GROUP=group, SIZE=size,
        BLOCK_M=tile.rows, BLOCK_N=tile.keys, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    join_splits(buffers, out[None], kv_heads)
    return out


def attend_causal_plain(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    cache: LayerCache,
    begin: int,
    end: int,
    window: int | None,
) -> Tensor:
    """The reference of `attend_causal` in the dtype of its inputs, [T, K G, d]."""
    group = queries.shape[1] // keys.shape[1]
    old_keys, old_values = (x.to(queries.dtype).transpose(0, 1) for x in plain(cache, begin, end))
    all_keys = torch.cat((old_keys, keys)).repeat_interleave(group, dim=1)
    all_values = torch.cat((old_values, values)).repeat_interleave(group, dim=1)
    new, prefix = len(queries), end - begin
    place = torch.arange(prefix + new, device=queries.device) - prefix
    position = torch.arange(new, device=queries.device)[:, None]
    is_seen = place <= position
    if window is not None:
        is_seen &= place > position - window
    scores = torch.einsum("qhd,khd->hqk", queries, all_keys)
    weights = scores.masked_fill(~is_seen, -torch.inf).softmax(dim=-1)
    return torch.einsum("hqk,khd->qhd", weights, all_values)


def _default_splits(like: Tensor, programs: int) -> int:
    """One where the positions fill the GPU by themselves; more would only cost memory."""
    if like.device.type != "cuda":
        return 1
    processors = torch.cuda.get_device_properties(like.device).multi_processor_count
    return max(1, min(most_splits(like), processors // programs))


@jit
def _attend_causal(
    queries, keys, values, cached_keys, cached_values, key_scale, value_scale, span,
    mixed, peaks, totals, tokens, places, window,
    SLIDING: tl.constexpr, HEADS: tl.constexpr, GROUP: tl.constexpr, SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    # The programs with the most keys begin first: those that are left at the end are short.
    block_row = tl.num_programs(0) - 1 - tl.program_id(0)
    head, split, splits = tl.program_id(1), tl.program_id(2), tl.num_programs(2)
    row = block_row * BLOCK_M + tl.arange(0, BLOCK_M)
    position = (row // GROUP)[:, None]
    inner, column = tl.arange(0, SIZE), tl.arange(0, BLOCK_N)
    is_row = row < tokens * GROUP
    at = query_rows(row, 0, head, tokens, HEADS, GROUP)
    q = tl.load(queries + at[:, None] * SIZE + inner[None, :], mask=is_row[:, None], other=0)

    # The new position t is at the place t, the prefix in front of it at places below zero.
    begin, end = tl.load(span), tl.load(span + 1)
    low, high = 0, tl.minimum((block_row * BLOCK_M + BLOCK_M - 1) // GROUP + 1, tokens)
    if SLIDING:
        reach = block_row * BLOCK_M // GROUP - window + 1
        begin = tl.maximum(begin, tl.minimum(end, end + reach))
        low = tl.maximum(reach, 0)
    prefix_blocks = tl.cdiv(end - begin, BLOCK_N)
    blocks = prefix_blocks + tl.cdiv(high - low, BLOCK_N)
    share = tl.cdiv(blocks, splits)
    first, last = split * share, tl.minimum(split * share + share, blocks)

    acc = tl.zeros((BLOCK_M, SIZE), tl.float32)
    peak = tl.full((BLOCK_M,), _LOWEST, tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    for block in range(first, tl.minimum(last, prefix_blocks)):
        place = begin + block * BLOCK_N + column
        is_key = place < end
        is_seen = is_key[None, :]
        if SLIDING:
            is_seen = is_seen & ((place - end)[None, :] > position - window)
        acc, peak, total = fold(
            q, cached_keys, cached_values, key_scale, value_scale,
            head.to(tl.int64) * places + place, inner, SIZE, is_key, is_seen, acc, peak, total,
        )  # fmt: skip
    for block in range(tl.maximum(first, prefix_blocks), last):
        place = low + (block - prefix_blocks) * BLOCK_N + column
        is_key = place < high
        is_seen = is_key[None, :] & (place[None, :] <= position)
        if SLIDING:
            is_seen = is_seen & (place[None, :] > position - window)
        acc, peak, total = fold(
            q, keys, values, None, None, place * HEADS + head, inner, SIZE, is_key, is_seen,
            acc, peak, total,
        )  # fmt: skip

    to = (split * tl.num_programs(1) + head) * tokens * GROUP + row
    tl.store(mixed + to.to(tl.int64)[:, None] * SIZE + inner[None, :], acc, mask=is_row[:, None])
    tl.store(peaks + to, peak, mask=is_row)
    tl.store(totals + to, total, mask=is_row)
