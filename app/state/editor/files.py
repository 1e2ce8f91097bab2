"""Reads and writes the files of documents, and says in plain words why one cannot be used."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from app.state.editor.encoding import FileText, NotTextError, decode, encode
from app.state.text import visible
from app.words import tr

MOST_BYTES = 100_000_000

Stamp = tuple[int, int]  # nanoseconds and bytes: another one means another content


class FileError(Exception):
    """What happened, in one plain sentence, and what to do next."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, kw_only=True)
class OpenedFile:
    path: Path
    file: FileText
    stamp: Stamp
    can_write: bool


@dataclass(frozen=True, kw_only=True)
class Written:
    """A document as it has just been written."""

    file: FileText
    stamp: Stamp
    is_other_encoding: bool  # UTF-8, because the file's own one lacks a letter


def read(path: Path) -> OpenedFile:
    """Raises FileError."""
    name = visible(path.name)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise FileError(
                tr("“{name}” is not a file.", name=name), tr("Choose a file with text.")
            )
        if about.st_size > MOST_BYTES:
            raise FileError(
                tr("“{name}” is too large to be edited here.", name=name),
                tr("Redraft opens files of up to {size} MB.", size=MOST_BYTES // 1_000_000),
            )
        file = decode(path.read_bytes())
    except NotTextError:
        raise FileError(
            tr("“{name}” holds no text, or in an encoding that Redraft does not know.", name=name),
            tr("It was not opened and not changed."),
        ) from None
    except FileNotFoundError:
        raise FileError(
            tr("“{name}” is not there any more.", name=name),
            tr("It may have been moved or deleted."),
        ) from None
    except OSError as error:
        raise FileError(
            tr("“{name}” cannot be read ({reason}).", name=name, reason=error.strerror or error),
            tr("Check that you may open it, and try again."),
        ) from error
    return OpenedFile(
        path=path, file=file, stamp=_stamp(about), can_write=_can_write(about.st_mode, path)
    )


def stamp_of(path: Path) -> Stamp | None:
    """None where there is no such file."""
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def write(path: Path, data: bytes) -> Stamp:
    """All of `data`, or the old file stays. Raises FileError.

    Keeps the permissions of the file, and writes to where a link leads.
    """
    name = visible(path.name)
    try:
        target = path.resolve()
        if target.exists() and not _can_write(target.stat().st_mode, target):
            raise FileError(
                tr("“{name}” may be read, but not changed.", name=name),
                tr("Save your text under another name."),
            )
        _replace(target, data)
        return _stamp(target.stat())
    except OSError as error:
        raise FileError(
            tr(
                "“{name}” could not be saved ({reason}).", name=name, reason=error.strerror or error
            ),
            tr("Your text is kept here. Save it under another name."),
        ) from error


def write_text(path: Path, text: str, like: FileText) -> Written:
    """Writes a text in the manner of the file it came from. Raises FileError."""
    data, is_other = encode(text, like)
    stamp = write(path, data)
    if is_other:
        file = FileText(text=text)
    else:
        file = decode(data) if like.mixed else replace(like, text=text)
    return Written(file=file, stamp=stamp, is_other_encoding=is_other)


def _replace(target: Path, data: bytes) -> None:
    is_new = not target.exists()
    if is_new:
        target.touch()  # with the permissions that new files get here
    try:
        number, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError:  # a file that may be written in a folder that may not
        _fill(target, data)
        return
    try:
        os.close(number)
        _fill(Path(part), data)
        Path(part).chmod(stat.S_IMODE(target.stat().st_mode))
        Path(part).replace(target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):
                target.unlink()
        raise


def _fill(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _stamp(about: os.stat_result) -> Stamp:
    return about.st_mtime_ns, about.st_size


def _can_write(mode: int, path: Path) -> bool:
    return bool(mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)) and os.access(path, os.W_OK)
