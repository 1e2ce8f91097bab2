"""The note in a folder that Redraft has made: which model it is for, from the first byte on.

The record (`engine.store.record`) is written last and says what is whole; the note is written first
and says what is to come, so that a download that was killed is known and goes on.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoint.durable import NOTE, write_file
from engine.messages.plain import from_plain, to_plain
from engine.store.catalogue import Offer
from engine.store.names import LOCKS


@dataclass(frozen=True, kw_only=True)
class Note:
    offer: Offer
    size: int  # bytes that the folder will have
    commit: str
    prepared_from: str = ""  # path of the source; empty for a download


def write_note(folder: Path, note: Note) -> None:
    """Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / NOTE, [json.dumps(to_plain(note), indent=1).encode()])


def read_note(folder: Path) -> Note | None:
    """None where there is none that can be used."""
    try:
        return from_plain(Note, json.loads((folder / NOTE).read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None


def clear_if_empty(folder: Path) -> None:
    """A folder in which nothing but the note has arrived does not stay."""
    with suppress(OSError):
        names = {path.name for path in folder.iterdir()}
        if names <= {NOTE, *LOCKS}:
            for name in names:
                (folder / name).unlink()
            folder.rmdir()
