"""From the joint product to queries, keys and values: their norms, and the turning by position.

Shape letters: R rows (canvases times positions), T positions, H query heads, K key/value heads, d head
size. One program is one head of one row. Float32 between load and store.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.portable import check_order, jit, power_of_two, tl


@dataclass(frozen=True, kw_only=True, eq=False)
class Heads:
    queries: Tensor  # [R, H, d]
    keys: Tensor  # [R, K, d]
    values: Tensor  # [R, K, d]

    def __len__(self) -> int:
        return len(self.queries)

    def rows(self, begin: int, end: int) -> Heads:
        return Heads(
            queries=self.queries[begin:end],
            keys=self.keys[begin:end],
            values=self.values[begin:end],
        )


def split_heads(
    joined: Tensor, q_norm: Tensor, k_norm: Tensor, cos: Tensor, sin: Tensor, kv_heads: int,
    eps: float, *, values_are_keys: bool,
) -> Heads:  # fmt: skip
    """Queries and keys normed with their weights [d] and turned, values normed without a weight.

    joined: [R, (H + 2K) d], or [R, (H + K) d] where values are made of what becomes keys.
    cos, sin: [T, d] of the positions; row r is at position r mod T. They depend on the length of the
    prefix alone, so that they are made once for a canvas.
    """
    check_order(joined, q_norm, k_norm, cos, sin)
    size = q_norm.shape[0]
    rows, columns = joined.shape
    heads = columns // size - (1 if values_are_keys else 2) * kv_heads
    out = Heads(
        queries=joined.new_empty((rows, heads, size)),
        keys=joined.new_empty((rows, kv_heads, size)),
        values=joined.new_empty((rows, kv_heads, size)),
    )
    _split_heads[(rows, heads + 2 * kv_heads)](
        joined, q_norm, k_norm, cos, sin, out.queries, out.keys, out.values,
        cos.shape[0], columns, heads, kv_heads, size, eps,
        SHARED=values_are_keys, HALF=power_of_two(size // 2), num_warps=1,
    )  # fmt: skip
    return out


def split_heads_plain(
    joined: Tensor, q_norm: Tensor, k_norm: Tensor, cos: Tensor, sin: Tensor, kv_heads: int,
    eps: float, *, values_are_keys: bool,
) -> Heads:  # fmt: skip
    """`split_heads` in plain torch."""
    size = q_norm.shape[0]
    heads = joined.float().unflatten(1, (-1, size))
    count = heads.shape[1] - (1 if values_are_keys else 2) * kv_heads
    queries, keys = heads[:, :count], heads[:, count : count + kv_heads]
    values = keys if values_are_keys else heads[:, count + kv_heads :]
    repeats = joined.shape[0] // cos.shape[0]
    turn = [table.float().repeat(repeats, 1)[:, None] for table in (cos, sin)]
    return Heads(
        queries=_turned(F.rms_norm(queries, (size,), q_norm.float(), eps), *turn).to(joined.dtype),
        keys=_turned(F.rms_norm(keys, (size,), k_norm.float(), eps), *turn).to(joined.dtype),
        values=F.rms_norm(values, (size,), None, eps).to(joined.dtype),
    )


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


@jit
def _split_heads(
    joined, q_norm, k_norm, cos, sin, queries, keys, values, T, columns, H, K, d, eps,
    SHARED: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    head = tl.program_id(1)
    half = d // 2
    lane = tl.arange(0, HALF)
    there = lane < half
    place = head
    if SHARED:
        place = tl.where(head < H + K, head, head - K)
    source = joined + row * columns + place * d
    first = tl.load(source + lane, mask=there, other=0.0).to(tl.float32)
    second = tl.load(source + half + lane, mask=there, other=0.0).to(tl.float32)
    mean = tl.sum(first * first + second * second, axis=0) / d
    scale = 1.0 / tl.sqrt(mean + eps)
    first *= scale
    second *= scale
    if head < H + K:
        weight = q_norm
        out = queries + (row * H + head) * d
        if head >= H:
            weight = k_norm
            out = keys + (row * K + head - H) * d
        first *= tl.load(weight + lane, mask=there, other=0.0).to(tl.float32)
        second *= tl.load(weight + half + lane, mask=there, other=0.0).to(tl.float32)
        turn = (row % T) * d + lane
        cos_first = tl.load(cos + turn, mask=there, other=0.0).to(tl.float32)
        sin_first = tl.load(sin + turn, mask=there, other=0.0).to(tl.float32)
        cos_second = tl.load(cos + turn + half, mask=there, other=0.0).to(tl.float32)
        sin_second = tl.load(sin + turn + half, mask=there, other=0.0).to(tl.float32)
        turned = first * cos_first - second * sin_first
        second = second * cos_second + first * sin_second
        first = turned
    else:
        out = values + (row * K + head - H - K) * d
    tl.store(out + lane, first.to(queries.dtype.element_ty), mask=there)
    tl.store(out + half + lane, second.to(queries.dtype.element_ty), mask=there)
