"""The files that a prepared model is made from: which they are, and whether they are whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from engine.checkpoint.durable import read_pieces
from engine.checkpoint.files import broken
from engine.checkpoint.manifest import SourceFile

_SHA256 = re.compile(r"[0-9a-f]{64}")


def describe(files: Iterable[Path]) -> tuple[SourceFile, ...]:
    """The files without their hashes: enough to notice that one is another. Raises OSError."""
    found = [(file.name, file.stat()) for file in files]
    return tuple(
        SourceFile(name=name, size=stat.st_size, modified=stat.st_mtime_ns) for name, stat in found
    )


def without_hashes(files: Iterable[SourceFile]) -> tuple[SourceFile, ...]:
    return tuple(replace(file, sha256=None) for file in files)


def with_hash(known: SourceFile, folder: Path, advance: Callable[[int], None]) -> SourceFile:
    """Reads a file for its hash. advance(bytes) follows, and may raise to end it.

    Raises EngineFault where the file cannot be read or is not the one that was published.
    """
    file, digest = folder / known.name, hashlib.sha256()
    try:
        for piece in read_pieces(file):
            digest.update(piece)
            advance(len(piece))
    except OSError as fault:
        raise broken(file, str(fault)) from fault
    published = published_sha256(file)
    if published not in (None, digest.hexdigest()):
        raise broken(file, f"its SHA-256 is {digest.hexdigest()}, published was {published}")
    return replace(known, sha256=digest.hexdigest())


def check_unchanged(files: Iterable[SourceFile], folder: Path) -> None:
    """Raises EngineFault for a file that is not the one that was described."""
    for known in files:
        file = folder / known.name
        try:
            is_same = describe([file]) == without_hashes([known])
        except OSError as fault:
            raise broken(file, str(fault)) from fault
        if not is_same:
            raise broken(file, "it has changed while it was read")


def published_sha256(file: Path) -> str | None:
    """The hash of a download, where the downloader has left it; None where it has not.

    A checkpoint has no checksums of its own: a flipped bit is a slightly different number. What the
    Hugging Face tools download has its SHA-256 beside it, which they do not hold against the bytes.
    """
    # In their cache a file is a link to one that has the hash as its name.
    names = [file.resolve().name]
    # Beside a folder of the user's own: lines with the commit, the hash and the time.
    note = file.parent / ".cache" / "huggingface" / "download" / f"{file.name}.metadata"
    if note.is_file():
        names += note.read_text(encoding="utf-8", errors="replace")[:1000].splitlines()[1:2]
    return next((name for name in names if _SHA256.fullmatch(name)), None)
