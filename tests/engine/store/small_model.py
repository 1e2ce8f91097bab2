"""A small model on the fake hub, and how it is fetched in tests: small blocks, little patience."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from engine.store.download import Settings, download
from engine.store.fetch import Patience
from engine.store.hub import Hub, Listing, list_files
from engine.store.names import LOCK, RECORD
from engine.store.pace import Control
from engine.store.record import Fetched
from tests.engine.store.fake_hub import REPO, FakeHub

BLOCK = 4096
LARGE = "model-00001.safetensors"
QUICK = Patience(tries=3, first=0.001, longest=0.002, stall=0.2)
SETTINGS = Settings(block=BLOCK, spare=0, patience=QUICK, other_way=False)
_RANDOM = random.Random(7)
FILES = {
    "config.json": b'{"layers": 2}',
    LARGE: _RANDOM.randbytes(10 * BLOCK + 123),
    "sub/model-00002.safetensors": _RANDOM.randbytes(8 * BLOCK),
    "empty.txt": b"",
}


def fetch_all(
    fake: FakeHub, folder: Path, control: Control = Control(), settings: Settings = SETTINGS
) -> tuple[Fetched, ...]:
    hub = Hub(endpoint=fake.endpoint)
    return download(hub, list_files(hub, REPO), folder, control, settings)


def only(fake: FakeHub, *names: str) -> Listing:
    listing = list_files(Hub(endpoint=fake.endpoint), REPO)
    return replace(listing, files=tuple(file for file in listing.files if file.name in names))


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but what stays there for good."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in found.items() if name not in (LOCK, RECORD)}
