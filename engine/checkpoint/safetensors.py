"""Checkpoints in safetensors files: checked headers, and tensors by plain reads.

A memory map is never used: a file cut short while mapped kills the process, a read is only short.
The format has no checksum, so everything its header claims is checked before a byte is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.config import read_json
from engine.messages import EngineFault, ErrorKind

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_MAX_HEADER = 64 << 20


@dataclass(frozen=True, kw_only=True)
class TensorEntry:
    """Where one tensor lies."""

    name: str
    file: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int  # bytes from the start of the file
    size: int  # bytes


def index_checkpoint(folder: Path) -> dict[str, TensorEntry]:
    """All tensors of a checkpoint folder by name, shard by shard. Raises EngineFault."""
    entries: dict[str, TensorEntry] = {}
    for file in _shards(folder):
        for entry in _read_header(file):
            if entry.name in entries:
                raise _broken(file, f"the tensor {entry.name} appears twice")
            entries[entry.name] = entry
    return entries


def read_tensors(entries: list[TensorEntry]) -> Iterator[tuple[TensorEntry, torch.Tensor]]:
    """The tensors of `entries` on the CPU in the file's dtype, in the order they lie on disk."""
    ordered = sorted(entries, key=lambda entry: (entry.file, entry.offset))
    file = None
    try:
        for entry in ordered:
            if file is None or Path(file.name) != entry.file:
                if file is not None:
                    file.close()
                file = entry.file.open("rb", buffering=0)
            tensor = torch.empty(entry.shape, dtype=entry.dtype)
            target = memoryview(tensor.view(-1).view(torch.uint8).numpy().data)
            file.seek(entry.offset)
            while target:
                count = file.readinto(target)
                if not count:
                    raise _broken(entry.file, f"it ends inside {entry.name}")
                target = target[count:]
            yield entry, tensor
    except OSError as fault:
        raise _broken(Path(str(fault.filename or "the model file")), str(fault)) from fault
    finally:
        if file is not None:
            file.close()


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        names = {"model.safetensors"}
    else:
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise _broken(index, "it lists no tensors")
        names = set(weight_map.values())
    for name in sorted(names, key=str):
        # A name from a file never becomes a path.
        if not isinstance(name, str) or Path(name).name != name:
            raise _broken(index, f"it names the file {name!r}")
        if not (folder / name).is_file():
            raise EngineFault(
                ErrorKind.MODEL_MISSING,
                f"The model folder has no {name}.",
                "Choose another folder, or download the model again.",
                str(folder),
            )
    return [folder / name for name in sorted(names)]


def _read_header(file: Path) -> list[TensorEntry]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or not 2 <= length <= min(_MAX_HEADER, size - 8):
            raise _broken(file, "its header is damaged")
        try:
            header = json.loads(stream.read(length))
        except (ValueError, RecursionError) as fault:
            raise _broken(file, f"its header is damaged: {fault}") from fault
    if not isinstance(header, dict):
        raise _broken(file, "its header is no table")
    header.pop("__metadata__", None)
    entries = sorted(
        (_entry(file, name, info, 8 + length) for name, info in header.items()),
        key=lambda entry: entry.offset,
    )
    end = 8 + length
    for entry in entries:
        if entry.offset != end:
            raise _broken(file, f"{entry.name} does not begin where the tensor before it ends")
        end += entry.size
    if end != size:
        raise _broken(file, f"it has {size} bytes where its header speaks of {end}")
    return entries


def _entry(file: Path, name: str, info: object, base: int) -> TensorEntry:
    try:
        dtype, shape = info["dtype"], tuple(info["shape"])  # type: ignore[index]
        begin, end = info["data_offsets"]  # type: ignore[index]
        is_plain = all(type(n) is int and n >= 0 for n in (*shape, begin, end))
    except (TypeError, KeyError, ValueError):
        is_plain, dtype, shape, begin, end = False, "", (), 0, 0
    if not is_plain:
        raise _broken(file, f"the header entry of {name} is damaged")
    if dtype not in _DTYPES:
        raise EngineFault(
            ErrorKind.MODEL_UNSUPPORTED,
            f"Redraft cannot read this model: {name} is stored as {dtype}.",
            "Choose a build in BF16, FP16 or FP32.",
            str(file),
        )
    size = math.prod(shape) * _DTYPES[dtype].itemsize
    if end - begin != size:
        raise _broken(file, f"{name} has {end - begin} bytes instead of {size}")
    return TensorEntry(
        name=name, file=file, dtype=_DTYPES[dtype], shape=shape, offset=base + begin, size=size
    )


def _broken(file: Path, why: str) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_BROKEN,
        f"The model file {file.name} is damaged or incomplete.",
        "Download the model again.",
        f"{file}: {why}",
    )
