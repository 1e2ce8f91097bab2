"""Products with int8 weights, one scale for each output row.

    int8 rows, a scale for 64 inputs    acc += a_scale · Σ a·w      for each block of 64
    int8 rows, one scale                acc += Σ a·w                whole numbers to the end
    16-bit rows                         acc += Σ a·w                w is exact in bfloat16, too

and the scale of the output at the end. Weights of four bits go through `experts`, as those of a
single expert. Shape letters: R rows, N outputs, K inputs, P inputs filled up to blocks of 64, I width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.activations import (
    Form,
    Int8Rows,
    Rows,
    device_of,
    empty_rows,
    plain_rows,
    pointers,
    store_blocks,
    values,
)
from engine.kernels.experts import gelu
from engine.kernels.portable import cdiv, constant, dot, jit, tl
from engine.kernels.tiles import dense_tile
from engine.quant.layouts import BLOCK
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int8Tensor


def product(x: Rows, weight: Int8Tensor, dtype: torch.dtype) -> Tensor:
    """x · weightᵀ, [R, N] in `dtype`; x: rows [R, P], the exponents of `weight` [N, K] in them."""
    rows, padded, whole = _shape(x, weight)
    outputs, inputs = weight.shape
    out = torch.empty((rows, outputs), dtype=dtype, device=device_of(x))
    tile = dense_tile(weight.codes, rows, outputs)
    step = 2 * BLOCK if whole else BLOCK
    codes, scale, _ = pointers(x)
    _product[(cdiv(rows, tile.rows) * cdiv(outputs, tile.outputs),)](
        codes, scale, weight.codes, weight.scale, out, rows, outputs, inputs, padded,
        INT8=isinstance(x, Int8Rows), WHOLE=whole, EVEN=inputs % step == 0, STEP=step,
        ROWS=tile.rows, OUTPUTS=tile.outputs, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def product_plain(x: Rows, weight: Int8Tensor, dtype: torch.dtype) -> Tensor:
    """`product` in plain torch."""
    return _product_of(x, weight).to(dtype)


def gated_product(
    x: Rows, weight: Int8Tensor, exponents: Tensor, form: Form, dtype: torch.dtype
) -> Rows:
    """2^exponents · gelu(gate x) · up x, as rows [R, P] for the weight behind.

    x: rows [R, P], the exponents of `weight` in them. weight: [2I, K], gate first. exponents: of the
    weight behind, int8 [I]. form: what that one reads; dtype: of rows that are not quantised.
    """
    if form.whole:
        raise ValueError("a tile of a row does not know the scale of the whole row")
    rows, padded, whole = _shape(x, weight)
    width, inputs = weight.shape[0] // 2, weight.shape[1]
    out = empty_rows(form, rows, width, dtype, device_of(x))
    tile = dense_tile(weight.codes, rows, BLOCK)
    step = 2 * BLOCK if whole else BLOCK
    codes, scale, _ = pointers(x)
    _gated[(cdiv(rows, tile.rows) * cdiv(width, BLOCK),)](
        codes, scale, weight.codes, weight.scale, exponents, *pointers(out),
        rows, width, inputs, padded, cdiv(width, BLOCK),
        INT8=isinstance(x, Int8Rows), WHOLE=whole, EVEN=inputs % step == 0, STEP=step,
        FORM=form.code, ROWS=tile.rows, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def gated_product_plain(
    x: Rows, weight: Int8Tensor, exponents: Tensor, form: Form, dtype: torch.dtype
) -> Rows:
    """`gated_product` in plain torch."""
    gate, up = _product_of(x, weight).chunk(2, dim=-1)
    inner = F.gelu(gate, approximate="tanh") * up * powers_of_two(exponents)
    return plain_rows(inner, form, dtype)


def _product_of(x: Rows, weight: Int8Tensor) -> Tensor:
    """float32 [R, N], without the weight's exponents."""
    rows = values(x)[:, : weight.shape[1]]
    return F.linear(rows, weight.codes.float()) * weight.scale


def _shape(x: Rows, weight: Int8Tensor) -> tuple[int, int, bool]:
    """R, P, and whether each row has one scale. Kernels count on what is checked here."""
    rows = x if isinstance(x, Tensor) else x.codes
    padded = cdiv(weight.shape[1], BLOCK) * BLOCK
    if len(weight.shape) != 2 or rows.shape[1] != padded or not rows.is_contiguous():
        raise ValueError(f"rows {tuple(rows.shape)} do not fit a weight {weight.shape}")
    return rows.shape[0], padded, isinstance(x, Int8Rows) and x.scale.shape[1] * BLOCK != padded


_BLOCK = constant(BLOCK)


@jit
def inputs_of(x, row, start, R, P, STEP: tl.constexpr, EVEN: tl.constexpr):
    """Inputs of some rows, [ROWS, STEP]; zeros where there are none."""
    column = start + tl.arange(0, STEP)
    there = (row < R)[:, None]
    if not EVEN:
        there = there & (column < P)[None, :]
    return tl.load(x + row[:, None] * P + column[None, :], mask=there, other=0)


@jit
def weights_of(codes, output, start, N, K, STEP: tl.constexpr, EVEN: tl.constexpr):
    """Codes of some outputs, [STEP, OUTPUTS]; zeros where there are none."""
    column = start + tl.arange(0, STEP)
    there = (output < N)[:, None]
    if not EVEN:
        there = there & (column < K)[None, :]
    return tl.trans(tl.load(codes + output[:, None] * K + column[None, :], mask=there, other=0))


@jit
def accumulate(acc, inputs, factor, weights, INT8: tl.constexpr, WHOLE: tl.constexpr):
    """acc with the product of one step added; factor: the scale of the inputs of each row."""
    if WHOLE:
        acc = dot(inputs, weights, acc)
    elif INT8:
        part = dot(inputs, weights, tl.zeros(acc.shape, tl.int32))
        acc += part.to(tl.float32) * factor[:, None]
    else:
        acc = dot(inputs, weights.to(tl.float32).to(inputs.dtype), acc)
    return acc


@jit
def factor_of(scale, row, start, R, P, INT8: tl.constexpr, WHOLE: tl.constexpr):
    """The scale of a block of inputs; one where it comes at the end or there is none."""
    factor = tl.full(row.shape, 1.0, tl.float32)
    if INT8 and not WHOLE:
        factor = tl.load(scale + row * (P // _BLOCK) + start // _BLOCK, mask=row < R, other=0.0)
    return factor


@jit
def scaled(acc, weight_scale, row_scale, output, row, N, R, WHOLE: tl.constexpr):
    """The sums of a tile as float32 with their scales."""
    acc = acc.to(tl.float32) * tl.load(weight_scale + output, mask=output < N, other=0.0)[None, :]
    if WHOLE:
        acc *= tl.load(row_scale + row, mask=row < R, other=0.0)[:, None]
    return acc


@jit
def _product(
    x, x_scale, codes, scale, out, R, N, K, P,
    INT8: tl.constexpr, WHOLE: tl.constexpr, EVEN: tl.constexpr, STEP: tl.constexpr,
    ROWS: tl.constexpr, OUTPUTS: tl.constexpr,
):  # fmt: skip
    heights = tl.cdiv(R, ROWS)  # the tiles of the same weights are neighbours
    row = tl.program_id(0) % heights * ROWS + tl.arange(0, ROWS)
    output = tl.program_id(0) // heights * OUTPUTS + tl.arange(0, OUTPUTS)
    acc = tl.zeros((ROWS, OUTPUTS), tl.int32 if WHOLE else tl.float32)
    for start in range(0, P, STEP):
        inputs = inputs_of(x, row, start, R, P, STEP, EVEN)
        factor = factor_of(x_scale, row, start, R, P, INT8, WHOLE)
        weights = weights_of(codes, output, start, N, K, STEP, EVEN)
        acc = accumulate(acc, inputs, factor, weights, INT8, WHOLE)
    sums = scaled(acc, scale, x_scale, output, row, N, R, WHOLE)
    at = row[:, None] * N + output[None, :]
    there = (row < R)[:, None] & (output < N)[None, :]
    tl.store(out + at, sums.to(out.dtype.element_ty), mask=there)


@jit
def _gated(
    x, x_scale, codes, scale, exponents, out, out_scale, out_sums, R, width, K, P, tiles,
    INT8: tl.constexpr, WHOLE: tl.constexpr, EVEN: tl.constexpr, STEP: tl.constexpr,
    FORM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    heights = tl.cdiv(R, ROWS)
    row = tl.program_id(0) % heights * ROWS + tl.arange(0, ROWS)
    tile = tl.program_id(0) // heights
    output = tile * _BLOCK + tl.arange(0, _BLOCK)
    gate = tl.zeros((ROWS, _BLOCK), tl.int32 if WHOLE else tl.float32)
    up = gate
    ups = codes + width * K
    for start in range(0, P, STEP):
        inputs = inputs_of(x, row, start, R, P, STEP, EVEN)
        factor = factor_of(x_scale, row, start, R, P, INT8, WHOLE)
        weights = weights_of(codes, output, start, width, K, STEP, EVEN)
        gate = accumulate(gate, inputs, factor, weights, INT8, WHOLE)
        weights = weights_of(ups, output, start, width, K, STEP, EVEN)
        up = accumulate(up, inputs, factor, weights, INT8, WHOLE)
    gated = gelu(scaled(gate, scale, x_scale, output, row, width, R, WHOLE))
    inner = gated * scaled(up, scale + width, x_scale, output, row, width, R, WHOLE)
    exponent = tl.load(exponents + output, mask=output < width, other=0).to(tl.int32)
    inner *= ((exponent + 127) << 23).to(tl.float32, bitcast=True)[None, :]
    store_blocks(inner, row * tiles + tile, row < R, out, out_scale, out_sums, FORM, False)
