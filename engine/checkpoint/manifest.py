"""What a prepared model is made of: its files with their hashes, and where its numbers come from.

The same document is the journal while the model is being prepared and, under another name, the
sign that it is complete. It ends with a hash of itself, and it has one spelling only, so no bit of
it can change unnoticed.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.quant.scheme import Role, Scheme, Way

COMPLETE = "COMPLETE"
VERSION = 1
PLAIN_DTYPES = ("bfloat16", "float32")
_MAX_SIZE = 1 << 20  # bytes; a real one has about ten thousand
_ROLES = tuple(role.value for role in Role if role is not Role.PLAIN)


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file of the checkpoint that the numbers come from."""

    name: str
    size: int  # bytes
    modified: int  # nanoseconds since 1970
    sha256: str | None = None  # None: not yet known


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """A file of the prepared model."""

    name: str
    size: int  # bytes
    sha256: str
    exact: int = 0  # fields in it whose numbers were taken over without rounding
    rounded: int = 0  # the others


@dataclass(frozen=True, kw_only=True)
class Manifest:
    scheme: Scheme
    plain_dtype: str  # of what is not quantised, as torch names it
    source: tuple[SourceFile, ...]
    files: tuple[FileRecord, ...]


def to_bytes(manifest: Manifest) -> bytes:
    content = {"version": VERSION, **asdict(manifest)}
    return _spelled(content | {"sha256": _seal(content)})


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file. Raises OSError, and ValueError for one that is damaged or unknown."""
    with path.open("rb") as file:
        data = file.read(_MAX_SIZE + 1)
    try:
        content = json.loads(data) if len(data) <= _MAX_SIZE else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or _spelled(content) != data:
        raise ValueError("it is no JSON as it is written here")
    if content.pop("sha256", None) != _seal(content):
        raise ValueError("it is no JSON as it is written here")
    if content.pop("version", None) != VERSION:
        raise ValueError("it is of another version")
    try:
        return _manifest(**content)
    except (TypeError, AttributeError) as fault:
        raise ValueError("its entries are not understood") from fault


def _spelled(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1).encode() + b"\n"


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(_spelled(content)).hexdigest()


def _manifest(scheme: Any, plain_dtype: Any, source: Any, files: Any) -> Manifest:
    _require(plain_dtype in PLAIN_DTYPES)
    _require(isinstance(source, list) and isinstance(files, list))
    _require(sorted(scheme) == sorted(_ROLES))
    found = Manifest(
        scheme=Scheme(
            **{role: None if way is None else _way(**way) for role, way in scheme.items()}
        ),
        plain_dtype=plain_dtype,
        source=tuple(SourceFile(**entry) for entry in source),
        files=tuple(FileRecord(**entry) for entry in files),
    )
    for origin in found.source:
        _require(isinstance(origin.name, str))
        _require(_is_count(origin.size) and _is_count(origin.modified))
        _require(origin.sha256 is None or _is_sha256(origin.sha256))
    for record in found.files:
        _require(_is_file_name(record.name) and _is_sha256(record.sha256))
        _require(all(map(_is_count, (record.size, record.exact, record.rounded))))
    _require(len({entry.name for entry in found.files}) == len(found.files))
    return found


def _is_file_name(name: object) -> bool:
    """Whether it names a file of its folder and nothing else."""
    return isinstance(name, str) and re.fullmatch(r"[\w-][\w.-]{0,127}", name) is not None


def _way(bits: Any, group_size: Any, scale_dtype: Any) -> Way:
    _require(bits in (4, 8) and _is_count(group_size) and isinstance(scale_dtype, str))
    return Way(bits=bits, group_size=group_size, scale_dtype=scale_dtype)


def _is_count(number: object) -> bool:
    return type(number) is int and 0 <= number < 1 << 63


def _is_sha256(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _require(is_fine: bool) -> None:
    if not is_fine:
        raise TypeError
