"""What can go wrong with the history, in words for the user."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from app.words import tr


class Fault(Enum):
    LOCKED = "locked"  # another process has the file
    DAMAGED = "damaged"  # not what was written
    READ_ONLY = "read_only"  # may not be opened or written
    NEWER = "newer"  # from a later version of Redraft
    FULL = "full"  # no room on the disk
    DISK = "disk"  # any other refusal of the disk
    GONE = "gone"  # a chat or message that is not there


class HistoryError(Exception):
    """What happened, in one plain sentence, and what to do next."""

    def __init__(self, fault: Fault, message: str, remedy: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message
        self.remedy = remedy


_FAULTS = {
    sqlite3.SQLITE_BUSY: Fault.LOCKED,
    sqlite3.SQLITE_LOCKED: Fault.LOCKED,
    sqlite3.SQLITE_CORRUPT: Fault.DAMAGED,
    sqlite3.SQLITE_NOTADB: Fault.DAMAGED,
    sqlite3.SQLITE_READONLY: Fault.READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: Fault.READ_ONLY,
    sqlite3.SQLITE_PERM: Fault.READ_ONLY,
    sqlite3.SQLITE_IOERR_LOCK: Fault.READ_ONLY,  # a file that may be read only cannot be locked
    sqlite3.SQLITE_FULL: Fault.FULL,
}


@contextmanager
def in_plain_words(path: Path | None) -> Iterator[None]:
    """Turns the faults of SQLite and of the disk into HistoryError. Mistakes in our own SQL stay
    what they are."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None or code & 0xFF == sqlite3.SQLITE_ERROR:
            raise
        fault = _FAULTS.get(code) or _FAULTS.get(code & 0xFF, Fault.DISK)
        raise fault_error(fault, path, str(error)) from error
    except OSError as error:
        fault = Fault.READ_ONLY if isinstance(error, PermissionError) else Fault.DISK
        raise fault_error(fault, path, error.strerror or str(error)) from error


def fault_error(fault: Fault, path: Path | None = None, reason: str = "") -> HistoryError:
    """The error for a fault, with its words."""
    folder = path.parent if path else ""
    message, remedy = {
        Fault.LOCKED: (
            tr("Another Redraft window has your chats open."),
            tr("Use that window, or close it and start Redraft again."),
        ),
        Fault.DAMAGED: (
            tr("Some of your chats were damaged on the disk."),
            tr("Start Redraft again: it keeps the damaged file and saves what can be read."),
        ),
        Fault.READ_ONLY: (
            tr("Redraft may not write in {folder}.", folder=folder),
            tr("Allow it to write there, then start Redraft again."),
        ),
        Fault.NEWER: (
            tr("Your chats were saved by a newer version of Redraft."),
            tr("Update Redraft to see them. They were not changed."),
        ),
        Fault.FULL: (
            tr("The disk is full. Your last changes are not saved yet."),
            tr("Make some room. Redraft tries again with your next change."),
        ),
        Fault.DISK: (
            tr("The disk did not take your last changes ({reason}).", reason=reason),
            tr("Check the disk. Redraft tries again with your next change."),
        ),
        Fault.GONE: (
            tr("This chat is no longer there."),
            tr("Choose another chat, or start a new one."),
        ),
    }[fault]
    return HistoryError(fault, message, remedy)
