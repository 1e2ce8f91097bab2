"""A weight tensor becomes a quantised one, a few rows at a time.

Beside the weight and the result there are only temporaries of one slice, so that the experts of a
layer, [128, 1408, 2816], need a few MB on a CPU. What is returned shares no memory with the weight:
once the caller drops the weight, only the quantised parts are left.
Shape letters: E experts, N outputs, K inputs, P inputs filled up to whole blocks.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.messages import EngineFault, ErrorKind
from engine.quant.layouts import Int4Layout, Int8Layout
from engine.quant.pack import pack, powers_of_two
from engine.quant.scales import absmax_scale, channel_exponents, search_grid
from engine.quant.tensors import Int4Tensor, Int8Tensor, empty_parts

# Weights in a slice. A CPU is fastest when a slice stays in its cache; a GPU wants many at once.
_SLICE = {"cpu": 1 << 18, "cuda": 1 << 23}


def quantise_int4(
    weight: Tensor, *, name: str, group_size: int = 64, shared_input: bool = False
) -> Int4Tensor:
    """`weight` [N, K] or [E, N, K] of any float dtype in four bits, on the same device.

    name: of the tensor, for people. shared_input: all experts read the same inputs. Raises
    EngineFault when the weight holds NaN or infinity, or there is no such layout.
    """
    layout = Int4Layout(shape=tuple(weight.shape), group_size=group_size, shared_input=shared_input)
    tensor = Int4Tensor(layout=layout, **empty_parts(layout, weight.device))
    tensor.exponents.copy_(_exponents(weight, shared_input, name))
    filling = (0, layout.padded_inputs - weight.shape[-1])
    for expert, rows in _slices(weight):
        target = tensor if expert is None else tensor.experts(expert)
        factors = powers_of_two(target.exponents)
        even = F.pad(_part(weight, expert, rows) / factors, filling)
        # Transposed, sums over a group run along contiguous rows: several times faster on a CPU.
        groups = even.T.contiguous().unflatten(0, (-1, group_size))
        # An error in an evened-out channel is as many times larger at the output as the channel was.
        importance = F.pad(factors.square(), filling).unflatten(0, (-1, group_size))
        grid = search_grid(groups, importance)
        target.codes[:, rows] = pack(grid.nearest(groups).flatten(0, 1).T)
        target.scale[:, rows] = grid.scale
        target.zero[:, rows] = grid.zero
    return tensor


def quantise_int8(weight: Tensor, *, name: str, shared_input: bool = False) -> Int8Tensor:
    """`weight` [N, K] or [E, N, K] in eight bits, one scale a row; as `quantise_int4`."""
    layout = Int8Layout(shape=tuple(weight.shape), shared_input=shared_input)
    tensor = Int8Tensor(layout=layout, **empty_parts(layout, weight.device))
    tensor.exponents.copy_(_exponents(weight, shared_input, name))
    for expert, rows in _slices(weight):
        target = tensor if expert is None else tensor.experts(expert)
        even = _part(weight, expert, rows) / powers_of_two(target.exponents)
        scale = absmax_scale(even)
        target.codes[rows] = (even / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
        target.scale[rows] = scale
    return tensor


def _exponents(weight: Tensor, shared_input: bool, name: str) -> Tensor:
    """Exponents, int8 [(E,) K], from the mean magnitude of each input channel."""
    experts = weight.shape[0] if weight.ndim == 3 else 1
    total = torch.zeros(experts, weight.shape[-1], device=weight.device)
    for expert, rows in _slices(weight):
        total[expert or 0] += _part(weight, expert, rows).abs().sum(dim=0)
    if not torch.isfinite(total).all():
        raise EngineFault(
            ErrorKind.MODEL_BROKEN,
            f"The model is damaged: {name} holds values that are no numbers.",
            "Download the model again.",
        )
    size = total.sum(dim=0) if shared_input or weight.ndim == 2 else total
    return channel_exponents(size / total.shape[0] / weight.shape[-2])


def _slices(weight: Tensor) -> Iterator[tuple[int | None, slice]]:
    """Runs of rows that cover the weight, each with its expert, or None in a weight of one matrix."""
    outputs, inputs = weight.shape[-2:]
    step = max(1, _SLICE[weight.device.type] // inputs)
    for expert in range(weight.shape[0]) if weight.ndim == 3 else (None,):
        for start in range(0, outputs, step):
            yield expert, slice(start, min(start + step, outputs))


def _part(weight: Tensor, expert: int | None, rows: slice) -> Tensor:
    return (weight if expert is None else weight[expert])[rows].float()
