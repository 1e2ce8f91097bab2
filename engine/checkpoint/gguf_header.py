"""The header of a GGUF file: its settings, and where its tensors lie. Nothing in it is believed.

Layout, little-endian: magic, version u32, tensor count u64, settings count u64, settings (key,
type u32, value), tensors (name, dimensions u32, each u64, type u32, offset u64), padding, data.
A string is its length as u64 and that many bytes. Source: docs/gguf.md of the ggml project.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from engine.checkpoint.files import broken, is_plain_name, unsupported
from engine.checkpoint.gguf_blocks import FORMATS, BlockFormat

Setting = str | int | float | bool | tuple[int | float | bool, ...]

_NUMBERS = {
    number: struct.Struct("<" + code)
    for number, code in {
        0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
    }.items()
}  # fmt: skip
_U32, _U64, _STRING, _ARRAY = _NUMBERS[4], _NUMBERS[10], 8, 9
_VERSIONS = (2, 3)
_MAX_SETTINGS, _MAX_TENSORS = 1024, 16384  # published: 44 and 692
_MAX_STRING = 1 << 20  # bytes; the longest published one is a chat template of 17 KB
_MAX_KEPT = 1024  # elements of an array; longer ones belong to the tokenizer
_MAX_DIMENSION = 1 << 40


@dataclass(frozen=True, kw_only=True)
class GgufEntry:
    """Where one tensor lies, under its name in the file."""

    name: str
    format: BlockFormat
    shape: tuple[int, ...]  # slowest axis first, the reverse of the file's order
    offset: int  # bytes from the start of the file
    size: int  # bytes


def read_header(file: Path) -> tuple[dict[str, Setting], list[GgufEntry]]:
    """Settings by key and tensors in the order they lie on disk. Raises EngineFault.

    Strings and short lists of numbers are kept; the long lists of the tokenizer are stepped over.
    """
    try:
        with file.open("rb") as stream:
            return _parse(_Reader(file, stream, file.stat().st_size))
    except OSError as fault:
        raise broken(file, str(fault)) from fault


class _Reader:
    """A stream that knows how much is left of its file, so that no length is taken on trust."""

    def __init__(self, file: Path, stream: BinaryIO, size: int) -> None:
        self.file, self.stream, self.size, self.at = file, stream, size, 0

    def expect(self, count: int) -> None:
        if count > self.size - self.at:
            raise broken(self.file, "its header speaks of more than the file holds")

    def take(self, count: int) -> bytes:
        self.expect(count)
        data = self.stream.read(count)
        if len(data) != count:
            raise broken(self.file, "it ends inside its header")
        self.at += count
        return data

    def skip(self, count: int) -> None:
        self.expect(count)
        self.stream.seek(count, 1)
        self.at += count

    def number(self, kind: struct.Struct) -> Any:
        return kind.unpack(self.take(kind.size))[0]

    def string(self) -> bytes:
        length = self.number(_U64)
        if length > _MAX_STRING:
            raise broken(self.file, f"its header has a text of {length} bytes")
        return self.take(length)

    def text(self) -> str:
        try:
            return self.string().decode()
        except UnicodeDecodeError as fault:
            raise broken(self.file, "its header has a text that is not UTF-8") from fault


def _parse(reader: _Reader) -> tuple[dict[str, Setting], list[GgufEntry]]:
    if reader.take(4) != b"GGUF":
        raise broken(reader.file, "it does not begin as a GGUF file")
    version = reader.number(_U32)
    if version not in _VERSIONS:
        raise unsupported(reader.file, f"it is a GGUF file of version {version}")
    tensor_count, setting_count = reader.number(_U64), reader.number(_U64)
    if tensor_count > _MAX_TENSORS or setting_count > _MAX_SETTINGS:
        raise broken(
            reader.file, f"it speaks of {tensor_count} tensors and {setting_count} settings"
        )
    settings: dict[str, Setting] = {}
    seen: set[str] = set()
    for _ in range(setting_count):
        key = reader.text()
        if key in seen or not is_plain_name(key):
            raise broken(reader.file, f"the setting {key[:80]!r} appears twice or has no name")
        seen.add(key)
        value = _setting(reader, key)
        if value is not None:
            settings[key] = value
    raw = [_tensor(reader) for _ in range(tensor_count)]
    return settings, _placed(reader, settings.get("general.alignment", 32), raw)


def _setting(reader: _Reader, key: str) -> Setting | None:
    """The value that follows, or None for a list that is not kept."""
    kind = reader.number(_U32)
    if kind == _STRING:
        return reader.text()
    if kind in _NUMBERS:
        value: Setting = reader.number(_NUMBERS[kind])
        return value
    if kind != _ARRAY:
        raise broken(reader.file, f"the setting {key} has the type {kind}")
    kind, count = reader.number(_U32), reader.number(_U64)
    if kind == _STRING:
        reader.expect(count * _U64.size)
        for _ in range(count):
            reader.string()
        return None
    if kind not in _NUMBERS:
        raise broken(reader.file, f"the setting {key} is a list of the type {kind}")
    each = _NUMBERS[kind]
    if count > _MAX_KEPT:
        reader.skip(count * each.size)
        return None
    return tuple(value for (value,) in each.iter_unpack(reader.take(count * each.size)))


def _tensor(reader: _Reader) -> GgufEntry:
    """The next entry, its offset still counted from the start of the data."""
    name = reader.text()
    if not is_plain_name(name):
        raise broken(reader.file, f"it has a tensor with the name {name[:80]!r}")
    dimensions = reader.number(_U32)
    if not 1 <= dimensions <= 4:
        raise broken(reader.file, f"{name} has {dimensions} dimensions")
    shape = tuple(reader.number(_U64) for _ in range(dimensions))[::-1]
    if not all(1 <= length <= _MAX_DIMENSION for length in shape):
        raise broken(reader.file, f"{name} has the shape {shape}")
    kind, offset = reader.number(_U32), reader.number(_U64)
    if kind not in FORMATS:
        known = ", ".join(found.name for found in FORMATS.values())
        raise unsupported(
            reader.file, f"{name} is stored in the GGUF type {kind}, which is none of {known}"
        )
    block = FORMATS[kind]
    if shape[-1] % block.weights:
        raise broken(reader.file, f"{name} has rows of {shape[-1]}, no multiple of {block.weights}")
    size = math.prod(shape) // block.weights * block.size
    return GgufEntry(name=name, format=block, shape=shape, offset=offset, size=size)


def _placed(reader: _Reader, alignment: object, raw: list[GgufEntry]) -> list[GgufEntry]:
    """The entries with offsets from the start of the file. They must fill it without a gap."""
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 16 or alignment & alignment - 1:
        raise broken(reader.file, f"its alignment is {alignment!r}")

    def aligned(offset: int) -> int:
        return -(-offset // alignment) * alignment

    if len({entry.name for entry in raw}) != len(raw):
        raise broken(reader.file, "a tensor appears twice")
    start = end = aligned(reader.at)
    placed = []
    for entry in sorted(raw, key=lambda entry: entry.offset):
        if start + entry.offset != aligned(end):
            raise broken(
                reader.file, f"{entry.name} does not begin where the tensor before it ends"
            )
        end = aligned(end) + entry.size
        placed.append(
            GgufEntry(
                name=entry.name,
                format=entry.format,
                shape=entry.shape,
                offset=start + entry.offset,
                size=entry.size,
            )
        )
    if not end <= reader.size <= aligned(end):
        raise broken(reader.file, f"it has {reader.size} bytes where its header speaks of {end}")
    return placed
