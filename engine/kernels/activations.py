"""Rows of activations as the products with quantised weights read them: 16 bits, or int8 with scales.

Shape letters: R rows, K inputs, P inputs filled up with zeros to whole blocks of 64.

    int8    x[r, k] = scale[r, k // 64] · codes[r, k]        scale = largest |x| of the block / 127

One scale for a row is too coarse where a few channels are large, so each block of 64 has its own,
which is also the piece of K that a product takes at a time. `sums` serve the zeros of int4 weights:
Σ x·(q - z/16) = Σ x·q - z/16 · Σ x. Exponents of a weight are multiplied into its inputs before.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.portable import constant, jit, tl
from engine.quant.layouts import BLOCK

LARGEST = 127
TINIEST = 1e-30  # of a block's largest number: the reciprocal of less could be infinite


@dataclass(frozen=True, kw_only=True, eq=False)
class Int8Rows:
    codes: Tensor  # int8 [R, P]
    scale: Tensor  # float32 [R, P / 64], or [R, 1] where a row has one scale
    sums: Tensor  # int16 [R, P / group], Σ codes of each group of inputs of the weight


Rows = Tensor | Int8Rows  # a Tensor is [R, P] in 16 or 32 bits


@dataclass(frozen=True, kw_only=True)
class Form:
    """How rows are written: with 8 bits, or in the dtype of the network.

    group: of the int4 weight that will read them, 32 or 64. whole: one scale for a row.
    """

    bits: int = 8
    group: int = 64
    whole: bool = False

    @property
    def code(self) -> int:
        """For kernels: the group, or 0 without quantising."""
        return self.group if self.bits == 8 else 0


HALF = Form(bits=16)


def empty_rows(
    form: Form, rows: int, inputs: int, dtype: torch.dtype, device: torch.device
) -> Rows:
    """Memory for rows of that form. dtype: where they are not quantised."""
    blocks = -(-inputs // BLOCK)
    if form.bits != 8:
        return torch.empty((rows, blocks * BLOCK), dtype=dtype, device=device)
    scales = (rows, 1 if form.whole else blocks)
    sums = (rows, blocks * BLOCK // form.group)
    return Int8Rows(
        codes=torch.empty((rows, blocks * BLOCK), dtype=torch.int8, device=device),
        scale=torch.empty(scales, dtype=torch.float32, device=device),
        sums=torch.empty(sums, dtype=torch.int16, device=device),
    )


def pointers(rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
    """Codes, scale and sums for a kernel; where there are no such parts, anything."""
    if isinstance(rows, Tensor):
        return rows, rows, rows
    return rows.codes, rows.scale, rows.sums


def device_of(rows: Rows) -> torch.device:
    return rows.device if isinstance(rows, Tensor) else rows.codes.device


def plain_rows(x: Tensor, form: Form, dtype: torch.dtype) -> Rows:
    """x (float32 [R, K]) in that form, in plain torch: the reference of every kernel that quantises.

    dtype: of rows that are not quantised.
    """
    x = F.pad(x, (0, -x.shape[1] % BLOCK))
    if form.bits != 8:
        return x.to(dtype)
    blocks = x.unflatten(1, (-1, BLOCK))
    largest = blocks.abs().amax(dim=-1, keepdim=True)
    if form.whole:
        largest = largest.amax(dim=1, keepdim=True)
    largest = largest.clamp(min=TINIEST)
    codes = (blocks * (1.0 / largest * LARGEST)).round().flatten(1)
    sums = codes.unflatten(1, (-1, form.group)).sum(dim=-1)
    scale = (largest / LARGEST).flatten(1)
    return Int8Rows(codes=codes.to(torch.int8), scale=scale, sums=sums.to(torch.int16))


def values(rows: Rows) -> Tensor:
    """The numbers that rows stand for, float32 [R, P]."""
    if isinstance(rows, Tensor):
        return rows.float()
    blocks = rows.codes.float().unflatten(1, (-1, BLOCK))
    scaled: Tensor = blocks * rows.scale[..., None]
    return scaled.flatten(1)


_BLOCK = constant(BLOCK)
_LARGEST = constant(float(LARGEST))
_TINIEST = constant(TINIEST)
_HALFWAY = constant(12582912.0)  # 1.5 · 2^23: adding it leaves no fraction, rounded to even


@jit
def store_blocks(y, at, keep, codes, scale, sums, FORM: tl.constexpr, WHOLE: tl.constexpr):
    """Writes blocks y (float32 [A, 64]) at the places `at` ([A], row · P / 64 + block) where `keep`.

    FORM: 0, or the group of the sums. WHOLE: the blocks are one row, `scale` points to its scale.
    """
    inner = tl.arange(0, _BLOCK)
    there = at[:, None] * _BLOCK + inner[None, :]
    if FORM == 0:
        tl.store(codes + there, y.to(codes.dtype.element_ty), mask=keep[:, None])
    else:
        largest = tl.max(tl.abs(y), axis=1)
        if WHOLE:
            largest = tl.max(largest, axis=0) + tl.zeros_like(largest)
        largest = tl.maximum(largest, _TINIEST)
        inverse = 1.0 / largest * _LARGEST
        rounded = (y * inverse[:, None] + _HALFWAY) - _HALFWAY
        tl.store(codes + there, rounded.to(tl.int32).to(tl.int8), mask=keep[:, None])
        if WHOLE:
            tl.store(scale, tl.max(largest, axis=0) / _LARGEST)
        else:
            tl.store(scale + at, largest / _LARGEST, mask=keep)
        if FORM == 64:
            tl.store(sums + at, tl.sum(rounded, axis=1).to(tl.int32).to(tl.int16), mask=keep)
        else:
            low = tl.sum(tl.where(inner[None, :] < 32, rounded, 0.0), axis=1)
            high = tl.sum(tl.where(inner[None, :] < 32, 0.0, rounded), axis=1)
            tl.store(sums + 2 * at, low.to(tl.int32).to(tl.int16), mask=keep)
            tl.store(sums + 2 * at + 1, high.to(tl.int32).to(tl.int16), mask=keep)
