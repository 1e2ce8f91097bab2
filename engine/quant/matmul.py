"""Products with quantised weights in plain torch: the reference of the kernels, and the CPU's way.

The weights become plain numbers a few rows at a time, so that no unquantised copy of a tensor ever
exists. Shape letters: T rows of input, K inputs, N outputs, E experts.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.quant.tensors import QuantisedTensor

_SLICE = 1 << 22  # weights that are plain numbers at a time


def linear(x: Tensor, weight: QuantisedTensor) -> Tensor:
    """x · weightᵀ for a weight [N, K]; [..., K] -> [..., N] in the dtype of x."""
    outputs, inputs = weight.layout.shape
    step = max(1, _SLICE // inputs)
    out = x.new_empty((*x.shape[:-1], outputs))
    for start in range(0, outputs, step):
        rows = slice(start, min(start + step, outputs))
        out[..., rows] = F.linear(x, weight.rows(rows, x.dtype))
    return out


def grouped_linear(x: Tensor, weight: QuantisedTensor, ends: Tensor) -> Tensor:
    """Each expert's product with its block of rows; [T, K] -> [T, N] for a weight [E, N, K].

    ends: int32 [E], where the block of each expert ends, as for `torch.nn.functional.grouped_mm`.
    """
    out = x.new_zeros((x.shape[0], weight.layout.shape[1]))
    start = 0
    for expert, end in enumerate(ends.tolist()):
        if end > start:
            out[start:end] = linear(x[start:end], weight.expert(expert))
        start = end
    return out
