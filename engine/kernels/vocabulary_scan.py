"""Everything a step wants to know of the vocabulary, tile by tile: the kernel of `vocabulary.py`.

Each tile of tokens leaves a few numbers a row: the largest tempered logit m, Σ e^(s - m),
Σ (s - m) e^(s - m), the token that wins with Gumbel noise, and its few largest logits. A second kernel
joins the tiles of a row. Sums relative to the maximum keep the entropy ln Σ - Σ(s - m)e / Σe exact
to float32 even where it is nearly zero. Ties go to the lowest token, as torch's argmax has it.

For the sparse expected embedding the likeliest token of a row is kept, and those with at least the chance
`threshold`, the likeliest if there are too many. What mass is not kept is known exactly, also where a
tile had more of them than it may report. Shape letters: R rows, V tokens, D hidden size, K kept tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.activations import Rows, device_of
from engine.kernels.logits import Tile, arguments, default_tile, num_rows, tempered_tile
from engine.kernels.noise import gumbel_noise, gumbel_tile
from engine.kernels.portable import cdiv, jit, power_of_two, tl
from engine.kernels.vocabulary import Barred, softcapped_logits
from engine.quant.tensors import Matrix
from engine.sizes import KEPT_TOKENS
from engine.sizes import PER_TILE as PER_TILE

THRESHOLD = 1e-4  # chance from which a token is kept


@dataclass(frozen=True, kw_only=True)
class VocabularyScan:
    """Per row, of the softmax over its tempered logits."""

    argmax: Tensor  # int64 [R]
    entropy: Tensor  # float32 [R], nats
    sampled: Tensor  # int64 [R]
    log_total: Tensor  # float32 [R], ln Σ e^s
    count: Tensor  # int32 [R], how many tokens are kept
    tokens: Tensor  # int32 [R, K], the first `count` of a row count
    chances: Tensor  # float32 [R, K], not renormalised
    discarded: Tensor  # float32 [R], the mass of all other tokens


@dataclass(frozen=True, kw_only=True)
class ScanBuffers:
    """Memory for `scan_vocabulary`: its result, and what the tiles tell the join."""

    tile: Tile
    result: VocabularyScan
    sums: Tensor  # float32 [4, tiles, R]: maximum, two sums, best noisy logit
    sampled: Tensor  # int32 [tiles, R]
    largest: Tensor  # float32 [PER_TILE, tiles, R]
    tokens: Tensor  # int32 [PER_TILE, tiles, R]


def scan_buffers(
    hidden: Rows, embedding: Matrix, *, kept: int = KEPT_TOKENS, tile: Tile | None = None
) -> ScanBuffers:
    """Memory for rows like `hidden`; `kept` is a power of two."""
    tile = tile or default_tile(hidden)
    rows, device = num_rows(hidden), device_of(hidden)
    tiles = cdiv(embedding.shape[0], tile.tokens)
    return ScanBuffers(
        tile=tile,
        result=VocabularyScan(
            argmax=torch.empty(rows, dtype=torch.int64, device=device),
            entropy=torch.empty(rows, device=device),
            sampled=torch.empty(rows, dtype=torch.int64, device=device),
            log_total=torch.empty(rows, device=device),
            count=torch.empty(rows, dtype=torch.int32, device=device),
            tokens=torch.zeros(rows, kept, dtype=torch.int32, device=device),  # ids, all of them
            chances=torch.empty(rows, kept, device=device),
            discarded=torch.empty(rows, device=device),
        ),
        sums=torch.empty(4, tiles, rows, device=device),
        sampled=torch.empty(tiles, rows, dtype=torch.int32, device=device),
        largest=torch.empty(PER_TILE, tiles, rows, device=device),
        tokens=torch.empty(PER_TILE, tiles, rows, dtype=torch.int32, device=device),
    )


def scan_vocabulary(
    hidden: Rows,
    embedding: Matrix,
    buffers: ScanBuffers,
    *,
    softcap: float,
    temperature: Tensor,
    seed: Tensor,
    step: Tensor,
    threshold: float = THRESHOLD,
    barred: Barred | None = None,
) -> VocabularyScan:
    """Scans the vocabulary for `hidden`; returns `buffers.result`, overwritten by the next call.

    temperature: float32 scalar tensor; seed, step: int64 scalar tensors. All are read on the device, and
    nothing waits for it. Barred ids have chance 0. Fixed by the buffers: rows, vocabulary, kept tokens and tile.
    """
    (num_tokens, size), tile, result = embedding.shape, buffers.tile, buffers.result
    tiles, rows = buffers.sampled.shape
    _scan[(cdiv(rows, tile.rows), tiles)](
        *arguments(hidden, embedding, temperature, barred),
        seed,
        step,
        buffers.sums,
        buffers.sampled,
        buffers.largest,
        buffers.tokens,
        rows,
        num_tokens,
        SIZE=size,
        SOFTCAP=softcap,
        PER_TILE=PER_TILE,
        BLOCK_R=tile.rows,
        BLOCK_V=tile.tokens,
        BLOCK_D=tile.depth,
        num_warps=tile.warps,
        num_stages=tile.stages,
    )
    _join_tiles[(rows,)](
        buffers.sums,
        buffers.sampled,
        buffers.largest,
        buffers.tokens,
        *(getattr(result, name) for name in VocabularyScan.__dataclass_fields__),
        rows,
        num_tokens,
        tiles,
        LOG_THRESHOLD=math.log(threshold),
        KEPT=result.tokens.shape[1],
        CANDIDATES=PER_TILE * tiles,
        TILES=power_of_two(tiles),
        CANDIDATE_SLOTS=power_of_two(PER_TILE * tiles),
        num_warps=8,
    )
    return result


def scan_reference(
    hidden: Tensor,
    embedding: Matrix,
    *,
    softcap: float,
    temperature: Tensor,
    seed: Tensor,
    step: Tensor,
) -> tuple[Tensor, Tensor]:
    """Log-probabilities (float64 [R, V]) and the sample (int64 [R]) that the kernel finds."""
    tempered = softcapped_logits(hidden, embedding, softcap).double() / temperature
    rows, tokens = (torch.arange(n, device=hidden.device) for n in tempered.shape)
    noisy = tempered + gumbel_noise(seed, step, rows, tokens)
    return tempered.log_softmax(dim=-1), noisy.argmax(dim=-1)


@jit
def _scan(
    hidden,
    hidden_scale,
    stride,
    table,
    table_scale,
    exponents,
    temperature,
    rules,
    rule_rows,
    seed,
    step,
    sums,
    sampled,
    largest,
    largest_tokens,
    num_rows,
    num_tokens,
    SIZE: tl.constexpr,
    SOFTCAP: tl.constexpr,
    PER_TILE: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    # Blocks of rows are the fast axis: those that read the same tile of the table run together.
    rows = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    tile, tiles = tl.program_id(1), tl.num_programs(1)
    tokens = tile * BLOCK_V + tl.arange(0, BLOCK_V)
    logits = tempered_tile(
        hidden, hidden_scale, stride, table, table_scale, exponents, temperature, rules, rule_rows,
        rows, tokens, num_rows, num_tokens, SIZE, SOFTCAP, BLOCK_D,
    )  # fmt: skip
    here, is_row = tile * num_rows + rows, rows < num_rows
    plane = tiles * num_rows

    top = tl.max(logits, axis=1)
    behind = logits - top[:, None]
    weight = tl.exp(behind)
    tl.store(sums + here, top, mask=is_row)
    tl.store(sums + plane + here, tl.sum(weight, axis=1), mask=is_row)
    slope = tl.where(weight > 0, behind, 0) * weight  # no -inf · 0 beyond the vocabulary
    tl.store(sums + 2 * plane + here, tl.sum(slope, axis=1), mask=is_row)

    noise = gumbel_tile(tl.load(seed), tl.load(step), rows[:, None], tokens[None, :])
    best, place = tl.max(logits + noise, axis=1, return_indices=True)
    tl.store(sums + 3 * plane + here, best, mask=is_row)
    tl.store(sampled + here, tile * BLOCK_V + place, mask=is_row)

    for index in tl.static_range(PER_TILE):
        best, place = tl.max(logits, axis=1, return_indices=True)
        tl.store(largest + index * plane + here, best, mask=is_row)
        tl.store(largest_tokens + index * plane + here, tile * BLOCK_V + place, mask=is_row)
        is_taken = tl.arange(0, BLOCK_V)[None, :] == place[:, None]
        logits = tl.where(is_taken, float("-inf"), logits)


@jit
def _join_tiles(
    sums,
    tile_sampled,
    largest,
    largest_tokens,
    argmax,
    entropy,
    sampled,
    log_total,
    count,
    tokens,
    chances,
    discarded,
    num_rows,
    num_tokens,
    tiles,
    LOG_THRESHOLD: tl.constexpr,
    KEPT: tl.constexpr,
    CANDIDATES: tl.constexpr,
    TILES: tl.constexpr,
    CANDIDATE_SLOTS: tl.constexpr,
):
    row = tl.program_id(0)
    tile = tl.arange(0, TILES)
    here, is_tile = tile * num_rows + row, tile < tiles
    plane = tiles * num_rows
    tops = tl.load(sums + here, mask=is_tile, other=float("-inf"))
    top = tl.max(tops, axis=0)
    weights = tl.exp(tops - top)
    totals = tl.load(sums + plane + here, mask=is_tile, other=0)
    slopes = tl.load(sums + 2 * plane + here, mask=is_tile, other=0)
    total = tl.sum(weights * totals, axis=0)
    behind = tl.where(is_tile, tops - top, 0)
    slope = tl.sum(weights * (slopes + behind * totals), axis=0)
    log_sum = tl.log(total)
    nats = log_sum - slope / total
    tl.store(entropy + row, tl.where(nats < 0, 0, nats))  # not `maximum`: NaN must stay NaN
    tl.store(log_total + row, top + log_sum)

    noisy = tl.load(sums + 3 * plane + here, mask=is_tile, other=float("-inf"))
    winners = tl.load(tile_sampled + here, mask=is_tile, other=num_tokens)
    tl.store(sampled + row, _lowest(winners, noisy, num_tokens).to(tl.int64))

    slot = tl.arange(0, CANDIDATE_SLOTS)
    there, is_slot = slot * num_rows + row, slot < CANDIDATES
    values = tl.load(largest + there, mask=is_slot, other=float("-inf"))
    ids = tl.load(largest_tokens + there, mask=is_slot, other=num_tokens)
    tl.store(argmax + row, _lowest(ids, values, num_tokens).to(tl.int64))

    least = tl.minimum(top + log_sum + LOG_THRESHOLD, top)  # one at least
    least = _cut(values, least, top, KEPT)
    is_kept = values >= least
    rank = tl.cumsum(is_kept.to(tl.int32), axis=0) - 1
    is_kept &= rank < KEPT  # of equal logits at the cut, some
    chance = tl.where(is_kept, tl.exp(values - top) / total, 0)
    tl.store(tokens + row * KEPT + rank, ids, mask=is_kept)
    tl.store(chances + row * KEPT + rank, chance, mask=is_kept)
    tl.store(count + row, tl.sum(is_kept.to(tl.int32), axis=0))
    tl.store(discarded + row, 1 - tl.sum(chance, axis=0))


@jit
def _lowest(ids, values, num_tokens):
    """The lowest id of the largest value; of NaNs some id of the vocabulary, never one beyond."""
    best = tl.max(values, axis=0)
    return tl.minimum(tl.min(tl.where(values == best, ids, num_tokens), axis=0), num_tokens - 1)


@jit
def _cut(values, least, top, KEPT: tl.constexpr):
    """`least`, or a value above it that no more than KEPT values reach (if they are not equal)."""
    if tl.sum((values >= least).to(tl.int32), axis=0) > KEPT:
        crowded, roomy = least, top
        for _ in range(24):
            middle = (crowded + roomy) / 2
            if tl.sum((values >= middle).to(tl.int32), axis=0) > KEPT:
                crowded = middle
            else:
                roomy = middle
        least = roomy
    return least
