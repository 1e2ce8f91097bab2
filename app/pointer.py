"""The small file that says which version of Redraft is to run, and what keeps it whole.

It is replaced as a whole, so that there is always exactly one answer. The standard library alone: it
is read before Qt is there, and by the launcher of Linux, which has a copy of this file.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

FORMAT = 1
LARGEST = 65_536  # bytes of the file
PATIENCE = 5.0  # seconds; where another program holds a file for a moment
_NUMBER = r"(?:0|[1-9][0-9]{0,3})"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}")


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """What is in the file. `base`: the folder of the installed Redraft that started a newer one."""

    current: str = ""
    previous: str = ""
    starts: int = 0  # since it became current, without a window
    is_confirmed: bool = True  # its window has been there
    failed: tuple[str, ...] = ()
    left: str = ""
    base: str = ""


def is_version(text: str) -> bool:
    """Whether this is one of ours, as 0.1.0: nothing else becomes the name of a folder."""
    return _VERSION.fullmatch(text) is not None


def is_newer(one: str, other: str) -> bool:
    """By the numbers. What is no version is never newer, and nothing is newer than that."""
    if not (is_version(one) and is_version(other)):
        return False
    return _numbers(one) > _numbers(other)


def read_pointer(path: Path) -> Pointer:
    """The empty one, which stands for the installed version, for a file that is missing, damaged, or
    of another format.
    """
    try:
        with path.open("rb") as file:
            return _pointer_in(json.loads(file.read(LARGEST)))
    except (OSError, ValueError, RecursionError):
        return Pointer()


def write_pointer(path: Path, pointer: Pointer) -> None:
    """On return it survives a loss of power. Raises OSError, and leaves the old one then."""
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, **asdict(pointer)}, file)
        file.flush()
        os.fsync(file.fileno())
    rename(part, path)


def _pointer_in(found: Any) -> Pointer:
    """Raises ValueError for what this version did not write."""
    if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
        raise ValueError("another format")
    values: dict[str, Any] = {each.name: found.get(each.name) for each in fields(Pointer)}
    versions = [values["current"], values["previous"], values["left"]]
    failed = values["failed"]
    if not isinstance(failed, list) or not isinstance(values["base"], str):
        raise ValueError("not what was written")
    if not all(
        isinstance(each, str) and (not each or is_version(each)) for each in versions + failed
    ):
        raise ValueError("not versions")
    if type(values["starts"]) is not int or type(values["is_confirmed"]) is not bool:
        raise ValueError("not what was written")
    return Pointer(**{**values, "failed": tuple(failed)})


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


# --- the disk -------------------------------------------------------------------------------------


@contextmanager
def alone(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Whether no other process is in such a block; with `wait` that is so in the end.

    The system lets go of a process that ends, however it ends. Raises OSError.
    """
    held = lock(path, wait=wait)
    try:
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


def lock(path: Path, *, wait: bool) -> int | None:
    """An open file that has the lock, for as long as it is open; None where another process has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        os.close(file)
        if wait or not isinstance(error, (BlockingIOError, PermissionError)):
            raise
        return None
    return file


def is_held(path: Path) -> bool:
    with alone(path, wait=False) as is_free:
        return not is_free


def rename(source: Path, target: Path) -> None:
    """On Windows whoever reads the target, or a virus scanner, is in the way for a moment."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            source.replace(target)
        except PermissionError:
            if os.name != "nt" or time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            break
    if os.name == "posix":
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
