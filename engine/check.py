"""The files of a model on this PC, held against the hashes that are known of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoint.durable import NOTE, PART, read_pieces
from engine.checkpoint.manifest import COMPLETE, read_manifest
from engine.checkpoint.origin import published_sha256
from engine.messages import Checked, EngineFault, ErrorKind
from engine.store.names import BLOCKS, LOCKS, RECORD
from engine.store.record import read_record

_OURS = (*LOCKS, RECORD, NOTE, COMPLETE)
_GIT = re.compile(r"[0-9a-f]{40}")  # in the cache of huggingface-hub a small file's name


@dataclass(frozen=True, kw_only=True)
class _Known:
    size: int | None  # bytes; None: not known
    sha256: str = ""
    git_sha1: str = ""


def check(
    folder: Path, report: Callable[[str, int, int], None], cancelled: Callable[[], bool]
) -> Checked:
    """Reads every file of which a hash is known. report(what, done, total) counts bytes.

    Raises EngineFault where there is no such folder, or the check is cancelled.
    """
    if not folder.is_dir():
        raise EngineFault(
            ErrorKind.MODEL_MISSING,
            f"There is no model folder {folder}.",
            "Connect its disk again, or download the model again.",
        )
    known = _known(folder)
    present = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    total = sum(present[name].stat().st_size for name in known if name in present)
    done = 0
    report("Checking the files", 0, total)

    def advance(count: int) -> None:
        nonlocal done
        if cancelled():
            raise EngineFault(
                ErrorKind.CANCELLED, "The check was cancelled.", "Start it again when you need it."
            )
        done += count
        report("Checking the files", min(done, total), total)

    both = sorted(known.keys() & present.keys())
    damaged = [name for name in both if not _is_right(present[name], known[name], advance)]
    return Checked(
        path=str(folder),
        files=len(both) - len(damaged),
        damaged=tuple(damaged),
        missing=tuple(sorted(known.keys() - present.keys())),
        unknown=tuple(sorted(present.keys() - known.keys())),
    )


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name not in _OURS and path.suffix not in (PART, BLOCKS)
    ]


def _known(folder: Path) -> dict[str, _Known]:
    """What is known of the files: by our manifest, by our record, or by the hub's own tools."""
    if (folder / COMPLETE).is_file():
        try:
            files = read_manifest(folder / COMPLETE).files
        except (OSError, ValueError) as fault:
            raise EngineFault(
                ErrorKind.MODEL_BROKEN,
                "The list of files of this prepared model is damaged.",
                "Prepare the model again.",
                f"{folder}: {fault}",
            ) from fault
        return {file.name: _Known(size=file.size, sha256=file.sha256) for file in files}
    if record := read_record(folder):
        return {x.name: _Known(size=x.size, sha256=x.sha256) for x in record.values()}
    found = {}
    for path in _files(folder):
        name, published = path.relative_to(folder).as_posix(), published_sha256(path)
        target = path.resolve().name
        if published is not None:
            found[name] = _Known(size=None, sha256=published)
        elif _GIT.fullmatch(target):
            found[name] = _Known(size=None, git_sha1=target)
    return found


def _is_right(file: Path, known: _Known, advance: Callable[[int], None]) -> bool:
    try:
        size = file.stat().st_size
        if known.size not in (None, size):
            return False
        # A git blob is hashed with a header. Source: git's documentation, "Git Internals", objects.
        digest = hashlib.sha256() if known.sha256 else hashlib.sha1(b"blob %d\0" % size)
        for piece in read_pieces(file):
            digest.update(piece)
            advance(len(piece))
    except OSError:
        return False
    return digest.hexdigest() == (known.sha256 or known.git_sha1)
