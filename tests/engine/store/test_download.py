"""Files arrive as they are, whatever happens on the way, and every end is said in words."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import close_session

from engine.checkpoint.durable import sole_writer
from engine.messages import EngineFault, ErrorKind
from engine.store.download import Settings, discard, download
from engine.store.fetch import Patience
from engine.store.hub import Hub, Listing, list_files
from engine.store.names import LOCK, RECORD
from engine.store.pace import Control, Progress
from engine.store.record import Fetched
from tests.engine.store.fake_hub import REPO, TOKEN, FakeHub, Fault

BLOCK = 4096
LARGE = "model-00001.safetensors"
QUICK = Patience(tries=3, first=0.001, longest=0.002, stall=0.2)
SETTINGS = Settings(block=BLOCK, spare=0, patience=QUICK)
_RANDOM = random.Random(7)
FILES = {
    "config.json": b'{"layers": 2}',
    LARGE: _RANDOM.randbytes(10 * BLOCK + 123),
    "sub/model-00002.safetensors": _RANDOM.randbytes(8 * BLOCK),
    "empty.txt": b"",
}


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub(files=dict(FILES), large={LARGE, "sub/model-00002.safetensors"}) as fake:
        yield fake


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


def test_all_files_arrive(fake: FakeHub, tmp_path: Path) -> None:
    seen: list[Progress] = []
    fetched = fetch_all(fake, tmp_path / "ünï 名前 😀", Control(progress=seen.append))
    assert contents(tmp_path / "ünï 名前 😀") == FILES
    assert {file.name: file.sha256 for file in fetched} == {n: fake.sha256(n) for n in FILES}
    total = sum(map(len, FILES.values()))
    assert (seen[-1].done, seen[-1].total) == (total, total)
    assert fake.starts(LARGE) == [0]  # all blocks over one connection


def test_a_second_time_nothing_is_fetched(fake: FakeHub, tmp_path: Path) -> None:
    first = fetch_all(fake, tmp_path)
    fake.seen.clear()
    assert fetch_all(fake, tmp_path) == first
    assert [each.path for each in fake.seen if "resolve" in each.path] == []


@pytest.mark.parametrize(
    "kind", ["drop", "stall", "truncated", "length", "range", "gzip", "429", "500", "503"]
)
@pytest.mark.parametrize("after", [0, 1, BLOCK, 3 * BLOCK + 17])
def test_a_connection_that_fails_goes_on_where_it_was(
    kind: str, after: int, fake: FakeHub, tmp_path: Path
) -> None:
    fake.faults.append(Fault(kind=kind, after=after, retry_after="0"))
    download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, settings=SETTINGS)
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}
    arrived = after if kind in ("drop", "stall", "truncated") else 0
    expected = [0] if kind == "length" else [0, arrived]
    assert fake.starts(LARGE) == expected


def test_a_loop_of_redirects_and_an_expired_address(fake: FakeHub, tmp_path: Path) -> None:
    fake.faults.extend([Fault(kind="loop", at_hub=True), Fault(kind="403"), Fault(kind="404")])
    download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, settings=SETTINGS)
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(kind="html"), ErrorKind.NETWORK, "login page"),
        (Fault(kind="401", at_hub=True), ErrorKind.ACCESS, "permission"),
        (Fault(kind="403", at_hub=True), ErrorKind.ACCESS, "permission"),
        (Fault(kind="404", at_hub=True), ErrorKind.MODEL_MISSING, "no such"),
    ],
)
def test_what_another_try_does_not_help(
    fault: Fault, kind: ErrorKind, words: str, fake: FakeHub, tmp_path: Path
) -> None:
    fake.faults.append(fault)
    hub, listing = Hub(endpoint=fake.endpoint), only(fake, LARGE)
    with pytest.raises(EngineFault, match=words) as caught:
        download(hub, listing, tmp_path, settings=SETTINGS)
    assert caught.value.error.kind is kind
    assert LARGE not in contents(tmp_path)
    download(hub, listing, tmp_path, settings=SETTINGS)
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}


@pytest.mark.parametrize(("kind", "words"), [("503", "too much"), ("drop", "does not work")])
def test_after_many_tries_it_ends_and_can_go_on(
    kind: str, words: str, fake: FakeHub, tmp_path: Path
) -> None:
    fake.faults.append(Fault(kind="drop", after=5 * BLOCK + 9))
    fake.faults.extend([Fault(kind=kind, retry_after="0")] * QUICK.tries)
    hub, listing = Hub(endpoint=fake.endpoint), only(fake, LARGE)
    with pytest.raises(EngineFault, match=words):
        download(hub, listing, tmp_path, settings=SETTINGS)
    fake.seen.clear()
    download(hub, listing, tmp_path, settings=SETTINGS)
    assert fake.starts(LARGE) == [5 * BLOCK]
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}


def test_a_server_without_ranges(fake: FakeHub, tmp_path: Path) -> None:
    fake.knows_ranges = False
    fake.faults.append(Fault(kind="drop", after=2 * BLOCK + 5))
    download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, settings=SETTINGS)
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}


@pytest.mark.parametrize("name", ["config.json", LARGE])
def test_wrong_content_never_gets_the_name(name: str, fake: FakeHub, tmp_path: Path) -> None:
    hub, listing = Hub(endpoint=fake.endpoint), only(fake, name)
    flip = Fault(kind="flip", after=5, at_hub=name not in fake.large)
    fake.faults.append(flip)
    download(hub, listing, tmp_path / "once", settings=SETTINGS)  # the second time it is right
    assert contents(tmp_path / "once") == {name: FILES[name]}
    fake.faults.extend([flip, flip])
    with pytest.raises(EngineFault, match="wrong content"):
        download(hub, listing, tmp_path, settings=SETTINGS)
    assert not (tmp_path / name).exists()
    download(hub, listing, tmp_path, settings=SETTINGS)
    assert (tmp_path / name).read_bytes() == FILES[name]


def test_a_pause_keeps_what_arrived(fake: FakeHub, tmp_path: Path) -> None:
    fake.pace = 0.005
    hub, listing, part = Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path / f"{LARGE}.part"

    def stop() -> bool:
        return part.exists() and part.stat().st_size > 6 * BLOCK

    with pytest.raises(EngineFault) as caught:
        download(hub, listing, tmp_path, Control(stop=stop), SETTINGS)
    assert caught.value.error.kind is ErrorKind.CANCELLED
    arrived = part.stat().st_size
    fake.seen.clear()
    fake.pace = 0.0
    download(hub, listing, tmp_path, settings=SETTINGS)
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}
    assert fake.starts(LARGE) == [arrived // BLOCK * BLOCK]


def test_a_pause_does_not_wait_for_a_connection_that_is_silent(
    fake: FakeHub, tmp_path: Path
) -> None:
    """The connection would be given up after an hour, and the server is silent for as long."""
    fake.silence = 3600.0
    fake.faults.append(Fault(kind="stall", after=2 * BLOCK + 1))
    part = tmp_path / f"{LARGE}.part"
    control = Control(stop=lambda: part.exists() and part.stat().st_size > 2 * BLOCK)
    patient = replace(SETTINGS, patience=replace(QUICK, stall=3600.0))
    with pytest.raises(EngineFault, match="paused"):
        download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, control, patient)
    assert part.stat().st_size == 2 * BLOCK + 1


def test_where_one_file_fails_the_others_pause(fake: FakeHub, tmp_path: Path) -> None:
    fake.pace = 0.01
    fake.faults.append(Fault(kind="html", at_hub=True))
    with pytest.raises(EngineFault, match="login page"):
        fetch_all(fake, tmp_path)
    fake.pace = 0.0
    fetch_all(fake, tmp_path)
    assert contents(tmp_path) == FILES


def test_the_proxy_of_the_system_is_used(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fake hub answers as a proxy does; the host that is asked for does not exist."""
    monkeypatch.setenv("http_proxy", fake.endpoint.replace("//", "//user:password@"))
    close_session()
    try:
        hub = Hub(endpoint="http://hub.invalid")
        listing = list_files(hub, REPO)
        small = tuple(file for file in listing.files if file.name == "config.json")
        download(hub, replace(listing, files=small), tmp_path, settings=SETTINGS)
    finally:
        close_session()
    assert contents(tmp_path) == {"config.json": FILES["config.json"]}


def test_discarding_removes_only_what_is_unfinished(fake: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "mine.part").write_text("kept")
    (tmp_path / "mine.blocks").write_text("kept, too")
    fake.faults.append(Fault(kind="drop", after=2 * BLOCK))
    fake.faults.extend([Fault(kind="503", retry_after="0")] * QUICK.tries)
    with pytest.raises(EngineFault):
        download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, settings=SETTINGS)
    assert f"{LARGE}.part" in contents(tmp_path)
    discard(tmp_path)
    assert set(contents(tmp_path)) == {"mine.part", "mine.blocks"}


def test_the_limit_of_speed_holds(fake: FakeHub, tmp_path: Path) -> None:
    """At four times its size a second a file cannot be there before a quarter of a second."""
    size = len(FILES[LARGE])
    begun = time.monotonic()
    control = Control(limit=lambda: size * 4)
    download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, control, SETTINGS)
    assert time.monotonic() - begun >= 0.24
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}


def test_a_disk_without_room_is_said_first(fake: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(EngineFault, match="GB free") as caught:
        fetch_all(fake, tmp_path, settings=replace(SETTINGS, spare=1 << 60))
    assert caught.value.error.kind is ErrorKind.DISK
    assert not [each for each in fake.seen if "resolve" in each.path]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_gets_full(fake: FakeHub, tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    hub, listing = Hub(endpoint=fake.endpoint), only(fake, LARGE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * BLOCK + 50, hard))
    try:
        with pytest.raises(EngineFault, match="disk is full") as caught:
            download(hub, listing, tmp_path, settings=SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.error.kind is ErrorKind.DISK
    fake.seen.clear()
    download(hub, listing, tmp_path, settings=SETTINGS)
    assert fake.starts(LARGE) == [3 * BLOCK]
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}


@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(fake: FakeHub, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(EngineFault, match="cannot be read or written"):
            fetch_all(fake, tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_a_file_in_the_place_of_the_folder(fake: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file")
    with pytest.raises(EngineFault) as caught:
        fetch_all(fake, tmp_path / "model")
    assert caught.value.error.kind is ErrorKind.DISK


def test_two_at_once_into_one_folder(fake: FakeHub, tmp_path: Path) -> None:
    with sole_writer(tmp_path / LOCK), pytest.raises(EngineFault, match="Another window"):
        fetch_all(fake, tmp_path)


def test_names_that_lead_outside_are_refused_before_anything_is_written(
    fake: FakeHub, tmp_path: Path
) -> None:
    fake.renamed = {"config.json": "../outside.json"}
    with pytest.raises(EngineFault, match="not safe"):
        fetch_all(fake, tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["flip", "cut", "longer"])
def test_a_damaged_file_is_repaired_by_its_damaged_block(
    damage: str, fake: FakeHub, tmp_path: Path
) -> None:
    fetch_all(fake, tmp_path)
    data = bytearray(FILES[LARGE])
    if damage == "flip":
        data[7 * BLOCK + 5] ^= 1
    (tmp_path / LARGE).write_bytes(
        {"flip": data, "cut": data[: 9 * BLOCK + 1], "longer": data + b"more"}[damage]
    )
    fake.seen.clear()
    fetch_all(fake, tmp_path)
    assert contents(tmp_path) == FILES
    missing = {"flip": [7], "cut": [9, 10], "longer": []}[damage]
    assert fake.starts(LARGE) == [index * BLOCK for index in missing]


@pytest.mark.parametrize("name", [RECORD, f"{LARGE}.blocks", f"{LARGE}.part"])
def test_files_of_ours_that_are_rubbish(name: str, fake: FakeHub, tmp_path: Path) -> None:
    for rubbish in (b"", b"\xff\x00" * 99, b"[]", b'{"format": 1, "files": [{"blocks": 3}]}'):
        (tmp_path / name).write_bytes(rubbish)
        fetch_all(fake, tmp_path)
        assert contents(tmp_path) == FILES


def test_a_file_that_was_replaced_by_a_new_version(fake: FakeHub, tmp_path: Path) -> None:
    fetch_all(fake, tmp_path)
    fake.files["config.json"] = b'{"layers": 3}'
    fake.files[LARGE] = FILES[LARGE][::-1]
    fetch_all(fake, tmp_path)
    assert contents(tmp_path) == fake.files


def test_a_wait_is_told_and_can_be_ended(fake: FakeHub, tmp_path: Path) -> None:
    fake.faults = deque([Fault(kind="429", retry_after="300")])
    waiting = threading.Event()

    def watch(progress: Progress) -> None:
        if 250 < progress.wait <= 300:
            waiting.set()

    with pytest.raises(EngineFault, match="paused"):
        fetch_all(fake, tmp_path, Control(stop=waiting.is_set, progress=watch))


def test_a_private_model_with_its_token(fake: FakeHub, tmp_path: Path) -> None:
    fake.needs_token = True
    hub = Hub(endpoint=fake.endpoint, token=TOKEN)
    download(hub, list_files(hub, REPO), tmp_path, settings=SETTINGS)
    assert contents(tmp_path) == FILES
