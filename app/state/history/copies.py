"""Copies of our files from before a newer version of Redraft changed their tables.

Somebody may go back to the older one, which cannot read the new tables: it takes its copy, and sets
the newer file aside (see app.state.history.newer).
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from app.pointer import rename
from app.state.history.faults import Fault, HistoryError
from app.words import tr

SPARE = 50_000_000  # bytes that are to be free beside the copy
_VERSION_AT = slice(
    60, 64
)  # of a file's header: PRAGMA user_version; https://sqlite.org/fileformat.html


def copy_of(path: Path, number: int) -> Path:
    """The copy of a file from when its tables had that version."""
    return path.with_name(f"{path.name}.schema-{number}")


def version_in(path: Path) -> int:
    """The version of a file's tables, without opening it as a database. Raises OSError."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(_VERSION_AT.stop)[_VERSION_AT], "big")


def keep_copy(connection: sqlite3.Connection, path: Path, number: int) -> None:
    """Keeps what is in the file now; earlier copies go. Raises HistoryError where there is no room,
    sqlite3.Error or OSError; the file is as it was then.
    """
    (size,) = connection.execute(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    ).fetchone()
    if shutil.disk_usage(path.parent).free < size + SPARE:
        raise HistoryError(
            Fault.FULL,
            tr("There is no room for a copy of your chats, which this version needs."),
            tr("Free {size:.1f} GB, then start Redraft again.", size=(size + SPARE) / 1e9),
        )
    copy = copy_of(path, number)
    part = copy.with_name(copy.name + ".part")
    for left in (part, part.with_name(part.name + "-journal")):  # by a kill
        left.unlink(missing_ok=True)
    with closing(sqlite3.connect(part)) as target:
        connection.backup(target)
    rename(part, copy)
    for other in path.parent.glob(f"{path.name}.schema-*"):
        if other != copy:
            other.unlink(missing_ok=True)
