"""Grouped products with int4 weights: each block of rows is multiplied with its expert's matrix.

A program computes a tile of a block's outputs, 64 inputs at a time; `int4` has such a step.
A weight without experts is one with a single expert (`routing.whole`). Shape letters: E experts,
N outputs, K inputs, P inputs filled up to blocks of 64, I expert width, T rows, M pairs.
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
from engine.kernels.int4 import accumulate, inputs, matrix
from engine.kernels.portable import cdiv, constant, jit, tl
from engine.kernels.routing import Schedule
from engine.kernels.tiles import gated_tile, product_tile
from engine.quant.layouts import BLOCK
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int4Tensor, QuantisedTensor

SMALLEST_BLOCK = 32  # a dot has 16 rows at least, and a block that is half full takes the half


def gated_product(
    x: Rows, weight: Int4Tensor, schedule: Schedule, top_k: int, exponents: Tensor, form: Form,
    dtype: torch.dtype,
) -> Rows:  # fmt: skip
    """2^exponents · gelu(gate x) · up x of each pair, as rows [M, P] for the weight behind.

    x: rows [T, P], the exponents of `weight` in them. weight: [E, 2I, K], gate first, or [2I, K].
    schedule: of M = T top_k pairs. exponents: of the weight behind, int8 [E, I] or [I]. form: what
    that one reads; dtype: of rows that are not quantised.
    """
    _check(x, weight, schedule)
    width, device = weight.shape[-2] // 2, device_of(x)
    out = empty_rows(form, schedule.pairs, width, dtype, device)
    tile, tiles = gated_tile(weight.codes, schedule.block), cdiv(width, BLOCK)
    _gated_experts[(schedule.experts.numel() * tiles,)](
        *pointers(x), schedule.order, schedule.experts, weight.codes, weight.scale, weight.zero,
        exponents, width if exponents.ndim == 2 else 0, *pointers(out),
        schedule.pairs, top_k, width, tiles, weight.layout.padded_inputs // BLOCK,
        GROUP=weight.layout.group_size, INT8=isinstance(x, Int8Rows), FORM=form.code,
        ROWS=schedule.block, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def gated_product_plain(
    x: Rows, weight: QuantisedTensor, experts: Tensor, exponents: Tensor, form: Form,
    dtype: torch.dtype,
) -> Rows:  # fmt: skip
    """`gated_product` in plain torch, also for weights of eight bits; experts: int [T, k] of the tokens instead of a schedule."""
    rows = values(x).repeat_interleave(experts.shape[1], dim=0)
    gate, up = _product_of(rows, weight, experts.flatten()).chunk(2, dim=-1)
    factors = powers_of_two(exponents)
    inner = F.gelu(gate, approximate="tanh") * up
    inner = inner * (factors[experts.flatten().long()] if factors.ndim == 2 else factors)
    return plain_rows(inner, form, dtype)


def product(x: Rows, weight: Int4Tensor, schedule: Schedule, dtype: torch.dtype) -> Tensor:
    """The product of each pair's row with its expert's matrix, [M, N] in `dtype`.

    x: rows [M, P], the exponents of `weight` in them. weight: [E, N, K] or [N, K].
    """
    _check(x, weight, schedule)
    outputs, device = weight.shape[-2], device_of(x)
    out = torch.empty((schedule.pairs, outputs), dtype=dtype, device=device)
    tile = product_tile(weight.codes, schedule.block)
    tiles = cdiv(outputs, tile.outputs)
    _expert_product[(schedule.experts.numel() * tiles,)](
        *pointers(x), schedule.order, schedule.experts, weight.codes, weight.scale, weight.zero,
        out, schedule.pairs, outputs, tiles, weight.layout.padded_inputs // BLOCK,
        GROUP=weight.layout.group_size, INT8=isinstance(x, Int8Rows),
        ROWS=schedule.block, OUTPUTS=tile.outputs, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def product_plain(x: Rows, weight: QuantisedTensor, experts: Tensor, dtype: torch.dtype) -> Tensor:
    """`product` in plain torch, also for weights of eight bits; experts: int [M] of the pairs instead of a schedule."""
    return _product_of(values(x), weight, experts).to(dtype)


def _product_of(rows: Tensor, weight: QuantisedTensor, experts: Tensor) -> Tensor:
    """float32 [M, P] with the matrix of each row's expert, without its exponents."""
    rows, single = rows[:, : weight.shape[-1]], len(weight.shape) == 2
    out = rows.new_empty((rows.shape[0], weight.shape[-2]))
    for expert in experts.unique().tolist():
        own = experts == expert
        matrix = weight if single else weight.experts(expert)
        out[own] = F.linear(rows[own], matrix.even(torch.float32))
    return out


def _check(x: Rows, weight: Int4Tensor, schedule: Schedule) -> None:
    """Kernels count on it: a wrong group would give wrong numbers, not an error."""
    if schedule.block < SMALLEST_BLOCK:
        raise ValueError(f"blocks of {schedule.block} rows are too small to be halved")
    padded, rows = weight.layout.padded_inputs, x if isinstance(x, Tensor) else x.codes
    if rows.shape[1] != padded or not rows.is_contiguous():
        raise ValueError(f"rows must be contiguous and have {padded} columns: {tuple(rows.shape)}")
    if isinstance(x, Tensor):
        return
    wanted = (padded // BLOCK, padded // weight.layout.group_size)
    if (x.scale.shape[1], x.sums.shape[1]) != wanted:
        raise ValueError(f"the rows are quantised for another weight than {weight.layout}")


_BLOCK = constant(BLOCK)


@jit
def gelu(x):
    """x/2 · (1 + tanh(u)) = x / (1 + e^-2u) with u = sqrt(2/pi) (x + 0.044715 x³), without tanh."""
    minus_2u = -1.5957691216057308 * (x + 0.044715 * x * x * x)
    return x / (1.0 + tl.exp(minus_2u))


@jit
def _gated_tile(
    x, x_scale, x_sums, order, codes, scale, zero, exponents, out, out_scale, out_sums,
    M, top_k, width, tiles, tile, blocks,
    GROUP: tl.constexpr, INT8: tl.constexpr, FORM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """64 outputs of the pairs in `order`, which is of one expert, as its matrix and exponents are."""
    pair = tl.load(order + tl.arange(0, ROWS))
    filled = pair < M
    token = pair // top_k
    output = tile * _BLOCK + tl.arange(0, _BLOCK)
    there = output < width
    gate = tl.zeros((ROWS, _BLOCK), tl.float32)
    up = tl.zeros((ROWS, _BLOCK), tl.float32)
    for block in range(blocks):
        low, high, factor, first, second = inputs(
            x, x_scale, x_sums, token, filled, block, blocks, GROUP, INT8
        )
        gate = accumulate(
            gate, low, high, factor, first, second, codes, scale, zero,
            output, there, block, 2 * width, GROUP, INT8,
        )  # fmt: skip
        up = accumulate(
            up, low, high, factor, first, second, codes, scale, zero,
            output + width, there, block, 2 * width, GROUP, INT8,
        )  # fmt: skip
    exponent = tl.load(exponents + output, mask=there, other=0).to(tl.int32)
    power = ((exponent + 127) << 23).to(tl.float32, bitcast=True)
    inner = gelu(gate) * up * power[None, :]
    store_blocks(inner, pair * tiles + tile, filled, out, out_scale, out_sums, FORM, False)


@jit
def _gated_experts(
    x, x_scale, x_sums, order, owners, codes, scale, zero, exponents, exponents_step,
    out, out_scale, out_sums, M, top_k, width, tiles, blocks,
    GROUP: tl.constexpr, INT8: tl.constexpr, FORM: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0) % tiles
    place = tl.program_id(0) // tiles
    expert = tl.load(owners + place)
    if expert >= 0:
        codes, scale, zero = matrix(codes, scale, zero, expert, blocks, 2 * width, GROUP)
        exponents += expert * exponents_step
        order += place * ROWS
        # Blocks fill from the front; more than half of a canvas' are at most half full.
        if tl.load(order + ROWS // 2) < M:
            _gated_tile(
                x, x_scale, x_sums, order, codes, scale, zero, exponents, out, out_scale, out_sums,
                M, top_k, width, tiles, tile, blocks, GROUP, INT8, FORM, ROWS,
            )  # fmt: skip
        else:
            _gated_tile(
                x, x_scale, x_sums, order, codes, scale, zero, exponents, out, out_scale, out_sums,
                M, top_k, width, tiles, tile, blocks, GROUP, INT8, FORM, ROWS // 2,
            )  # fmt: skip


@jit
def _product_tile(
    x, x_scale, x_sums, order, codes, scale, zero, out, M, N, tile, blocks,
    GROUP: tl.constexpr, INT8: tl.constexpr, ROWS: tl.constexpr, OUTPUTS: tl.constexpr,
):  # fmt: skip
    """Some outputs of the pairs in `order`, which is of one expert, as its matrix is."""
    pair = tl.load(order + tl.arange(0, ROWS))
    filled = pair < M
    output = tile * OUTPUTS + tl.arange(0, OUTPUTS)
    there = output < N
    acc = tl.zeros((ROWS, OUTPUTS), tl.float32)
    for block in range(blocks):
        low, high, factor, first, second = inputs(
            x, x_scale, x_sums, pair, filled, block, blocks, GROUP, INT8
        )
        acc = accumulate(
            acc, low, high, factor, first, second, codes, scale, zero,
            output, there, block, N, GROUP, INT8,
        )  # fmt: skip
    at = pair[:, None] * N + output[None, :]
    tl.store(out + at, acc.to(out.dtype.element_ty), mask=filled[:, None] & there[None, :])


@jit
def _expert_product(
    x, x_scale, x_sums, order, owners, codes, scale, zero, out, M, N, tiles, blocks,
    GROUP: tl.constexpr, INT8: tl.constexpr, ROWS: tl.constexpr, OUTPUTS: tl.constexpr,
):  # fmt: skip
    tile = tl.program_id(0) % tiles
    place = tl.program_id(0) // tiles
    expert = tl.load(owners + place)
    if expert >= 0:
        codes, scale, zero = matrix(codes, scale, zero, expert, blocks, N, GROUP)
        order += place * ROWS
        if tl.load(order + ROWS // 2) < M:  # as in _gated_experts
            _product_tile(
                x, x_scale, x_sums, order, codes, scale, zero, out,
                M, N, tile, blocks, GROUP, INT8, ROWS, OUTPUTS,
            )  # fmt: skip
        else:
            _product_tile(
                x, x_scale, x_sums, order, codes, scale, zero, out,
                M, N, tile, blocks, GROUP, INT8, ROWS // 2, OUTPUTS,
            )  # fmt: skip
