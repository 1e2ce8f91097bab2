"""The manifest of a feed: which version there is, and of which files. Nothing in it is believed.

A signature says who wrote it; this says that it means something and can do no harm: sizes have
bounds, and every path stays inside of one folder on every system.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.versions import is_newer, is_version

FORMAT = 1
MOST_BYTES = 1_000_000  # of a manifest
MOST_FILES = 600
MOST_SIZE = 1_000_000_000  # bytes of a file
MOST_TOTAL = 2_000_000_000  # bytes of all files
MOST_NOTES = 8_000  # characters, in one language
SYSTEMS = ("linux", "windows")
ABOUT = "version.json"  # what an installation says of itself

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LANGUAGE = re.compile(r"[a-z]{2}")
_MOST_PATH = 200  # characters
_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._+-]*[A-Za-z0-9_+-])?")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # by Windows


class ManifestError(ValueError):
    """What is wrong, for the log."""


class NewerFormat(ManifestError):
    """A manifest for versions of Redraft that come later."""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    path: str  # below the folder of the version, with "/" between folders
    size: int  # bytes
    sha256: str  # hexadecimal
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class Manifest:
    system: str  # one of SYSTEMS
    version: str
    released: str  # as 2026-01-31
    oldest: str  # the oldest version that can become this one
    notes: Mapping[str, str]  # what is new, as plain text, by language
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """In bytes, of all files."""
        return sum(each.size for each in self.files)


def parse(data: bytes) -> Manifest:
    """Raises `ManifestError`. What later versions may add to the format is passed over."""
    if len(data) > MOST_BYTES:
        raise ManifestError(f"{len(data)} bytes")
    try:
        row = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"no JSON: {error}") from error
    row = _kind(row, dict, "the manifest")
    if _whole(row, "format", 1 << 30) > FORMAT:
        raise NewerFormat(str(row["format"]))
    version, oldest = _version(row, "version"), _version(row, "oldest")
    if is_newer(oldest, version):
        raise ManifestError("oldest is newer than the version")
    system = _text(row, "system")
    if system not in SYSTEMS:
        raise ManifestError(f"system {system!r}")
    return Manifest(
        system=system,
        version=version,
        released=_day(row, "released"),
        oldest=oldest,
        notes=_notes(row),
        files=_files(row),
    )


def _files(row: Mapping[str, Any]) -> tuple[RemoteFile, ...]:
    rows = _kind(row.get("files"), list, "files")
    if not 0 < len(rows) <= MOST_FILES:
        raise ManifestError(f"{len(rows)} files")
    files = tuple(_file(_kind(each, dict, "a file")) for each in rows)
    if sum(each.size for each in files) > MOST_TOTAL:
        raise ManifestError("too large")
    taken = [each.path.lower() for each in files]  # some systems do not tell A from a
    folders = {path[:place] for path in taken for place, sign in enumerate(path) if sign == "/"}
    if len(set(taken)) < len(taken) or folders & set(taken):
        raise ManifestError("two files in one place")
    if ABOUT not in taken:
        raise ManifestError(f"no {ABOUT}")
    return files


def _file(row: Mapping[str, Any]) -> RemoteFile:
    path = _text(row, "path")
    parts = path.split("/")
    is_safe = len(path) <= _MOST_PATH and all(map(_PART.fullmatch, parts))
    if not is_safe or any(map(_RESERVED.fullmatch, parts)):
        raise ManifestError(f"path {path[:_MOST_PATH]!r}")
    return RemoteFile(
        path=path,
        size=_whole(row, "size", MOST_SIZE),
        sha256=_matching(row, "sha256", _SHA256),
        executable=_kind(row.get("executable", False), bool, "executable"),
    )


def _notes(row: Mapping[str, Any]) -> dict[str, str]:
    notes: dict[str, str] = {}
    for language in _kind(row.get("notes", {}), dict, "notes"):
        if _LANGUAGE.fullmatch(language) is None:
            raise ManifestError("a language of the notes")
        notes[language] = _text(row["notes"], language)
        if len(notes[language]) > MOST_NOTES:
            raise ManifestError("long notes")
    return notes


def _text(row: Mapping[str, Any], name: str) -> str:
    return str(_kind(row.get(name), str, name))


def _version(row: Mapping[str, Any], name: str) -> str:
    text = _text(row, name)
    if not is_version(text):
        raise ManifestError(f"{name} {text[:80]!r}")
    return text


def _day(row: Mapping[str, Any], name: str) -> str:
    text = _text(row, name)
    try:
        is_day = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_day = False
    if not is_day:
        raise ManifestError(f"{name} {text[:80]!r}")
    return text


def _matching(row: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    text = _text(row, name)
    if pattern.fullmatch(text) is None:
        raise ManifestError(f"{name} {text[:80]!r}")
    return text


def _whole(row: Mapping[str, Any], name: str, most: int) -> int:
    value = row.get(name)
    if type(value) is not int or not 0 <= value <= most:  # True is an int, too
        raise ManifestError(f"{name} {str(value)[:80]!r}")
    return value


def _kind(value: Any, kind: type, name: str) -> Any:
    if not isinstance(value, kind):
        raise ManifestError(f"{name} is no {kind.__name__}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that comes twice means two things to two readers."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _no_number(name: str) -> float:
    raise ValueError(name)
