"""A file on its way: its bytes, and a journal with the hash of every block that is on the disk.

A line of the journal is written when the block's bytes are safe, so after a kill at any time the
journal never promises what is not there. A block that no longer has its hash is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from types import TracebackType

from engine.checkpoint.durable import rename, write_all
from engine.store.names import blocks_of, part_of

BLOCK = 16 << 20  # bytes: at most so many are fetched again after an interruption
_LINE = re.compile(r"(0|[1-9][0-9]{0,9}) ([0-9a-f]{64})")


class PartFile:
    """`path` while it is being fetched. Not for two threads, not for two processes.

    size: bytes of the whole file. digest: what tells the file from another of its name.
    All methods raise OSError.
    """

    def __init__(self, path: Path, *, size: int, digest: str, block: int = BLOCK) -> None:
        self.size, self.block = size, block
        self.count = -(-size // block)
        self._path = path
        self._head = json.dumps({"format": 1, "size": size, "digest": digest, "block": block})
        path.parent.mkdir(parents=True, exist_ok=True)
        self._known = _read_journal(blocks_of(path), self._head)
        self._journal = blocks_of(path).open("ab", buffering=0)
        if self._known:
            write_all(self._journal, memoryview(b"\n"))  # the last line may be torn
        else:
            self._begin_journal()  # before there is a part: that tells that the part is ours
        self._data = _open(part_of(path))
        if not self._known:
            self._data.truncate(0)

    def __enter__(self) -> PartFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._data.close()
        self._journal.close()

    @property
    def hashes(self) -> Mapping[int, str]:
        """The blocks that the journal knows, in hexadecimal SHA-256."""
        return self._known

    def span(self, index: int) -> tuple[int, int]:
        """Where a block begins and ends, in bytes."""
        return index * self.block, min((index + 1) * self.block, self.size)

    def read(self, index: int) -> bytes | None:
        """The block if it is on the disk with its hash, else None: then it is forgotten."""
        if index not in self._known:
            return None
        start, stop = self.span(index)
        self._data.seek(start)
        data = bytearray(stop - start)
        filled, view = 0, memoryview(data)
        while count := self._data.readinto(view[filled:]):
            filled += count
        if filled == len(data) and hashlib.sha256(data).hexdigest() == self._known[index]:
            return bytes(data)
        del self._known[index]
        return None

    def write(self, offset: int, data: memoryview) -> None:
        self._data.seek(offset)
        write_all(self._data, data)

    def note(self, index: int, sha256: str) -> None:
        """A block has been written in whole."""
        os.fsync(self._data.fileno())
        write_all(self._journal, memoryview(f"{index} {sha256}\n".encode()))
        self._known[index] = sha256

    def forget(self) -> None:
        """Begins from nothing."""
        self._known.clear()
        self._begin_journal()
        self._data.truncate(0)

    def adopt(self, hashes: Sequence[str]) -> None:
        """Takes the file that has the name already, to repair it: `hashes` of all its blocks."""
        self._data.close()
        rename(self._path, part_of(self._path))
        self._data = _open(part_of(self._path))
        for index, sha256 in enumerate(hashes):
            self.note(index, sha256)

    def finish(self) -> None:
        """Gives the file its name. Only for content whose digest is right."""
        self._data.truncate(self.size)
        os.fsync(self._data.fileno())
        self._data.close()
        self._journal.close()
        rename(part_of(self._path), self._path)
        blocks_of(self._path).unlink()

    def _begin_journal(self) -> None:
        self._journal.truncate(0)
        write_all(self._journal, memoryview(f"{self._head}\n".encode()))


def _open(path: Path) -> FileIO:
    """To read and write at any place, the content as it is, or empty."""
    path.touch()
    return path.open("r+b", buffering=0)


def is_journal(path: Path) -> bool:
    """Whether a file is a journal of ours."""
    with path.open("rb") as file:
        return file.read(13) == b'{"format": 1,'


def _read_journal(path: Path, head: str) -> dict[int, str]:
    """What the journal promises; nothing where it is of another file. Torn lines do not count."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    if not lines or lines[0] != head:
        return {}
    found = (match for line in lines[1:] if (match := _LINE.fullmatch(line)))
    return {int(match[1]): match[2] for match in found}
