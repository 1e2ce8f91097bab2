"""Each token's experts and their shares; then all pairs of token and expert in blocks of one expert.

Two kernels, without a word from the host: their tensors have sizes for the worst case, and what is
not used of them is marked. Equal inputs give equal outputs, bit by bit; no atomics.
Shape letters: R tokens, E experts, k experts a token, N = R k pairs (pair n is token n // k, slot
n % k), B blocks at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.portable import cdiv, check_order, constant, jit, power_of_two, tl

_ROWS = 4  # tokens a program routes
_CHUNK = 1024  # pairs that one sorting program looks at together


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Rows of a grouped product in blocks, each of one expert. All on the device."""

    order: Tensor  # int32 [B block]: the pair of each row, N where a block is not full
    experts: Tensor  # int32 [B]: the expert of each block, -1 where there is no block
    block: int  # rows of a block
    pairs: int  # N


def route(scores: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """Experts (int32 [R, k], the best first) and shares (float32 [R, k]) from scores [R, E].

    Shares are the softmax over the chosen, times each expert's scale ([E]); of equal scores the
    first expert wins.
    """
    check_order(scores, per_expert_scale)
    rows, count = scores.shape
    experts = scores.new_empty((rows, top_k), dtype=torch.int32)
    share = scores.new_empty((rows, top_k), dtype=torch.float32)
    _route[(cdiv(rows, _ROWS),)](
        scores, per_expert_scale, experts, share, rows, count,
        TOP_K=top_k, ROWS=_ROWS, EXPERTS=power_of_two(count), SLOTS=power_of_two(top_k),
        num_warps=4,
    )  # fmt: skip
    return experts, share


def route_plain(scores: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """`route` in plain torch."""
    chance = torch.softmax(scores, dim=-1, dtype=torch.float32)
    chosen, experts = chance.sort(dim=-1, descending=True, stable=True)
    chosen, experts = chosen[:, :top_k], experts[:, :top_k]
    share = chosen / chosen.sum(dim=-1, keepdim=True)
    return experts.to(torch.int32), share * per_expert_scale.float()[experts]


def schedule(experts: Tensor, count: int, block: int) -> Schedule:
    """The pairs of `experts` (int32 [R, k]) in blocks of one of `count` experts each.

    Within an expert the pairs keep their order. Experts without pairs have no block.
    """
    check_order(experts)
    pairs = experts.numel()
    blocks = most_blocks(pairs, count, block)
    made = Schedule(
        order=experts.new_empty(blocks * block),
        experts=experts.new_empty(blocks),
        block=block,
        pairs=pairs,
    )
    _schedule[(count,)](
        experts, made.order, made.experts, pairs, blocks,
        BLOCK=block, EXPERTS=max(32, power_of_two(count + 1)), CHUNK=_CHUNK, num_warps=4,
    )  # fmt: skip
    return made


def schedule_plain(experts: Tensor, count: int, block: int) -> Schedule:
    """`schedule` in plain torch; rows of blocks that are not there are N, too."""
    pairs = experts.numel()
    blocks = most_blocks(pairs, count, block)
    order = experts.new_full((blocks * block,), pairs)
    owners = experts.new_full((blocks,), -1)
    at = 0
    for expert in range(count):
        own = (experts.flatten() == expert).nonzero().flatten().to(torch.int32)
        used = cdiv(own.numel(), block)
        order[at * block : at * block + own.numel()] = own
        owners[at : at + used] = expert
        at += used
    return Schedule(order=order, experts=owners, block=block, pairs=pairs)


def whole(rows: int, block: int, device: torch.device) -> Schedule:
    """All rows in order for the only expert: a product that is not grouped."""
    blocks = cdiv(rows, block)
    order = torch.arange(blocks * block, device=device, dtype=torch.int32).clamp(max=rows)
    owners = torch.zeros(blocks, device=device, dtype=torch.int32)
    return Schedule(order=order, experts=owners, block=block, pairs=rows)


def most_blocks(pairs: int, count: int, block: int) -> int:
    """How many blocks there can be: one for each expert with pairs, and what full ones add."""
    busy = min(pairs, count)
    return busy + (pairs - busy) // block


_LOWEST = constant(float("-inf"))


@jit
def _route(
    scores, per_expert_scale, experts, share, R, E,
    TOP_K: tl.constexpr, ROWS: tl.constexpr, EXPERTS: tl.constexpr, SLOTS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    expert = tl.arange(0, EXPERTS)
    slot = tl.arange(0, SLOTS)
    there = (row[:, None] < R) & (expert[None, :] < E)
    left = tl.load(scores + row[:, None] * E + expert[None, :], mask=there, other=0.0)
    left = tl.where(expert[None, :] < E, left.to(tl.float32), _LOWEST)
    chosen = tl.zeros((ROWS, SLOTS), tl.int32)
    best = tl.full((ROWS, SLOTS), _LOWEST, tl.float32)
    for turn in tl.static_range(TOP_K):
        largest = tl.max(left, axis=1)
        # The first of equals; where scores are no numbers, no index beyond the experts.
        first = tl.min(tl.where(left == largest[:, None], expert[None, :], E - 1), axis=1)
        chosen = tl.where(slot[None, :] == turn, first[:, None], chosen)
        best = tl.where(slot[None, :] == turn, largest[:, None], best)
        left = tl.where(expert[None, :] == first[:, None], _LOWEST, left)
    chance = tl.exp(best - tl.max(best, axis=1)[:, None])
    chance /= tl.sum(chance, axis=1)[:, None]
    kept = (row[:, None] < R) & (slot[None, :] < TOP_K)
    scale = tl.load(per_expert_scale + chosen, mask=kept, other=0.0).to(tl.float32)
    out = row[:, None] * TOP_K + slot[None, :]
    tl.store(experts + out, chosen, mask=kept)
    tl.store(share + out, chance * scale, mask=kept)


@jit
def _schedule(
    experts, order, owners, N, B,
    BLOCK: tl.constexpr, EXPERTS: tl.constexpr, CHUNK: tl.constexpr,
):  # fmt: skip
    """One program an expert: it counts all pairs, finds where its blocks begin, and fills them."""
    expert = tl.program_id(0)
    index = tl.arange(0, EXPERTS)
    lane = tl.arange(0, CHUNK)
    counts = tl.zeros((EXPERTS,), tl.int32)
    for start in range(0, N, CHUNK):
        owner = tl.load(experts + start + lane, mask=start + lane < N, other=EXPERTS - 1)
        counts += tl.histogram(owner, EXPERTS)
    blocks = (counts + BLOCK - 1) // BLOCK
    blocks = tl.where(index < EXPERTS - 1, blocks, 0)  # the last one counted what is behind N
    before = tl.sum(tl.where(index < expert, blocks, 0), axis=0)
    own = tl.sum(tl.where(index == expert, blocks, 0), axis=0)

    at = before * BLOCK
    for start in range(0, N, CHUNK):
        pair = start + lane
        mine = tl.load(experts + pair, mask=pair < N, other=EXPERTS - 1) == expert
        rank = tl.cumsum(mine.to(tl.int32), axis=0) - 1
        tl.store(order + at + rank, pair, mask=mine)
        at += tl.sum(mine.to(tl.int32), axis=0)
    filler = tl.arange(0, BLOCK)
    tl.store(order + at + filler, N + filler * 0, mask=at + filler < (before + own) * BLOCK)

    for start in range(before, before + own, 32):
        place = start + tl.arange(0, 32)
        tl.store(owners + place, place * 0 + expert, mask=place < before + own)
    if expert == 0:
        for start in range(tl.sum(blocks, axis=0), B, 32):
            place = start + tl.arange(0, 32)
            tl.store(owners + place, place * 0 - 1, mask=place < B)
