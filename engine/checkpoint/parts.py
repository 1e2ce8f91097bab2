"""Matrices that a safetensors checkpoint stores as several tensors of one module."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from engine.checkpoint.safetensors import FLOATS, TensorEntry, read_rows
from engine.checkpoint.source import SourceTensor, Stored, checked, mismatch
from engine.messages import EngineFault

Parts = dict[str, TensorEntry]

DTYPES = FLOATS | {
    "I8": torch.int8,
    "U8": torch.uint8,
    "I32": torch.int32,
    "I64": torch.int64,
    "F8_E4M3": torch.float8_e4m3fn,
}


def by_module(entries: Mapping[str, TensorEntry], parts: set[str]) -> dict[str, Parts]:
    """What stores each tensor, by the tensor's name: `module.weight` of the entries `module.part`.

    A tensor that is no part of a module is its own "weight".
    """
    found: dict[str, Parts] = {}
    for name, entry in entries.items():
        module, _, part = name.rpartition(".")
        if module and part in parts:
            found.setdefault(f"{module}.weight", {})[part] = entry
        else:
            found[name] = {"weight": entry}
    return found


def take(name: str, parts: Parts, *wanted: str) -> tuple[TensorEntry, ...]:
    """The wanted parts of `name` in that order. Raises EngineFault if they are not all there is."""
    module, file = name.removesuffix("weight"), next(iter(parts.values())).file
    missing = [part for part in wanted if part not in parts]
    if missing:
        raise mismatch(file, f"it lacks the tensor {module}{missing[0]}", len(missing))
    left_over = sorted(parts.keys() - set(wanted))
    if left_over:
        raise mismatch(file, f"it has an unknown tensor {module}{left_over[0]}", len(left_over))
    return tuple(parts[part] for part in wanted)


def misfit(entry: TensorEntry) -> EngineFault:
    """A part whose shape or type contradicts the other parts of its matrix."""
    dtype = str(entry.dtype).removeprefix("torch.")
    return mismatch(
        entry.file, f"{entry.name} of the shape {entry.shape} and type {dtype} fits no matrix"
    )


def plain_tensor(name: str, entry: TensorEntry) -> SourceTensor:
    """A tensor stored as floating-point numbers."""
    if entry.dtype not in FLOATS.values() or not entry.shape:
        raise misfit(entry)

    def load(start: int, stop: int) -> Stored:
        return checked(entry.file, entry.name, read_rows(entry, start, stop).float())

    return SourceTensor(
        name=name,
        shape=entry.shape,
        file=entry.file,
        stored_as=next(word for word, dtype in FLOATS.items() if dtype == entry.dtype),
        size=entry.size,
        grouping=None,
        load=load,
    )
