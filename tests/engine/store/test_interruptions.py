"""Whatever interrupts a download, it ends with the right bytes, and little is fetched again."""

from __future__ import annotations

import hashlib
import random
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from engine.messages import EngineFault
from engine.store.download import Settings, download
from engine.store.fetch import Patience
from engine.store.hub import Hub, Listing, list_files
from engine.store.names import LOCK, RECORD
from engine.store.pace import Control
from engine.store.part import PartFile
from tests.engine.forks import fork_server
from tests.engine.store.fake_hub import REPO, FakeHub, Fault

BLOCK = 4096
SETTINGS = Settings(
    block=BLOCK,
    spare=0,
    patience=Patience(tries=2, first=0.001, longest=0.002, stall=0.15),
    other_way=False,  # a second process each time
)
KINDS = [
    "drop", "stall", "truncated", "length", "range", "gzip", "429", "500", "503", "html", "401",
    "403", "404", "pause", "pause",
]  # fmt: skip
WRONG = ["flip", "decayed"]  # a bit is another one, on the way or on the disk


@dataclass
class Watch:
    """How much of each file is known to have arrived, against what is asked for afterwards."""

    fake: FakeHub
    folder: Path
    arrived: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """After an attempt. A part grows from its beginning, so its length is what arrived."""
        self.fake.seen.clear()
        for name in self.fake.files:
            final, part = self.folder / name, self.folder / f"{name}.part"
            path = final if final.exists() else part
            self.arrived[name] = path.stat().st_size if path.exists() else 0

    def check(self) -> None:
        """After the next attempt, however that ended: at most one block was asked for again."""
        for name, arrived in self.arrived.items():
            assert all(start >= arrived - BLOCK for start in self.fake.starts(name))


def make(seed: int) -> FakeHub:
    draw = random.Random(seed)
    files = {f"model-{n}.safetensors": draw.randbytes(draw.randrange(1, 30 * BLOCK)) for n in "12"}
    files["config.json"] = draw.randbytes(draw.randrange(2 * BLOCK))
    return FakeHub(files=files, large={name for name in files if name != "config.json"})


def finish(fake: FakeHub, hub: Hub, listing: Listing, folder: Path) -> None:
    """The last attempt: nothing is in its way, and nothing is left over."""
    fake.faults.clear()
    fake.pace = 0.0
    download(hub, listing, folder, settings=SETTINGS)
    left = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert left.pop(LOCK) == b""
    assert left.pop(RECORD)
    assert left == fake.files


def decay(folder: Path, draw: random.Random) -> None:
    """One bit of what has arrived is another one now."""
    parts = [part for part in folder.rglob("*.part") if part.stat().st_size]
    if parts:
        part = draw.choice(parts)
        data = bytearray(part.read_bytes())
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        part.write_bytes(data)


def interrupt(fake: FakeHub, kinds: list[str], draw: random.Random, folder: Path) -> Control:
    """Arranges what happens in the next attempt. Returns when the user pauses."""
    last = 9_999
    fake.faults.clear()
    for kind in draw.choices(kinds, k=3):
        if kind == "decayed":
            decay(folder, draw)
        elif kind == "pause":
            last = draw.randrange(4, 16)
        else:
            after, at_hub = draw.randrange(12 * BLOCK), draw.random() < 0.3
            again = draw.choice(["0", ""])
            fault = Fault(kind=kind, after=after, at_hub=at_hub, retry_after=again)
            # One that another try helps against sometimes comes again and again.
            fake.faults.extend([fault] * draw.choice([1, 1, 3]))
    calls = iter(range(10_000))
    return Control(stop=lambda: next(calls) > last)


@pytest.mark.parametrize("kinds", [KINDS, KINDS + WRONG * 4], ids=["broken", "wrong"])
@pytest.mark.parametrize("seed", range(5))
def test_random_interruptions(seed: int, kinds: list[str], tmp_path: Path) -> None:
    """Twenty attempts each that were interrupted, most of them more than once.

    Where content is wrong, what is wrong is fetched again, and it may be found much later.
    """
    draw, interrupted = random.Random(seed), 0
    for model in range(60):
        folder = tmp_path / str(model)
        folder.mkdir()
        with make(100 * seed + model) as fake:
            hub = Hub(endpoint=fake.endpoint)
            listing, watch, ended = list_files(hub, REPO), Watch(fake, folder), True
            while ended and interrupted < 20:
                control = interrupt(fake, kinds, draw, folder)
                planned = len(fake.faults)
                try:
                    download(hub, listing, folder, control, SETTINGS)
                    ended = False
                except EngineFault:
                    pass
                interrupted += ended or len(fake.faults) < planned
                if kinds is KINDS:
                    watch.check()
                for name, data in fake.files.items():
                    path = folder / name
                    assert not path.exists() or path.read_bytes() == data
                watch.look()
            finish(fake, hub, listing, folder)
        if interrupted == 20:
            return
    pytest.fail("too little happened")


def _child(endpoint: str, listing: Listing, folder: Path) -> None:
    download(Hub(endpoint=endpoint), listing, folder, settings=SETTINGS)


@pytest.mark.skipif(sys.platform == "win32", reason="needs cheap processes")
def test_kills(tmp_path: Path) -> None:
    """Forty times a process that downloads is killed at a random moment."""
    with fork_server(__name__) as context:
        assert _kill(context, tmp_path) == 40


def _kill(context: ForkServerContext, place: Path) -> int:
    """How many processes were killed while they downloaded."""
    draw, kills = random.Random(5), 0
    for model in range(40):
        folder = place / str(model)
        with make(1000 + model) as fake:
            listing, watch = list_files(Hub(endpoint=fake.endpoint), REPO), Watch(fake, folder)
            fake.pace, was_killed = 0.006, True
            while was_killed and kills < 40:
                child = context.Process(target=_child, args=(fake.endpoint, listing, folder))
                child.start()
                while len(fake.seen) < 2 and child.is_alive():
                    time.sleep(0.001)
                time.sleep(draw.random() * 0.06)
                child.kill()
                child.join()
                was_killed = child.exitcode == -9
                kills += was_killed
                watch.check()
                watch.look()
            finish(fake, Hub(endpoint=fake.endpoint), listing, folder)
        if kills == 40:
            break
    return kills


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
