"""The expected embedding of each row, Σ p(v) E(v): from a few tokens where that is enough, else from all.

Of most rows a scan of the vocabulary has kept nearly all mass in a few tokens. Their mean is divided by
the kept mass. With d the discarded mass, ê that mean and r the mean of the other tokens, the exact one
is (1 - d) ê + d r; hence the error is d (r - ê), and at most d · max |E(v) - ê|. Without dividing it
would be d r, and grow with what all embeddings have in common.

Rows that discarded more than `tolerance` get the exact sum: chunks of the vocabulary become chances,
whose total is known from the scan, and are multiplied with their embeddings. Which rows those are is read
on the device: all kernels are always launched, and blocks without such rows end at once.
Shape letters: R rows, V tokens, D hidden size, N tokens of a chunk, S shares of a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.activations import Rows, device_of
from engine.kernels.logits import (
    Tile,
    arguments,
    default_tile,
    num_rows,
    power_of_two_tile,
    table_parts,
    tempered_tile,
)
from engine.kernels.portable import as_float, cdiv, dot, jit, tl
from engine.kernels.vocabulary import Barred
from engine.kernels.vocabulary_scan import VocabularyScan
from engine.quant.tensors import Matrix
from engine.sizes import CHANCES, CHUNK, SHARES

TOLERANCE = 2**-8  # discarded mass up to which the kept tokens are enough

_BLOCK_D = 128
_GATHERED = 8  # embeddings loaded at a time


@dataclass(frozen=True, kw_only=True)
class ExpectedBuffers:
    """Memory for `expected_embedding`."""

    tile: Tile
    chances: Tensor  # [R, N] of the result's dtype; of int8 tables times the token's scale
    sums: Tensor  # float32 [S, R, D]


def expected_buffers(
    hidden: Rows,
    embedding: Matrix,
    dtype: torch.dtype,
    *,
    chunk: int | None = None,
    tile: Tile | None = None,
) -> ExpectedBuffers:
    """Memory for rows like `hidden`; dtype: of the result. About `chunk` tokens come at a time."""
    tile = tile or default_tile(hidden)
    device, rows, (tokens, size) = device_of(hidden), num_rows(hidden), embedding.shape
    share = SHARES * max(tile.tokens, tile.depth)
    width = cdiv(min(chunk or min(CHUNK, CHANCES // rows), tokens), share) * share
    return ExpectedBuffers(
        tile=tile,
        chances=torch.empty(rows, width, dtype=dtype, device=device),
        sums=torch.empty(SHARES, rows, size, device=device),
    )


def expected_embedding(
    scan: VocabularyScan,
    hidden: Rows,
    embedding: Matrix,
    buffers: ExpectedBuffers,
    out: Tensor,
    *,
    softcap: float,
    temperature: Tensor,
    tolerance: float = TOLERANCE,
    barred: Barred | None = None,
) -> None:
    """Writes the unscaled expected embeddings to `out` [R, D].

    scan: of the same rows, embedding, softcap, temperature and rules; a pinned position may be written over
    it as its one token, of chance 1 and nothing discarded. A tolerance below zero makes all rows exact,
    one of 1 none. Nothing waits for the device.
    """
    (rows, width), (num_tokens, size) = buffers.chances.shape, embedding.shape
    assert out.is_contiguous()
    assert out.shape == (rows, size)
    given = arguments(hidden, embedding, temperature, barred)
    for start in range(0, num_tokens, width):
        _add_chunk(scan, embedding, buffers, given, start, softcap, tolerance)
    table, table_scale, exponents = table_parts(embedding)
    _finish_expected[(rows, cdiv(size, _BLOCK_D))](
        scan.count, scan.tokens, scan.chances, scan.discarded, buffers.sums,
        table, table_scale, exponents, out, rows,
        TOLERANCE=tolerance, SIZE=size, KEPT=scan.tokens.shape[1], SHARES=SHARES,
        GATHERED=_GATHERED, BLOCK_D=_BLOCK_D, num_warps=4,
    )  # fmt: skip


def _add_chunk(
    scan: VocabularyScan, embedding: Matrix, buffers: ExpectedBuffers,
    given: tuple[Tensor | int | None, ...], start: int, softcap: float, tolerance: float,
) -> None:  # fmt: skip
    """The chances of the tokens from `start` on, and what they add to the sums."""
    tile, (rows, width), (num_tokens, size) = buffers.tile, buffers.chances.shape, embedding.shape
    blocks, options = cdiv(rows, tile.rows), {"num_warps": tile.warps, "num_stages": tile.stages}
    _chances[(blocks, width // tile.tokens)](
        *given, scan.log_total, scan.discarded, buffers.chances, start, rows, num_tokens, width,
        TOLERANCE=tolerance, SIZE=size, SOFTCAP=softcap,
        BLOCK_R=tile.rows, BLOCK_V=tile.tokens, BLOCK_D=tile.depth, **options,
    )  # fmt: skip
    _accumulate[(blocks, cdiv(size, _BLOCK_D), SHARES)](
        buffers.chances, table_parts(embedding)[0], scan.discarded, buffers.sums,
        start, rows, num_tokens, width,
        TOLERANCE=tolerance, SIZE=size, BLOCK_R=tile.rows, BLOCK_V=tile.depth, BLOCK_D=_BLOCK_D,
        **options,
    )  # fmt: skip


@jit
def _is_exact(discarded, tolerance):
    """Rows that need all tokens; NaN does too, so that it stays NaN."""
    return (discarded > tolerance) | (discarded != discarded)


@jit
def _needs_work(discarded, rows, num_rows, tolerance):
    loss = tl.load(discarded + rows, mask=rows < num_rows, other=float("-inf"))
    return tl.max(_is_exact(loss, tolerance).to(tl.int32), axis=0) > 0


@jit
def _chances(
    hidden,
    hidden_scale,
    stride,
    table,
    table_scale,
    exponents,
    temperature,
    rules,
    rule_rows,
    log_total,
    discarded,
    chances,
    start,
    num_rows,
    num_tokens,
    width,
    TOLERANCE: tl.constexpr,
    SIZE: tl.constexpr,
    SOFTCAP: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    rows = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    if _needs_work(discarded, rows, num_rows, TOLERANCE):
        place = tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
        tokens = start + place
        logits = tempered_tile(
            hidden, hidden_scale, stride, table, table_scale, exponents, temperature, rules, rule_rows,
            rows, tokens, num_rows, num_tokens, SIZE, SOFTCAP, BLOCK_D,
        )  # fmt: skip
        is_row = rows < num_rows
        chance = tl.exp(logits - tl.load(log_total + rows, mask=is_row, other=0)[:, None])
        if table_scale is not None:
            scale = tl.load(table_scale + tokens, mask=tokens < num_tokens, other=0)
            chance *= scale[None, :]
        here = rows[:, None] * width + place[None, :]
        tl.store(chances + here, chance.to(chances.dtype.element_ty), mask=is_row[:, None])


@jit
def _accumulate(
    chances,
    table,
    discarded,
    sums,
    start,
    num_rows,
    num_tokens,
    width,
    TOLERANCE: tl.constexpr,
    SIZE: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    rows = tl.program_id(0) * BLOCK_R + tl.arange(0, BLOCK_R)
    if _needs_work(discarded, rows, num_rows, TOLERANCE):
        depth = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
        share, part = tl.program_id(2), width // tl.num_programs(2)
        is_row, in_depth = (rows < num_rows)[:, None], (depth < SIZE)[None, :]
        here = (share * num_rows + rows)[:, None] * SIZE + depth[None, :]
        acc = tl.zeros((BLOCK_R, BLOCK_D), tl.float32)
        if start > 0:
            acc += tl.load(sums + here, mask=is_row & in_depth, other=0)
        for first in range(share * part, (share + 1) * part, BLOCK_V):
            place = first + tl.arange(0, BLOCK_V)
            tokens = start + place
            chance = tl.load(chances + rows[:, None] * width + place[None, :], mask=is_row, other=0)
            embeddings = tl.load(
                table + tokens.to(tl.int64)[:, None] * SIZE + depth[None, :],
                mask=(tokens < num_tokens)[:, None] & in_depth,
                other=0,
            )
            acc = dot(chance, as_float(embeddings, chance.dtype), acc)
        tl.store(sums + here, acc, mask=is_row & in_depth)


@jit
def _finish_expected(
    count,
    tokens,
    chances,
    discarded,
    sums,
    table,
    table_scale,
    exponents,
    out,
    num_rows,
    TOLERANCE: tl.constexpr,
    SIZE: tl.constexpr,
    KEPT: tl.constexpr,
    SHARES: tl.constexpr,
    GATHERED: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """The sum of all shares, or the mean of the kept tokens; then the exponents of the inputs."""
    row = tl.program_id(0)
    depth = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    in_depth = depth < SIZE
    mean = tl.zeros((BLOCK_D,), tl.float32)
    if _is_exact(tl.load(discarded + row), TOLERANCE):
        for share in range(SHARES):
            at = (share * num_rows + row) * SIZE + depth
            mean += tl.load(sums + at, mask=in_depth, other=0)
    else:
        mass, num_kept = 0.0, tl.load(count + row)
        for start in range(0, num_kept, GATHERED):
            slot = start + tl.arange(0, GATHERED)
            is_kept, at = slot < num_kept, row * KEPT + slot
            token = tl.load(tokens + at, mask=is_kept, other=0).to(tl.int64)
            chance = tl.load(chances + at, mask=is_kept, other=0)
            mass += tl.sum(chance, axis=0)
            if table_scale is not None:
                chance *= tl.load(table_scale + token)
            embeddings = tl.load(
                table + token[:, None] * SIZE + depth[None, :], mask=in_depth[None, :], other=0
            )
            mean += tl.sum(chance[:, None] * embeddings.to(tl.float32), axis=0)
        mean /= mass
    if exponents is not None:
        shift = tl.load(exponents + depth, mask=in_depth, other=0).to(tl.int32)
        mean *= power_of_two_tile(shift)
    tl.store(out + row * SIZE + depth, mean.to(out.dtype.element_ty), mask=in_depth)
