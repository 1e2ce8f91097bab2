"""What is remembered of updates from one run to the next, in a small file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.state.autosave import read_json, write_atomically
from app.versions import is_version


@dataclass(frozen=True, kw_only=True)
class Memory:
    newest: str = ""  # the newest version that a good manifest has named
    wanted: str = ""  # the version that the user wants to have
    skipped: str = ""  # the one that the user does not want
    looked: float = 0.0  # when somebody looked last, in seconds since 1970


def read_memory(path: Path) -> Memory:
    """What can be read of it; a damaged file counts as none."""
    try:
        row = read_json(path)
    except ValueError:
        row = None
    row = row if isinstance(row, dict) else {}
    newest, wanted, skipped = (_version(row.get(name)) for name in ("newest", "wanted", "skipped"))
    return Memory(newest=newest, wanted=wanted, skipped=skipped, looked=_time(row.get("looked")))


def write_memory(path: Path, memory: Memory) -> None:
    """Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(asdict(memory)).encode("utf-8"))


def _version(value: object) -> str:
    return value if isinstance(value, str) and is_version(value) else ""


def _time(value: object) -> float:
    if isinstance(value, (int, float)) and 0 <= value < 1e12:
        return float(value)
    return 0.0
