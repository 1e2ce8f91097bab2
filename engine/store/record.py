"""The record of a folder that has been fetched: what is in it, and the hashes of all its blocks.

With the hashes a file that is damaged later is repaired by fetching its damaged blocks alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.checkpoint.durable import write_file
from engine.store.hub import Listing
from engine.store.names import BLOCKS, RECORD, blocks_of, part_of
from engine.store.part import is_journal

_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A file that is on the disk as it should be."""

    name: str  # with "/" between folders
    size: int  # bytes
    sha256: str  # hexadecimal
    block: int = 0  # bytes of a block
    blocks: tuple[str, ...] = ()  # SHA-256 of each; empty for a file that was there before


def read_record(folder: Path) -> dict[str, Fetched]:
    """What the record says, by name; nothing where there is none that can be used."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        if record["format"] != _FORMAT:
            return {}
        files = [Fetched(**each | {"blocks": tuple(each["blocks"])}) for each in record["files"]]
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return {}
    return {file.name: file for file in files if _is_plausible(file)}


def write_record(folder: Path, listing: Listing, files: Sequence[Fetched]) -> None:
    """Raises OSError."""
    record = {
        "format": _FORMAT,
        "repo": listing.repo,
        "commit": listing.commit,
        "files": [asdict(file) for file in files],
    }
    write_file(folder / RECORD, [json.dumps(record, indent=1).encode()])


def clear(folder: Path, finished: Iterable[Path] = ()) -> None:
    """Removes what is unfinished in the folder: what has a journal of ours, and nothing else.

    finished: files whose own parts and journals go in any case. Raises OSError.
    """
    for path in finished:
        part_of(path).unlink(missing_ok=True)
        blocks_of(path).unlink(missing_ok=True)
    for journal in list(folder.rglob(f"*{BLOCKS}")):
        if journal.is_file() and is_journal(journal):
            part_of(journal.with_name(journal.name.removesuffix(BLOCKS))).unlink(missing_ok=True)
            journal.unlink()


def _is_plausible(file: Fetched) -> bool:
    kinds = (file.name, str), (file.size, int), (file.sha256, str), (file.block, int)
    return all(isinstance(value, kind) for value, kind in kinds) and all(
        isinstance(each, str) for each in file.blocks
    )
