"""NVFP4 checkpoints of NVIDIA ModelOpt: four-bit floats with an FP8 scale for every 16.

weight = fp4 * weight_scale * weight_scale_2. Twice an FP4 number (E2M1: 0, 0.5, 1, 1.5, 2, 3, 4,
6 and their negatives) is an integer, so the weights are integers from -12 to 12 with half the
scale, exactly. Source: ModelOpt's NVFP4QTensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoint.files import broken, unsupported
from engine.checkpoint.parts import DTYPES, by_module, misfit, plain_tensor, take
from engine.checkpoint.safetensors import TensorEntry, index_checkpoint, read_rows, read_tensor
from engine.checkpoint.source import (
    GroupedIntegers,
    Grouping,
    SourceTensor,
    Stored,
    checked,
    fuse_experts,
    match,
)
from engine.config import read_json

_GROUPING = Grouping(group_size=16, low=-12, high=12)
_MAGNITUDES = (0, 1, 2, 3, 4, 6, 8, 12)  # twice the E2M1 numbers
_UNUSED = "input_scale"  # of the activations, for engines that round them too
_PARTS = {"weight", "weight_scale", "weight_scale_2", _UNUSED}


def open_modelopt(folder: Path, expected: Mapping[str, tuple[int, ...]]) -> dict[str, SourceTensor]:
    """The tensors of a checkpoint folder by the network's names; the weights are still on disk.

    expected: name and shape of every tensor, vision tower included.
    Raises EngineFault naming what is damaged, unknown, missing, left over or of another shape.
    """
    _check_settings(folder)
    tensors = {}
    for name, parts in by_module(index_checkpoint(folder, DTYPES), _PARTS).items():
        parts.pop(_UNUSED, None)
        if parts.keys() == {"weight"}:
            tensors[name] = plain_tensor(name, parts["weight"])
        else:
            packed, scale, overall = take(name, parts, "weight", "weight_scale", "weight_scale_2")
            tensors[name] = fp4_tensor(name, packed, scale, overall, divide=False)
    fuse_experts(folder, tensors, expected)
    match(folder, tensors, expected)
    return tensors


def fp4_tensor(
    name: str, packed: TensorEntry, scale: TensorEntry, overall: TensorEntry, *, divide: bool
) -> SourceTensor:
    """A matrix [R, N] of FP4 numbers: packed uint8 [R, N / 2], low half first, scale FP8 [R, N / 16].

    overall: one float32 that multiplies all scales, or divides them. Raises EngineFault.
    """
    for entry, dtype in ((packed, torch.uint8), (scale, torch.float8_e4m3fn)):
        if entry.dtype != dtype or len(entry.shape) != 2:
            raise misfit(entry)
    if scale.shape != (packed.shape[0], packed.shape[1] // 8) or packed.shape[1] % 8:
        raise misfit(scale)
    if overall.dtype != torch.float32 or overall.shape not in ((), (1,)):
        raise misfit(overall)

    def load(start: int, stop: int) -> Stored:
        factor = read_tensor(overall).view(1)
        if not torch.isfinite(factor):
            raise broken(overall.file, f"{overall.name} is no number")
        scales = read_rows(scale, start, stop).float()
        scales = scales / factor if divide else scales * factor
        values = _unpack(read_rows(packed, start, stop))
        stored = GroupedIntegers(grouping=_GROUPING, values=values, scales=scales / 2)
        return checked(packed.file, name, stored)

    return SourceTensor(
        name=name,
        shape=(packed.shape[0], 2 * packed.shape[1]),
        file=packed.file,
        stored_as="NVFP4",
        size=packed.size + scale.size + overall.size,
        grouping=_GROUPING,
        load=load,
    )


def _unpack(packed: Tensor) -> Tensor:
    """uint8 [R, N / 2] -> int8 [R, N], twice the FP4 numbers. Bit 3 of a half is its sign."""
    table = torch.tensor([*_MAGNITUDES, *(-n for n in _MAGNITUDES)], dtype=torch.int8)
    halves = torch.stack((packed & 15, packed >> 4), dim=-1).flatten(1)
    return table.index_select(0, halves.flatten().int()).view(halves.shape)


def _check_settings(folder: Path) -> None:
    file = folder / "hf_quant_config.json"
    key = "quantization"
    if not file.is_file():
        file, key = folder / "config.json", "quantization_config"
    settings = read_json(file).get(key)
    if not isinstance(settings, dict) or settings.get("quant_algo") != "NVFP4":
        raise unsupported(file, "its configuration does not declare NVFP4")
    size = settings.get("group_size", _GROUPING.group_size)
    if size != _GROUPING.group_size:
        raise unsupported(file, f"it has groups of {str(size)[:16]} weights")
