"""Checkpoints in safetensors files: checked headers, and tensors by plain reads.

The format has no checksum, so everything its header claims is checked before a byte is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.checkpoint.files import broken, is_plain_name, read_bytes
from engine.config import read_json
from engine.messages import EngineFault, ErrorKind

FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
_MAX_HEADER = 64 << 20
_MAX_DIMENSIONS, _MAX_DIMENSION = 8, 1 << 40


@dataclass(frozen=True, kw_only=True)
class TensorEntry:
    """Where one tensor lies."""

    name: str
    file: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int  # bytes from the start of the file
    size: int  # bytes


def index_checkpoint(
    folder: Path, dtypes: Mapping[str, torch.dtype] = FLOATS
) -> dict[str, TensorEntry]:
    """All tensors of a checkpoint folder by name, shard by shard.

    dtypes: the types the caller can read, by the format's names. Raises EngineFault.
    """
    entries: dict[str, TensorEntry] = {}
    for file in _shards(folder):
        for entry in _read_header(file, dtypes):
            if entry.name in entries:
                raise broken(file, f"the tensor {entry.name} appears twice")
            entries[entry.name] = entry
    return entries


def read_tensors(entries: list[TensorEntry]) -> Iterator[tuple[TensorEntry, torch.Tensor]]:
    """The tensors of `entries` on the CPU in the file's dtype, in the order they lie on disk."""
    for entry in sorted(entries, key=lambda entry: (entry.file, entry.offset)):
        yield entry, read_tensor(entry)


def read_tensor(entry: TensorEntry) -> torch.Tensor:
    """One tensor on the CPU in the file's dtype. Raises EngineFault."""
    data = read_bytes(entry.file, entry.offset, entry.size)
    return data.view(entry.dtype).view(entry.shape)


def read_rows(entry: TensorEntry, start: int, stop: int) -> torch.Tensor:
    """Rows `start` to `stop` of the first axis, [stop - start, *shape[1:]] in the file's dtype."""
    row_size = entry.size // entry.shape[0]
    data = read_bytes(entry.file, entry.offset + start * row_size, (stop - start) * row_size)
    return data.view(entry.dtype).view(stop - start, *entry.shape[1:])


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        names = {"model.safetensors"}
    else:
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise broken(index, "it lists no tensors")
        names = set(map(str, weight_map.values()))
    for name in sorted(names):
        # A name from a file never becomes a path.
        if Path(name).name != name or not is_plain_name(name):
            raise broken(index, f"it names the file {name[:80]!r}")
        if not (folder / name).is_file():
            raise EngineFault(
                ErrorKind.MODEL_MISSING,
                f"The model folder has no {name}.",
                "Choose another folder, or download the model again.",
                str(folder),
            )
    return [folder / name for name in sorted(names)]


def _read_header(file: Path, dtypes: Mapping[str, torch.dtype]) -> list[TensorEntry]:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise broken(file, "its header is damaged")
            header = json.loads(stream.read(length), object_pairs_hook=_without_duplicates)
    except (OSError, ValueError, RecursionError) as fault:
        raise broken(file, f"its header is damaged: {fault}") from fault
    if not isinstance(header, dict):
        raise broken(file, "its header is no table")
    header.pop("__metadata__", None)
    entries = sorted(
        (_entry(file, name, info, 8 + length, dtypes) for name, info in header.items()),
        key=lambda entry: entry.offset,
    )
    end = 8 + length
    for entry in entries:
        if entry.offset != end:
            raise broken(file, f"{entry.name} does not begin where the tensor before it ends")
        end += entry.size
    if end != size:
        raise broken(file, f"it has {size} bytes where its header speaks of {end}")
    return entries


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name appears twice")
    return table


def _entry(
    file: Path, name: str, info: object, base: int, dtypes: Mapping[str, torch.dtype]
) -> TensorEntry:
    if not is_plain_name(name):
        raise broken(file, f"it has a tensor with the name {name[:80]!r}")
    try:
        dtype, shape = info["dtype"], tuple(info["shape"])  # type: ignore[index]
        begin, end = info["data_offsets"]  # type: ignore[index]
        is_plain = (
            isinstance(dtype, str)
            and len(shape) <= _MAX_DIMENSIONS
            and all(type(n) is int and 0 <= n <= _MAX_DIMENSION for n in (*shape, begin, end))
        )
    except (TypeError, KeyError, ValueError):
        is_plain, dtype, shape, begin, end = False, "", (), 0, 0
    if not is_plain:
        raise broken(file, f"the header entry of {name} is damaged")
    if dtype not in dtypes:
        raise EngineFault(
            ErrorKind.MODEL_UNSUPPORTED,
            f"Redraft cannot read this model: {name} is stored as {dtype[:16]!r}.",
            f"Choose a build in {', '.join(FLOATS)}, or in a format that Redraft reads.",
            str(file),
        )
    size = math.prod(shape) * dtypes[dtype].itemsize
    if end - begin != size:
        raise broken(file, f"{name} has {end - begin} bytes instead of {size}")
    return TensorEntry(
        name=name, file=file, dtype=dtypes[dtype], shape=shape, offset=base + begin, size=size
    )
