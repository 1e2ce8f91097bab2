"""Checkpoints in the compressed-tensors format: packed integers, INT8, FP8 and NVFP4.

A quantised matrix `module.weight` is stored as several tensors of the same module. The ways of
storing are declared in `quantization_config` of config.json, and every matrix must fit one of them.
Source: the compressors of the library compressed-tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoint.files import unsupported
from engine.checkpoint.modelopt import fp4_tensor
from engine.checkpoint.parts import DTYPES, Parts, by_module, misfit, plain_tensor, take
from engine.checkpoint.safetensors import TensorEntry, index_checkpoint, read_rows, read_tensor
from engine.checkpoint.source import (
    GroupedIntegers,
    Grouping,
    SourceTensor,
    Stored,
    checked,
    fuse_experts,
    match,
    mismatch,
)
from engine.config import read_json
from engine.messages import EngineFault

Rows = Callable[[int, int], Tensor]

# Of the activations, for engines that round them too.
_UNUSED = {"input_scale", "input_zero_point", "input_global_scale"}
_PARTS = _UNUSED | {
    "weight", "weight_packed", "weight_scale", "weight_shape", "weight_zero_point",
    "weight_global_scale",
}  # fmt: skip

_KNOWN = (
    ("int", 4, "group"),
    ("int", 4, "channel"),
    ("int", 8, "group"),
    ("int", 8, "channel"),
    ("float", 8, "channel"),
    ("float", 4, "tensor_group"),  # NVFP4
)


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """One way of storing matrices that the configuration declares."""

    kind: str  # "int" or "float"
    bits: int
    group_size: int | None  # None: one scale a row
    is_symmetric: bool


def open_compressed(
    folder: Path, expected: Mapping[str, tuple[int, ...]]
) -> dict[str, SourceTensor]:
    """The tensors of a checkpoint folder by the network's names; the weights are still on disk.

    expected: name and shape of every tensor, vision tower included.
    Raises EngineFault naming what is damaged, unknown, missing, left over or of another shape.
    """
    file = folder / "config.json"
    schemes = _schemes(file, read_json(file).get("quantization_config"))
    tensors = {
        name: _tensor(name, parts, schemes)
        for name, parts in by_module(index_checkpoint(folder, DTYPES), _PARTS).items()
    }
    fuse_experts(folder, tensors, expected)
    match(folder, tensors, expected)
    return tensors


def _schemes(file: Path, settings: object) -> list[Scheme]:
    if not isinstance(settings, dict) or settings.get("quant_method") != "compressed-tensors":
        raise unsupported(file, "its configuration does not declare compressed-tensors")
    if settings.get("quantization_status") != "compressed":
        raise unsupported(file, "its configuration does not say that its weights are compressed")
    groups = settings.get("config_groups")
    if not isinstance(groups, dict) or not groups:
        raise unsupported(file, "its configuration declares no groups")
    return [_scheme(file, group) for group in groups.values()]


def _scheme(file: Path, group: object) -> Scheme:
    weights = group.get("weights") if isinstance(group, dict) else None
    if not isinstance(weights, dict):
        raise unsupported(file, "its configuration declares a group without weights")
    declared = [weights.get(key) for key in ("type", "num_bits", "strategy")]
    known = next((kinds for kinds in _KNOWN if list(kinds) == declared), None)
    if known is None:
        raise unsupported(file, f"it has weights of the kind {str(declared)[:80]}")
    kind, bits, strategy = known
    size, is_symmetric = weights.get("group_size"), weights.get("symmetric", True)
    is_size = strategy == "channel" or (type(size) is int and size > 0)
    if not is_size or (strategy == "tensor_group" and size != 16):
        raise unsupported(file, f"it has groups of {str(size)[:80]} weights")
    if weights.get("actorder") in ("group", "dynamic"):
        raise unsupported(file, "its groups do not follow the order of the columns")
    if type(is_symmetric) is not bool or (kind == "float" and not is_symmetric):
        raise unsupported(file, "its zero points are of an unknown kind")
    return Scheme(
        kind=kind,
        bits=bits,
        group_size=None if strategy == "channel" else size,
        is_symmetric=is_symmetric,
    )


def _tensor(name: str, parts: Parts, schemes: list[Scheme]) -> SourceTensor:
    parts = {part: entry for part, entry in parts.items() if part not in _UNUSED}
    if parts.keys() == {"weight"}:
        return plain_tensor(name, parts["weight"])
    if "weight_global_scale" in parts:
        entries = take(name, parts, "weight_packed", "weight_scale", "weight_global_scale")
        _require(name, entries[1], schemes, "float", 4)
        return fp4_tensor(name, *entries, divide=True)
    if "weight_packed" in parts:
        return _packed(name, parts, schemes)
    if "weight" in parts and parts["weight"].dtype == torch.float8_e4m3fn:
        return _float8(name, parts, schemes)
    return _int8(name, parts, schemes)


def _float8(name: str, parts: Parts, schemes: list[Scheme]) -> SourceTensor:
    weight, scale = take(name, parts, "weight", "weight_scale")
    _require(name, scale, schemes, "float", 8)
    if len(weight.shape) != 2:
        raise misfit(weight)
    if not scale.dtype.is_floating_point or scale.shape != (weight.shape[0], 1):
        raise misfit(scale)

    def load(start: int, stop: int) -> Stored:
        weights = read_rows(weight, start, stop).float() * read_rows(scale, start, stop).float()
        return checked(weight.file, name, weights)

    return SourceTensor(
        name=name,
        shape=weight.shape,
        file=weight.file,
        stored_as="FP8",
        size=weight.size + scale.size,
        grouping=None,
        load=load,
    )


def _int8(name: str, parts: Parts, schemes: list[Scheme]) -> SourceTensor:
    zero = parts.get("weight_zero_point")
    weight, scale, *_ = take(name, parts, "weight", "weight_scale", *_if_there(zero))
    if weight.dtype != torch.int8 or len(weight.shape) != 2:
        raise misfit(weight)
    if zero is not None and (zero.dtype != torch.int8 or zero.shape != scale.shape):
        raise misfit(zero)
    return _integers(
        name,
        parts,
        weight.shape,
        _integer_scheme(name, weight.shape, parts, schemes, None),
        lambda start, stop: read_rows(weight, start, stop),
        None if zero is None else lambda start, stop: read_rows(zero, start, stop),
    )


def _packed(name: str, parts: Parts, schemes: list[Scheme]) -> SourceTensor:
    """Integers packed into int32 along each row, lowest bits first; zero points down each column."""
    zero = parts.get("weight_zero_point")
    packed, scale, stored_shape, *_ = take(
        name, parts, "weight_packed", "weight_scale", "weight_shape", *_if_there(zero)
    )
    if stored_shape.dtype not in (torch.int32, torch.int64) or stored_shape.shape != (2,):
        raise misfit(stored_shape)
    rows, width = shape = tuple(read_tensor(stored_shape).tolist())
    if packed.dtype != torch.int32 or packed.shape[:-1] != (rows,) or width < 1:
        raise misfit(packed)
    scheme = _integer_scheme(name, shape, parts, schemes, packed.shape[1])
    if zero is not None:
        words = _words(rows, scheme.bits)
        if zero.dtype != torch.int32 or zero.shape != (words, *scale.shape[1:]):
            raise misfit(zero)
    return _integers(
        name,
        parts,
        shape,
        scheme,
        lambda start, stop: _unpack(read_rows(packed, start, stop), scheme.bits)[:, :width],
        None if zero is None else _packed_zeros(zero, scheme.bits),
    )


def _packed_zeros(zero: TensorEntry, bits: int) -> Rows:
    def rows(start: int, stop: int) -> Tensor:
        columns = _unpack(read_tensor(zero).t().contiguous(), bits)  # [groups, rows]
        return columns[:, start:stop].t().contiguous()

    return rows


def _integers(
    name: str,
    parts: Parts,
    shape: tuple[int, ...],
    scheme: Scheme,
    values: Rows,
    zero_points: Rows | None,
) -> SourceTensor:
    scale, half = parts["weight_scale"], 1 << (scheme.bits - 1)
    grouping = Grouping(group_size=scheme.group_size or shape[1], low=-half, high=half - 1)

    def load(start: int, stop: int) -> Stored:
        stored = GroupedIntegers(
            grouping=grouping,
            values=values(start, stop),
            scales=read_rows(scale, start, stop).float(),
            zero_points=None if zero_points is None else zero_points(start, stop),
        )
        return checked(scale.file, name, stored)

    return SourceTensor(
        name=name,
        shape=shape,
        file=scale.file,
        stored_as=f"INT{scheme.bits}" + ("" if zero_points is None else " with zero points"),
        size=sum(entry.size for entry in parts.values()),
        grouping=grouping,
        load=load,
    )


def _integer_scheme(
    name: str, shape: tuple[int, ...], parts: Parts, schemes: list[Scheme], words: int | None
) -> Scheme:
    """The declared scheme that a matrix of integers fits. words: a row's int32, None: bytes."""
    scale, (rows, width) = parts["weight_scale"], shape
    if not scale.dtype.is_floating_point or scale.shape[:-1] != (rows,):
        raise misfit(scale)
    for scheme in schemes:
        if (
            scheme.kind == "int"
            and scheme.is_symmetric == ("weight_zero_point" not in parts)
            and (scheme.bits == 8 if words is None else words == _words(width, scheme.bits))
            and scale.shape[1] * (scheme.group_size or width) == width
        ):
            return scheme
    raise _undeclared(name, scale)


def _words(count: int, bits: int) -> int:
    """How many int32 hold `count` numbers."""
    return -(-count * bits // 32)


def _unpack(packed: Tensor, bits: int) -> Tensor:
    """int32 [R, C] -> int8 [R, 32 C / bits]; the stored numbers are shifted to begin at zero."""
    raw = packed.view(torch.uint8)
    if bits == 4:
        raw = torch.stack((raw & 15, raw >> 4), dim=-1).flatten(1)
        return raw.view(torch.int8) - 8
    return (raw ^ 128).view(torch.int8)


def _if_there(zero: TensorEntry | None) -> tuple[str, ...]:
    return () if zero is None else ("weight_zero_point",)


def _require(name: str, scale: TensorEntry, schemes: list[Scheme], kind: str, bits: int) -> None:
    if not any((scheme.kind, scheme.bits) == (kind, bits) for scheme in schemes):
        raise _undeclared(name, scale)


def _undeclared(name: str, part: TensorEntry) -> EngineFault:
    return mismatch(part.file, f"{name} is stored in no way that its configuration declares")
