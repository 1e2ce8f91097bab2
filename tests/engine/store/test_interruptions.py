"""Whatever interrupts a download, it ends with the right bytes, and little is fetched again."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import pytest

from engine.store.part import PartFile
from tests.engine.forks import fork_server
from tests.engine.store import interruptions
from tests.engine.store.interruptions import KINDS, WRONG, end_many, interrupt_many


@pytest.mark.parametrize("kinds", [KINDS, KINDS + WRONG * 4], ids=["broken", "wrong"])
@pytest.mark.parametrize("seed", range(5))
def test_random_interruptions(seed: int, kinds: list[str], tmp_path: Path) -> None:
    """Two hundred in all; the benchmark of the same name has thousands."""
    tally = interrupt_many(seed, kinds, 20, tmp_path)
    assert len(tally.kinds) > 8


@pytest.mark.skipif(sys.platform == "win32", reason="needs cheap processes")
@pytest.mark.parametrize(("how", "count"), [("kill", 40), ("full", 10)])
def test_ends_of_the_process(how: str, count: int, tmp_path: Path) -> None:
    """A process that downloads is killed at random moments, or runs out of disk."""
    with fork_server(interruptions.__name__) as context:
        assert end_many(context, 5, how, count, tmp_path).interrupted == count


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    """10,000 single bits of a file that lies half-finished on the disk."""
    draw, block = random.Random(3), 512
    data = bytearray(draw.randbytes(13 * block + 77))
    path = tmp_path / "model.safetensors"
    with PartFile(path, size=len(data), digest="d", block=block) as part:
        for index in range(part.count):
            start, stop = part.span(index)
            part.write(start, memoryview(data)[start:stop])
            part.note(index, hashlib.sha256(data[start:stop]).hexdigest())
    with PartFile(path, size=len(data), digest="d", block=block) as part:
        promised = dict(part.hashes)
        assert len(promised) == 14
        for _ in range(10_000):
            at, bit = draw.randrange(len(data)), 1 << draw.randrange(8)
            part.write(at, memoryview(bytes([data[at] ^ bit])))
            assert part.read(at // block) is None
            part._known[at // block] = promised[at // block]
            part.write(at, memoryview(data)[at : at + 1])
        assert b"".join(part.read(index) or b"" for index in range(part.count)) == data


def test_a_journal_cut_at_any_byte(tmp_path: Path) -> None:
    """It promises nothing that is not there, and what is noted behind the cut is known again."""
    data, block, path = random.Random(4).randbytes(12 * 64 - 5), 64, tmp_path / "m"
    journal = tmp_path / "m.blocks"

    def fill(part: PartFile) -> int:
        missing = [index for index in range(part.count) if part.read(index) is None]
        for index in missing:
            start, stop = part.span(index)
            part.write(start, memoryview(data)[start:stop])
            part.note(index, hashlib.sha256(data[start:stop]).hexdigest())
        return len(missing)

    with PartFile(path, size=len(data), digest="d", block=block) as part:
        assert fill(part) == 12
    whole = journal.read_bytes()
    for cut in range(0, len(whole), 5):
        journal.write_bytes(whole[:cut])
        kept = max(whole[: cut + 1].count(b"\n") - 1, 0)
        with PartFile(path, size=len(data), digest="d", block=block) as part:
            assert fill(part) == 12 - kept
        with PartFile(path, size=len(data), digest="d", block=block) as part:
            assert fill(part) == 0
