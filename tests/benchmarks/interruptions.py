"""What interruptions do to downloads: `python -m tests.benchmarks.interruptions [--count 5000]`.

Downloads from a hub on loopback are interrupted at random moments in every way that is known, taken
up again and interrupted again. After each: no file has its name without its bytes, and no more than
one block of a file (4 KiB there, 16 MiB in the product) is asked for again. At the end of each model
it is whole, and nothing else is left in its folder. Then: single bits of finished and unfinished
files are turned over, and it is looked whether that is noticed; and how long it takes with 1 GB.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from engine.messages import Checked
from engine.store.download import download
from engine.store.hub import Hub, Listing, list_files
from engine.store.part import BLOCK as REAL_BLOCK
from engine.store.part import PartFile
from engine.store.record import Fetched, write_record
from tests.benchmarks.record import record
from tests.engine.forks import fork_server
from tests.engine.store import interruptions
from tests.engine.store.fake_hub import COMMIT, REPO
from tests.engine.store.interruptions import (
    BLOCK,
    KINDS,
    SETTINGS,
    WRONG,
    end_many,
    interrupt_many,
    make,
)

SHARES = {"broken": 0.5, "wrong": 0.2, "kill": 0.2, "full": 0.1}
ONE_GB = 1_000_000_000


def interruptions_of(count: int, place: Path) -> dict[str, object]:
    kinds: Counter[str] = Counter()
    most, done = 0, 0
    for how, share in SHARES.items():
        left, seed = round(count * share), 1000
        while left > 0:
            now, seed = min(left, 50), seed + 1
            if how in ("broken", "wrong"):
                which = KINDS if how == "broken" else KINDS + WRONG * 4
                tally = interrupt_many(seed, which, now, place / how)
            else:
                with fork_server(interruptions.__name__) as context:
                    tally = end_many(context, seed, how, now, place)
            kinds += tally.kinds
            done, left, most = done + tally.interrupted, left - now, max(most, tally.most_again)
            print(f"{how}: {done} of {count}", flush=True)
    return {
        "interruptions": done,
        "faults_by_kind": dict(sorted(kinds.items())),
        "wrong_files_with_a_name": 0,  # each of these three would have ended the run
        "models_not_whole_in_the_end": 0,
        "left_over_files": 0,
        "most_asked_for_again_blocks": round(most / BLOCK, 3),
        "most_asked_for_again_bytes_in_the_product": int(most / BLOCK * REAL_BLOCK),
    }


def flips_of_a_part(count: int, place: Path) -> int:
    """How many single bits that turned over in an unfinished file were noticed."""
    draw, block, noticed = random.Random(3), 512, 0
    data = draw.randbytes(13 * block + 77)
    with PartFile(place / "m", size=len(data), digest="d", block=block) as part:
        for index in range(part.count):
            start, stop = part.span(index)
            part.write(start, memoryview(data)[start:stop])
            part.note(index, hashlib.sha256(data[start:stop]).hexdigest())
    for _ in range(count):
        at, bit = draw.randrange(len(data)), 1 << draw.randrange(8)
        with PartFile(place / "m", size=len(data), digest="d", block=block) as part:
            part.write(at, memoryview(bytes([data[at] ^ bit])))
            noticed += part.read(at // block) is None
            part.write(at, memoryview(data)[at : at + 1])
    return noticed


def flips_of_a_model(count: int, place: Path) -> int:
    """How many single bits that turned over in a finished folder were noticed."""
    draw, noticed = random.Random(4), 0
    with make(1) as fake:
        hub = Hub(endpoint=fake.endpoint)
        download(hub, list_files(hub, REPO), place, settings=SETTINGS)
        for _ in range(count):
            name = draw.choice([name for name, data in fake.files.items() if data])
            data, path = fake.files[name], place / name
            at = draw.randrange(len(data))
            with path.open("r+b") as file:
                file.seek(at)
                file.write(bytes([data[at] ^ 1 << draw.randrange(8)]))
            noticed += check(place).damaged == (name,)
            path.write_bytes(data)
    return noticed


def time_to_detect(place: Path) -> float:
    """Seconds until one wrong bit near the end of 1 GB is said; the best of three."""
    piece, digest = random.Random(5).randbytes(1_000_000), hashlib.sha256()
    place.mkdir()
    with (place / "m.safetensors").open("wb") as file:
        for _ in range(ONE_GB // len(piece)):
            file.write(piece)
            digest.update(piece)
    whole = Fetched(name="m.safetensors", size=ONE_GB, sha256=digest.hexdigest())
    write_record(place, Listing(repo=REPO, commit=COMMIT, files=()), [whole])
    assert check(place).is_whole
    with (place / "m.safetensors").open("r+b") as file:
        file.seek(ONE_GB - 7)
        file.write(bytes([piece[-7] ^ 4]))
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        assert check(place).damaged == ("m.safetensors",)
        times.append(time.perf_counter() - begun)
    return min(times)


def check(place: Path) -> Checked:
    # Not above: each process that is killed imports this module anew, and this brings torch along.
    from engine.check import check as check_files

    return check_files(place, _silent, _never)


def _silent(_what: str, _done: int, _total: int) -> None:
    pass


def _never() -> bool:
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="interruptions")
    parser.add_argument("--flips", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        figures = interruptions_of(options.count, place / "models")
        (place / "part").mkdir()
        figures["flips"] = options.flips
        figures["flips_noticed_in_unfinished_files"] = flips_of_a_part(
            options.flips, place / "part"
        )
        figures["flips_noticed_in_finished_models"] = flips_of_a_model(options.flips, place / "m")
        figures["seconds_to_detect_a_wrong_bit_in_1_gb"] = round(time_to_detect(place / "gb"), 2)
    record("interruptions", figures)


if __name__ == "__main__":
    main()
