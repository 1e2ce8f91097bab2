"""One tile of tempered logits, softcap · tanh(hidden · tableᵀ / softcap) / temperature.

The statistics of the vocabulary and the expected embedding both work on such tiles; no whole
[R, V] tensor is ever written. Shape letters: R rows, V tokens, D hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.kernels.activations import Rows, pointers
from engine.kernels.portable import as_float, capability, dot, jit, tl
from engine.kernels.vocabulary import Barred
from engine.quant.tensors import Int8Tensor, Matrix
from engine.sizes import VOCABULARY_TILE


@dataclass(frozen=True, kw_only=True)
class Tile:
    """How a kernel cuts its work. Sizes are powers of two, of at least 16."""

    rows: int
    tokens: int
    depth: int  # inputs at a time
    warps: int
    stages: int


def table_parts(embedding: Matrix) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Numbers or codes [V, D], scale (float32 [V]) and exponents (int8 [D]) of codes.

    Raises TypeError for four bits: the formats keep the embedding at eight or plain.
    """
    if isinstance(embedding, Tensor):
        return embedding, None, None
    if isinstance(embedding, Int8Tensor):
        return embedding.codes, embedding.scale, embedding.exponents
    raise TypeError("no kernel for an embedding of four bits")


def default_tile(hidden: Rows) -> Tile:
    """For the device and dtype of the rows: what its shared memory holds. No timing chose it yet."""
    values = pointers(hidden)[0]
    depth = 128 if values.dtype == torch.int8 else 64
    stages = 4 if 90 <= capability(values) < 110 else 3
    return Tile(rows=128, tokens=VOCABULARY_TILE, depth=depth, warps=8, stages=stages)


def num_rows(hidden: Rows) -> int:
    return pointers(hidden)[0].shape[0]


def arguments(
    hidden: Rows, embedding: Matrix, temperature: Tensor, barred: Barred | None
) -> tuple[Tensor | int | None, ...]:
    """What `tempered_tile` reads, up to the rules. Asserts what it relies on.

    Rows of int8 have one scale each, and were multiplied with the embedding's exponents before.
    """
    values, scale, _ = pointers(hidden)
    codes, code_scale, exponents = table_parts(embedding)
    assert values.is_contiguous()
    assert codes.is_contiguous()
    assert values.shape[1] >= codes.shape[1]
    assert temperature.dtype == torch.float32
    rules = (None, None) if barred is None else (barred.rules, barred.rows)
    assert all(rule is None or rule.is_contiguous() for rule in rules)
    stride = values.shape[1]
    if isinstance(hidden, Tensor):
        return values, None, stride, codes, code_scale, exponents, temperature, *rules
    assert scale.shape[1] == 1
    assert code_scale is not None
    return values, scale, stride, codes, code_scale, None, temperature, *rules


@jit
def tempered_tile(
    hidden,
    hidden_scale,
    stride,
    table,
    table_scale,
    exponents,
    temperature,
    rules,
    rule_rows,
    rows,
    tokens,
    num_rows,
    num_tokens,
    SIZE: tl.constexpr,
    SOFTCAP: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    """Tempered logits (float32 [R, V]) of rows [R] and tokens [V]; -inf beyond num_tokens.

    Barred ids have -1e30 as in the plain path: finite, so that a tile may have no others.
    """
    in_table = tokens < num_tokens
    acc = tl.zeros(
        (rows.shape[0], tokens.shape[0]), tl.float32 if hidden_scale is None else tl.int32
    )
    for start in range(0, SIZE, BLOCK_D):
        depth = start + tl.arange(0, BLOCK_D)
        x = tl.load(
            hidden + rows[:, None] * stride + depth[None, :],
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
        acc = dot(x, w if x.dtype == tl.int8 else as_float(w, x.dtype), acc)
    logits = acc.to(tl.float32)
    if hidden_scale is not None:
        logits *= tl.load(hidden_scale + rows, mask=rows < num_rows, other=0)[:, None]
    if table_scale is not None:
        logits *= tl.load(table_scale + tokens, mask=in_table, other=0)[None, :]
    tempered = capped(logits, SOFTCAP) / tl.load(temperature)
    if rules is not None:
        rule = tl.load(rule_rows + rows, mask=rows < num_rows, other=0)
        place = rule[:, None] * num_tokens + tokens[None, :]
        is_barred = tl.load(rules + place, mask=in_table[None, :], other=0)
        tempered = tl.where(is_barred != 0, -1e30, tempered)
    return tl.where(in_table[None, :], tempered, float("-inf"))


@jit
def capped(logits, SOFTCAP: tl.constexpr):
    """SOFTCAP · tanh(logits / SOFTCAP), by exp of a number that is never positive: no overflow."""
    shrunk = tl.exp(-2 * tl.abs(logits / SOFTCAP))
    size = SOFTCAP * ((1 - shrunk) / (1 + shrunk))
    return tl.where(logits < 0, -size, size)


@jit
def power_of_two_tile(exponents):
    """2^exponents (float32) of int32 exponents, exactly, by the bits of the float."""
    return ((exponents + 127) << 23).to(tl.float32, bitcast=True)
