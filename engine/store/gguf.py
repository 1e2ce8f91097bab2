"""What the beginning of a GGUF file says of its model, without torch and without trust.

`engine.checkpoint.gguf_header` reads and checks all of it when the file is opened.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_BEGINNING = 64 << 10  # bytes: published files have these settings in the first two thousand
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_U32, _STRING = 4, 8


@dataclass(frozen=True, kw_only=True)
class GgufFacts:
    architecture: str
    layers: int = 0  # 0: not said at the beginning
    width: int = 0


def read_facts(file: Path) -> GgufFacts | None:
    """None for what is no GGUF file or does not name its architecture. Raises OSError."""
    with file.open("rb") as stream:
        data = stream.read(_BEGINNING)
    if data[:4] != b"GGUF" or len(data) < 24:
        return None
    found = _settings(data)
    name = found.get("general.architecture")
    if not isinstance(name, str):
        return None
    layers, width = found.get(f"{name}.block_count"), found.get(f"{name}.embedding_length")
    return GgufFacts(
        architecture=name,
        layers=layers if isinstance(layers, int) else 0,
        width=width if isinstance(width, int) else 0,
    )


def _settings(data: bytes) -> dict[str, str | int]:
    """Strings and numbers of 32 bits by key, up to the first list or the end of what was read."""
    found: dict[str, str | int] = {}
    (count,) = struct.unpack_from("<Q", data, 16)
    at = 24
    try:
        for _ in range(min(count, 1024)):
            key, at = _string(data, at)
            (kind,) = struct.unpack_from("<I", data, at)
            at += 4
            if kind == _STRING:
                found[key], at = _string(data, at)
            elif kind == _U32:
                (found[key],) = struct.unpack_from("<I", data, at)
                at += 4
            elif kind in _SIZES:
                at += _SIZES[kind]
            else:
                break
    except (struct.error, ValueError):
        pass
    return found


def _string(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise ValueError("it goes on behind what was read")
    return data[at + 8 : end].decode("utf-8", "replace"), end
