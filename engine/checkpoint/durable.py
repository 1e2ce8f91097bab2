"""Files that are whole or not there, whatever ends the process that writes them."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PART = ".part"  # the ending of a file that is not finished
NOTE = "redraft.json"  # in a folder of ours: which model it is for; written first
PIECE = 16 << 20  # bytes read or written at once
_RENAME_PATIENCE = 2.5  # seconds; on Windows a virus scanner may hold a new file that long


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a file holds."""

    size: int  # bytes
    sha256: str  # in hexadecimal digits


def write_file(path: Path, pieces: Iterable[bytes | memoryview]) -> Written:
    """Writes the pieces one after the other; `path` has its name only when all are on the disk.

    Raises OSError, and whatever `pieces` raises; then a file of that name is as it was.
    """
    part = path.with_name(path.name + PART)
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("wb", buffering=0) as file:
            for piece in pieces:
                write_all(file, memoryview(piece))
                digest.update(piece)
                size += len(piece)
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    rename(part, path)
    return Written(size=size, sha256=digest.hexdigest())


def write_all(file: FileIO, data: memoryview) -> None:
    """A write to a file may take only part of the data."""
    while data:
        data = data[file.write(data) :]


def rename(source: Path, target: Path) -> None:
    """Gives a file another name in its folder, over one that is there, for good. Raises OSError."""
    deadline = time.monotonic() + _RENAME_PATIENCE
    while True:
        try:
            source.replace(target)
            break
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Names given in a folder survive a loss of power. Windows sees to that itself."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_pieces(path: Path) -> Iterator[memoryview]:
    """A file piece by piece; each is valid until the next is asked for. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        buffer = memoryview(bytearray(min(PIECE, os.fstat(file.fileno()).st_size + 1)))
        while count := file.readinto(buffer):
            yield buffer[:count]


@contextmanager
def sole_writer(file: Path) -> Iterator[None]:
    """Nobody else is inside with the same file. Raises BlockingIOError where somebody is.

    The system lets go of it when the process ends, however it ends.
    """
    with file.open("ab") as stream:
        if sys.platform == "win32":
            try:
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError as fault:
                raise BlockingIOError(str(fault)) from fault
        else:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
