"""Interruptions at random moments, and what must hold after each. For the tests and the benchmark."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path

from engine.messages import EngineFault, ErrorKind
from engine.store.download import Settings, download
from engine.store.fetch import Patience
from engine.store.hub import Hub, Listing, list_files
from engine.store.names import LOCK, RECORD
from engine.store.pace import Control
from tests.engine.store.fake_hub import REPO, FakeHub, Fault

if sys.platform != "win32":
    import resource

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

    def check(self) -> int:
        """After the next attempt, however that ended: at most one block was asked for again.

        Returns the most bytes of a file that were asked for again.
        """
        again = [
            max(arrived - start, 0)
            for name, arrived in self.arrived.items()
            for start in self.fake.starts(name)
        ]
        most = max(again, default=0)
        assert most <= BLOCK
        return most


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


@dataclass
class Tally:
    """What has happened."""

    interrupted: int = 0  # attempts
    kinds: Counter[str] = field(default_factory=Counter)
    most_again: int = 0  # bytes of one file that were asked for again after one interruption


def interrupt_many(seed: int, kinds: list[str], count: int, place: Path) -> Tally:
    """`count` attempts that were interrupted, most of them more than once.

    Where content is wrong, what is wrong is fetched again, and it may be found much later.
    """
    draw, tally, model = random.Random(seed), Tally(), 0
    while tally.interrupted < count:
        folder, model = place / f"{seed}-{model}", model + 1
        folder.mkdir(parents=True)
        with make(100 * seed + model) as fake:
            hub = Hub(endpoint=fake.endpoint)
            listing, watch, ended = list_files(hub, REPO), Watch(fake, folder), True
            while ended and tally.interrupted < count:
                control = interrupt(fake, kinds, draw, folder)
                planned = [fault.kind for fault in fake.faults]
                try:
                    download(hub, listing, folder, control, SETTINGS)
                    ended = False
                except EngineFault as fault:
                    tally.kinds["pause"] += fault.error.kind is ErrorKind.CANCELLED
                happened = planned[: len(planned) - len(fake.faults)]
                tally.kinds.update(happened)
                tally.interrupted += ended or bool(happened)
                if kinds is KINDS:
                    tally.most_again = max(tally.most_again, watch.check())
                nothing_wrong(fake, folder)
                watch.look()
            finish(fake, hub, listing, folder)
    return tally


def nothing_wrong(fake: FakeHub, folder: Path) -> None:
    """A file that has its name has its bytes."""
    for name, data in fake.files.items():
        path = folder / name
        assert not path.exists() or path.read_bytes() == data


def _child(endpoint: str, listing: Listing, folder: Path, most: int) -> None:
    """Exits with 7 where the disk is full. most: bytes that a file may have there; 0: any."""
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        download(Hub(endpoint=endpoint), listing, folder, settings=SETTINGS)
    except EngineFault as fault:
        sys.exit(7 if fault.error.kind is ErrorKind.DISK else 1)


def end_many(context: ForkServerContext, seed: int, how: str, count: int, place: Path) -> Tally:
    """`count` processes that download, and are killed ("kill") or run out of disk ("full")."""
    draw, tally, model = random.Random(seed), Tally(), 0
    while tally.interrupted < count:
        folder, model = place / f"{how}-{seed}-{model}", model + 1
        with make(1000 + 100 * seed + model) as fake:
            listing, watch = list_files(Hub(endpoint=fake.endpoint), REPO), Watch(fake, folder)
            fake.pace, was_ended = 0.006 if how == "kill" else 0.0, True
            while was_ended and tally.interrupted < count:
                most = draw.randrange(1, 30 * BLOCK) if how == "full" else 0
                child = context.Process(target=_child, args=(fake.endpoint, listing, folder, most))
                child.start()
                if how == "kill":
                    while len(fake.seen) < 2 and child.is_alive():
                        time.sleep(0.001)
                    time.sleep(draw.random() * 0.06)
                    child.kill()
                child.join()
                assert child.exitcode in ((-9, 0) if how == "kill" else (7, 0))
                was_ended = child.exitcode != 0
                tally.interrupted += was_ended
                tally.kinds[how] += was_ended
                tally.most_again = max(tally.most_again, watch.check())
                nothing_wrong(fake, folder)
                watch.look()
            finish(fake, Hub(endpoint=fake.endpoint), listing, folder)
    return tally
