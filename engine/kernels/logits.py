"""One tile of tempered logits, softcap · tanh(hidden · tableᵀ / softcap) / temperature.

The statistics of the vocabulary and the expected embedding both work on such tiles; no whole
[R, V] tensor is ever written. Shape letters: R rows, V tokens, D hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.portable import capability, cdiv, dot, jit, tl
from engine.quant.tensors import Int8Tensor, Matrix


@dataclass(frozen=True, kw_only=True)
class Tile:
    """How a kernel cuts its work. Sizes are powers of two, of at least 16."""

    rows: int
    tokens: int
    depth: int  # inputs at a time
    warps: int
    stages: int


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Final hidden states. The int8 form is for a table of int8: both go to the int8 tensor cores."""

    values: (
        Tensor  # [R, D] of the network's dtype; or int8, then already with the table's exponents
    )
    scale: Tensor | None = None  # float32 [R], of int8 values


@dataclass(frozen=True, kw_only=True)
class Table:
    """The embedding as kernels read it."""

    values: Tensor  # [V, D]: plain, or int8 codes
    scale: Tensor | None = None  # float32 [V], of codes
    exponents: Tensor | None = None  # int8 [D], of codes


def table_of(embedding: Matrix) -> Table:
    """Raises TypeError for four bits: the formats keep the embedding at eight or plain."""
    if isinstance(embedding, Tensor):
        return Table(values=embedding)
    if isinstance(embedding, Int8Tensor):
        return Table(values=embedding.codes, scale=embedding.scale, exponents=embedding.exponents)
    raise TypeError("no kernel for an embedding of four bits")


def default_tile(hidden: Rows) -> Tile:
    """For the device and dtype of the rows: what its shared memory holds. No timing chose it yet."""
    depth = 128 if hidden.values.dtype == torch.int8 else 64
    stages = 4 if capability(hidden.values) in (90, 100, 103) else 3
    return Tile(rows=128, tokens=128, depth=depth, warps=8, stages=stages)


def row_blocks(hidden: Rows, tile: Tile) -> int:
    return cdiv(hidden.values.shape[0], tile.rows)


def arguments(hidden: Rows, table: Table, temperature: Tensor) -> tuple[Tensor | None, ...]:
    """What `tempered_tile` reads, in its order. Asserts what it relies on."""
    assert hidden.values.is_contiguous()
    assert table.values.is_contiguous()
    assert hidden.values.shape[1] == table.values.shape[1]
    assert (hidden.values.dtype == torch.int8) == (hidden.scale is not None)
    assert hidden.scale is None or table.scale is not None
    assert temperature.dtype == torch.float32
    # Rows of int8 met the exponents when they were quantised.
    exponents = table.exponents if hidden.scale is None else None
    return hidden.values, hidden.scale, table.values, table.scale, exponents, temperature


@jit
def tempered_tile(
    hidden,
    hidden_scale,
    table,
    table_scale,
    exponents,
    temperature,
    rows,
    tokens,
    num_rows,
    num_tokens,
    SIZE: tl.constexpr,
    SOFTCAP: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """Tempered logits (float32 [R, V]) of rows [R] and tokens [V]; -inf beyond num_tokens."""
    in_table = tokens < num_tokens
    acc = tl.zeros(
        (rows.shape[0], tokens.shape[0]), tl.float32 if hidden_scale is None else tl.int32
    )
    for start in range(0, SIZE, BLOCK_D):
        depth = start + tl.arange(0, BLOCK_D)
        x = tl.load(
            hidden + rows[:, None] * SIZE + depth[None, :],
            mask=(rows < num_rows)[:, None] & (depth < SIZE)[None, :],
            other=0,
        )
        if exponents is not None:
            shift = tl.load(exponents + depth, mask=depth < SIZE, other=0).to(tl.int32)
            x = (x.to(tl.float32) * power_of_two_tile(shift)[None, :]).to(x.dtype)
        w = tl.load(
            table + tokens.to(tl.int64)[None, :] * SIZE + depth[:, None],
            mask=in_table[None, :] & (depth < SIZE)[:, None],
            other=0,
        )
        acc = dot(x, w.to(x.dtype), acc)
    logits = acc.to(tl.float32)
    if hidden_scale is not None:
        logits *= tl.load(hidden_scale + rows, mask=rows < num_rows, other=0)[:, None]
    if table_scale is not None:
        logits *= tl.load(table_scale + tokens, mask=in_table, other=0)[None, :]
    # tanh by exp of a number that is never positive: no overflow, whatever the logits.
    shrunk = tl.exp(-2 * tl.abs(logits / SOFTCAP))
    size = SOFTCAP * ((1 - shrunk) / (1 + shrunk))
    capped = tl.where(logits < 0, -size, size)
    return tl.where(in_table[None, :], capped / tl.load(temperature), float("-inf"))


@jit
def power_of_two_tile(exponents):
    """2^exponents (float32) of int32 exponents, exactly, by the bits of the float."""
    return ((exponents + 127) << 23).to(tl.float32, bitcast=True)
