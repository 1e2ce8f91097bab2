"""Products with weights, plain or quantised: the reference of the kernels, and the CPU's way.

Quantised weights become plain numbers a few at a time, so that no unquantised copy of a tensor ever
exists; their exponents go to the other factor. Shape letters: T rows of input, K inputs, N outputs,
E experts.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int8Tensor, Matrix, QuantisedTensor, dequantise
from engine.sizes import WEIGHT_SLICE as _SLICE


def linear(x: Tensor, weight: Matrix) -> Tensor:
    """x · weightᵀ for a weight [N, K]; [..., K] -> [..., N] in the dtype of x."""
    if isinstance(weight, Tensor):
        return F.linear(x, weight)
    x = x * powers_of_two(weight.exponents).to(x.dtype)
    slices = _slices(*weight.shape)
    if len(slices) == 1:
        return _linear(x, weight)
    out = x.new_empty((*x.shape[:-1], weight.shape[0]))
    for rows in slices:
        out[..., rows] = _linear(x, weight.rows(rows))
    return out


def _linear(x: Tensor, weight: QuantisedTensor) -> Tensor:
    """The product without exponents. Scaling outputs instead of weights of eight bits is quicker."""
    if isinstance(weight, Int8Tensor):
        return (F.linear(x, weight.codes.to(x.dtype)) * weight.scale).to(x.dtype)
    return F.linear(x, weight.even(x.dtype))


def grouped_linear(x: Tensor, weight: Matrix, ends: Tensor) -> Tensor:
    """Each expert's product with its block of rows; [T, K] -> [T, N] for a weight [E, N, K].

    ends: int32 [E], where the block of each expert ends. Rows behind the last end are undefined.
    """
    if isinstance(weight, Tensor):
        return F.grouped_mm(x, weight.transpose(1, 2), offs=ends)
    experts, outputs, inputs = weight.shape
    out = x.new_empty((x.shape[0], outputs))
    starts = [0, *ends.tolist()]
    for some in _slices(experts, outputs * inputs):
        rows = slice(starts[some.start], starts[some.stop])
        if rows.start == rows.stop:
            continue
        if some.stop - some.start == 1:
            out[rows] = linear(x[rows], weight.experts(some.start))
        else:
            out[rows] = _grouped(x[rows], weight.experts(some), ends[some] - rows.start)
    return out


def _grouped(x: Tensor, weight: QuantisedTensor, ends: Tensor) -> Tensor:
    """The product with all experts at once."""
    factors = powers_of_two(weight.exponents).to(x.dtype)
    if factors.ndim == 2:  # each row's own
        counts = ends.diff(prepend=ends.new_zeros(1))
        factors = factors.repeat_interleave(counts, dim=0, output_size=x.shape[0])
    return F.grouped_mm(x * factors, weight.even(x.dtype).transpose(1, 2), offs=ends)


def mix(chance: Tensor, weight: Matrix) -> Tensor:
    """chance · weight, the expected row of a weight [N, K]; [..., N] -> [..., K]."""
    if isinstance(weight, Tensor):
        return chance @ weight
    slices = _slices(*weight.shape)
    out = _mix(chance[..., slices[0]], weight.rows(slices[0]))
    for rows in slices[1:]:
        out += _mix(chance[..., rows], weight.rows(rows))
    return out * powers_of_two(weight.exponents).to(chance.dtype)


def _mix(chance: Tensor, weight: QuantisedTensor) -> Tensor:
    if isinstance(weight, Int8Tensor):
        return (chance * weight.scale).to(chance.dtype) @ weight.codes.to(chance.dtype)
    return chance @ weight.even(chance.dtype)


def lookup(ids: Tensor, weight: Matrix, dtype: torch.dtype) -> Tensor:
    """The rows `ids` (int64 [...]) of a weight [N, K] as plain numbers, [..., K]."""
    if isinstance(weight, Tensor):
        return F.embedding(ids, weight)
    return dequantise(weight.rows(ids.flatten()), dtype).view(*ids.shape, -1)


def _slices(count: int, size: int) -> list[slice]:
    """Runs that cover `count` rows of `size` weights, each of at most `_SLICE` weights or one row."""
    step = max(1, _SLICE // size)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
