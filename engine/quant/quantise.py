"""A weight becomes a quantised one, a few rows at a time.

Beside the weight and the result there are only temporaries of one slice, so that the experts of a
layer, [128, 1408, 2816], need a few MB on a CPU, and none of the weight where it is read from a file
slice by slice. What is returned shares no memory with the weight.
Shape letters: E experts, N outputs, K inputs, P inputs filled up to whole blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.messages import EngineFault, ErrorKind
from engine.quant.layouts import Int4Layout, Int8Layout, Layout
from engine.quant.pack import pack, powers_of_two
from engine.quant.scales import absmax_scale, channel_exponents, search_grid
from engine.quant.tensors import Int4Tensor, Int8Tensor, QuantisedTensor, empty_parts

# Rows of a weight: (expert, or None in a weight of one matrix; which rows) -> [R, K] of any float
# dtype. Called twice for each, in order.
Read = Callable[[int | None, slice], Tensor]

# Weights in a slice. A CPU is fastest when a slice stays in its cache; a GPU wants many at once.
_SLICE = {"cpu": 1 << 18, "cuda": 1 << 23}


def quantise(read: Read, layout: Layout, *, name: str, device: torch.device) -> QuantisedTensor:
    """The weight that `read` gives, in a layout, on a device.

    name: of the tensor, for people. Raises EngineFault when the weight holds NaN or infinity.
    """
    parts = empty_parts(layout, device)
    parts["exponents"].copy_(_exponents(read, layout, name, device))
    if isinstance(layout, Int4Layout):
        return _quantise_int4(read, Int4Tensor(layout=layout, **parts))
    return _quantise_int8(read, Int8Tensor(layout=layout, **parts))


def quantise_int4(
    weight: Tensor, *, name: str, group_size: int = 64, shared_input: bool = False
) -> Int4Tensor:
    """`weight` [N, K] or [E, N, K] of any float dtype in four bits, on the same device.

    shared_input: all experts read the same inputs. Raises EngineFault as `quantise`, and when there
    is no such layout.
    """
    layout = Int4Layout(shape=tuple(weight.shape), group_size=group_size, shared_input=shared_input)
    tensor = quantise(_reader(weight), layout, name=name, device=weight.device)
    assert isinstance(tensor, Int4Tensor)
    return tensor


def quantise_int8(weight: Tensor, *, name: str, shared_input: bool = False) -> Int8Tensor:
    """`weight` [N, K] or [E, N, K] in eight bits, one scale a row; as `quantise_int4`."""
    layout = Int8Layout(shape=tuple(weight.shape), shared_input=shared_input)
    tensor = quantise(_reader(weight), layout, name=name, device=weight.device)
    assert isinstance(tensor, Int8Tensor)
    return tensor


def _quantise_int4(read: Read, tensor: Int4Tensor) -> Int4Tensor:
    layout, device = tensor.layout, tensor.codes.device
    filling = (0, layout.padded_inputs - layout.shape[-1])
    for expert, rows in _slices(layout, device):
        target = tensor if expert is None else tensor.experts(expert)
        factors = powers_of_two(target.exponents)
        even = F.pad(_floats(read(expert, rows), device) / factors, filling)
        # Transposed, sums over a group run along contiguous rows: several times faster on a CPU.
        groups = even.T.contiguous().unflatten(0, (-1, layout.group_size))
        # An error in an evened-out channel is as many times larger at the output as the channel was.
        importance = F.pad(factors.square(), filling).unflatten(0, (-1, layout.group_size))
        grid = search_grid(groups, importance)
        target.codes[:, rows] = pack(grid.nearest(groups).flatten(0, 1).T)
        target.scale[:, rows] = grid.scale
        target.zero[:, rows] = grid.zero
    return tensor


def _quantise_int8(read: Read, tensor: Int8Tensor) -> Int8Tensor:
    device = tensor.codes.device
    for expert, rows in _slices(tensor.layout, device):
        target = tensor if expert is None else tensor.experts(expert)
        even = _floats(read(expert, rows), device) / powers_of_two(target.exponents)
        scale = absmax_scale(even)
        target.codes[rows] = (even / scale[:, None]).round().clamp(-127, 127).to(torch.int8)
        target.scale[rows] = scale
    return tensor


def _exponents(read: Read, layout: Layout, name: str, device: torch.device) -> Tensor:
    """Exponents, int8 [(E,) K], from the mean magnitude of each input channel."""
    *experts, outputs, inputs = layout.shape
    total = torch.zeros(*(experts or [1]), inputs, device=device)
    for expert, rows in _slices(layout, device):
        total[expert or 0] += _floats(read(expert, rows), device).abs().sum(dim=0)
    if not torch.isfinite(total).all():
        raise EngineFault(
            ErrorKind.MODEL_BROKEN,
            f"The model is damaged: {name} holds values that are no numbers.",
            "Download the model again.",
        )
    size = total.sum(dim=0) if layout.shared_input or not experts else total
    return channel_exponents(size / total.shape[0] / outputs)


def _slices(layout: Layout, device: torch.device) -> Iterator[tuple[int | None, slice]]:
    """Runs of rows that cover the weight, each with its expert, or None in a weight of one matrix."""
    *experts, outputs, inputs = layout.shape
    step = max(1, _SLICE[device.type] // inputs)
    for expert in range(experts[0]) if experts else (None,):
        for start in range(0, outputs, step):
            yield expert, slice(start, min(start + step, outputs))


def _reader(weight: Tensor) -> Read:
    return lambda expert, rows: (weight if expert is None else weight[expert])[rows]


def _floats(rows: Tensor, device: torch.device) -> Tensor:
    return rows.to(device, torch.float32)
