"""Grouped products with int8 weights: what `experts` does with four bits, step by step as `dense`.

Each block of rows is multiplied with its expert's matrix. The plain references are those of
`experts`, which take both kinds of weights. Shape letters: E experts, N outputs, K
inputs, P inputs filled up to blocks of 64, I expert width, T rows, M pairs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.activations import (
    Form,
    Int8Rows,
    Rows,
    device_of,
    empty_rows,
    pointers,
    store_blocks,
)
from engine.kernels.dense import accumulate, factor_of, inputs_of, scaled, weights_of
from engine.kernels.experts import SMALLEST_BLOCK, gelu
from engine.kernels.portable import cdiv, constant, jit, tl
from engine.kernels.routing import Schedule
from engine.kernels.tiles import expert8_tile
from engine.quant.layouts import BLOCK
from engine.quant.tensors import Int8Tensor


def gated_product(
    x: Rows, weight: Int8Tensor, schedule: Schedule, top_k: int, exponents: Tensor, form: Form,
    dtype: torch.dtype,
) -> Rows:  # fmt: skip
    """2^exponents · gelu(gate x) · up x of each pair, as rows [M, P] for the weight behind.

    x: rows [T, P], the exponents of `weight` in them, with a scale for each block of 64 where they
    are int8. weight: [E, 2I, K], gate first. schedule: of M = T top_k pairs. exponents: of the
    weight behind, int8 [E, I] or [I]. form: what that one reads; dtype: of rows not quantised.
    """
    rows, padded = _shape(x, weight, schedule)
    _, outputs, inputs = weight.shape
    width = outputs // 2
    out = empty_rows(form, schedule.pairs, width, dtype, device_of(x))
    tile, tiles = expert8_tile(weight.codes, schedule.block), cdiv(width, BLOCK)
    codes, scale, _ = pointers(x)
    _gated_experts[(schedule.experts.numel() * tiles,)](
        codes, scale, schedule.order, schedule.experts, weight.codes, weight.scale,
        exponents, width if exponents.ndim == 2 else 0, *pointers(out),
        rows, schedule.pairs, top_k, width, inputs, padded, tiles,
        INT8=isinstance(x, Int8Rows), EVEN=inputs % BLOCK == 0, FORM=form.code,
        ROWS=schedule.block, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def product(x: Rows, weight: Int8Tensor, schedule: Schedule, dtype: torch.dtype) -> Tensor:
    """The product of each pair's row with its expert's matrix, [M, N] in `dtype`.

    x: rows [M, P], the exponents of `weight` [E, N, K] in them.
    """
    rows, padded = _shape(x, weight, schedule)
    _, outputs, inputs = weight.shape
    out = torch.empty((schedule.pairs, outputs), dtype=dtype, device=device_of(x))
    tile = expert8_tile(weight.codes, schedule.block)
    tiles = cdiv(outputs, tile.outputs)
    codes, scale, _ = pointers(x)
    _expert_product[(schedule.experts.numel() * tiles,)](
        codes, scale, schedule.order, schedule.experts, weight.codes, weight.scale, out,
        rows, schedule.pairs, outputs, inputs, padded, tiles,
        INT8=isinstance(x, Int8Rows), EVEN=inputs % BLOCK == 0,
        ROWS=schedule.block, OUTPUTS=tile.outputs, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def _shape(x: Rows, weight: Int8Tensor, schedule: Schedule) -> tuple[int, int]:
    """T or M, and P. Kernels count on what is checked here."""
    if schedule.block < SMALLEST_BLOCK:
        raise ValueError(f"blocks of {schedule.block} rows are too small to be halved")
    rows = x if isinstance(x, Tensor) else x.codes
    padded = cdiv(weight.shape[-1], BLOCK) * BLOCK
    if len(weight.shape) != 3 or rows.shape[1] != padded or not rows.is_contiguous():
        raise ValueError(f"rows {tuple(rows.shape)} do not fit a weight {weight.shape}")
    if isinstance(x, Int8Rows) and x.scale.shape[1] * BLOCK != padded:
        raise ValueError("the rows have one scale each, and experts want one for 64 inputs")
    return rows.shape[0], padded


_BLOCK = constant(BLOCK)


@jit
def _gated_tile(
    x, x_scale, order, codes, scale, exponents, out, out_scale, out_sums,
    T, M, top_k, width, K, P, tiles, tile,
    INT8: tl.constexpr, EVEN: tl.constexpr, FORM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """64 outputs of the pairs in `order`, which is of one expert, as its matrix and exponents are."""
    pair = tl.load(order + tl.arange(0, ROWS))
    row = tl.where(pair < M, pair // top_k, T)
    output = tile * _BLOCK + tl.arange(0, _BLOCK)
    gate = tl.zeros((ROWS, _BLOCK), tl.float32)
    up = gate
    for start in range(0, P, _BLOCK):
        inputs = inputs_of(x, row, start, T, P, _BLOCK, EVEN)
        factor = factor_of(x_scale, row, start, T, P, INT8, False)
        weights = weights_of(codes, output, start, width, K, _BLOCK, EVEN)
        gate = accumulate(gate, inputs, factor, weights, INT8, False)
        weights = weights_of(codes + width * K, output, start, width, K, _BLOCK, EVEN)
        up = accumulate(up, inputs, factor, weights, INT8, False)
    gated = gelu(scaled(gate, scale, x_scale, output, row, width, T, False))
    inner = gated * scaled(up, scale + width, x_scale, output, row, width, T, False)
    exponent = tl.load(exponents + output, mask=output < width, other=0).to(tl.int32)
    inner *= ((exponent + 127) << 23).to(tl.float32, bitcast=True)[None, :]
    store_blocks(inner, pair * tiles + tile, pair < M, out, out_scale, out_sums, FORM, False)


@jit
def _gated_experts(
    x, x_scale, order, owners, codes, scale, exponents, exponents_step,
    out, out_scale, out_sums, T, M, top_k, width, K, P, tiles,
    INT8: tl.constexpr, EVEN: tl.constexpr, FORM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0) % tiles
    place = tl.program_id(0) // tiles
    expert = tl.load(owners + place)
    if expert >= 0:
        codes += expert.to(tl.int64) * 2 * width * K  # beyond 2^31 bytes in a layer
        scale += expert * 2 * width
        exponents += expert * exponents_step
        order += place * ROWS
        if tl.load(order + ROWS // 2) < M:  # blocks fill from the front, see `experts`
            _gated_tile(
                x, x_scale, order, codes, scale, exponents, out, out_scale, out_sums,
                T, M, top_k, width, K, P, tiles, tile, INT8, EVEN, FORM, ROWS,
            )  # fmt: skip
        else:
            _gated_tile(
                x, x_scale, order, codes, scale, exponents, out, out_scale, out_sums,
                T, M, top_k, width, K, P, tiles, tile, INT8, EVEN, FORM, ROWS // 2,
            )  # fmt: skip


@jit
def _product_tile(
    x, x_scale, order, codes, scale, out, T, M, N, K, P, tile,
    INT8: tl.constexpr, EVEN: tl.constexpr, ROWS: tl.constexpr, OUTPUTS: tl.constexpr,
):  # fmt: skip
    """Some outputs of the pairs in `order`, which is of one expert, as its matrix is."""
    pair = tl.load(order + tl.arange(0, ROWS))
    row = tl.where(pair < M, pair, T)
    output = tile * OUTPUTS + tl.arange(0, OUTPUTS)
    acc = tl.zeros((ROWS, OUTPUTS), tl.float32)
    for start in range(0, P, _BLOCK):
        inputs = inputs_of(x, row, start, T, P, _BLOCK, EVEN)
        factor = factor_of(x_scale, row, start, T, P, INT8, False)
        weights = weights_of(codes, output, start, N, K, _BLOCK, EVEN)
        acc = accumulate(acc, inputs, factor, weights, INT8, False)
    sums = scaled(acc, scale, x_scale, output, row, N, T, False)
    at = pair[:, None] * N + output[None, :]
    there = (pair < M)[:, None] & (output < N)[None, :]
    tl.store(out + at, sums.to(out.dtype.element_ty), mask=there)


@jit
def _expert_product(
    x, x_scale, order, owners, codes, scale, out, T, M, N, K, P, tiles,
    INT8: tl.constexpr, EVEN: tl.constexpr, ROWS: tl.constexpr, OUTPUTS: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0) % tiles
    place = tl.program_id(0) // tiles
    expert = tl.load(owners + place)
    if expert >= 0:
        codes += expert.to(tl.int64) * N * K
        scale += expert * N
        order += place * ROWS
        if tl.load(order + ROWS // 2) < M:
            _product_tile(
                x, x_scale, order, codes, scale, out,
                T, M, N, K, P, tile, INT8, EVEN, ROWS, OUTPUTS,
            )  # fmt: skip
        else:
            _product_tile(
                x, x_scale, order, codes, scale, out,
                T, M, N, K, P, tile, INT8, EVEN, ROWS // 2, OUTPUTS,
            )  # fmt: skip
