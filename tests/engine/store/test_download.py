"""Files arrive as they are, whatever happens on the way, and every end is said in words."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import close_session

from engine.messages import EngineFault, ErrorKind
from engine.store.download import download
from engine.store.hub import Hub, list_files
from engine.store.pace import Control, Progress
from tests.engine.store.fake_hub import REPO, TOKEN, FakeHub, Fault
from tests.engine.store.small_model import (
    BLOCK,
    FILES,
    LARGE,
    QUICK,
    SETTINGS,
    contents,
    fetch_all,
    only,
)


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
    assert fake.starts(LARGE) == [0, 2 * BLOCK + 5]
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


@pytest.mark.parametrize("name", ["config.json", LARGE])
def test_what_arrives_wrong_twice_is_fetched_in_another_way(
    name: str, fake: FakeHub, tmp_path: Path
) -> None:
    """By the hub's own library, in a process of its own; and it is not believed either."""
    hub, listing = Hub(endpoint=fake.endpoint), only(fake, name)
    settings, repaired = replace(SETTINGS, other_way=True), []
    flip = Fault(kind="flip", after=5, at_hub=name not in fake.large)
    fake.faults.extend([flip, flip])
    fetched = download(hub, listing, tmp_path, Control(repaired=repaired.append), settings)
    assert contents(tmp_path) == {name: FILES[name]}
    assert [each.sha256 for each in fetched] == [fake.sha256(name)]
    assert repaired == [name]
    assert {each.method for each in fake.seen} == {"GET", "HEAD"}  # ours asks with GET alone
    fake.faults.extend([flip, flip, flip])
    (tmp_path / name).unlink()
    with pytest.raises(EngineFault, match="wrong content"):
        download(hub, listing, tmp_path, settings=settings)
    assert set(contents(tmp_path)) <= {f"{name}.part", f"{name}.blocks"}


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
    silent_since: list[float] = []

    def stop() -> bool:
        if part.exists() and part.stat().st_size == 2 * BLOCK + 1:
            silent_since.append(time.monotonic())
        return bool(silent_since) and time.monotonic() > silent_since[0] + 0.3

    patient = replace(SETTINGS, patience=replace(QUICK, stall=3600.0))
    with pytest.raises(EngineFault, match="paused"):
        download(
            Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, Control(stop=stop), patient
        )
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


def test_the_limit_of_speed_holds(fake: FakeHub, tmp_path: Path) -> None:
    """At four times its size a second a file cannot be there before a quarter of a second."""
    size = len(FILES[LARGE])
    begun = time.monotonic()
    control = Control(limit=lambda: size * 4)
    download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, control, SETTINGS)
    assert time.monotonic() - begun >= 0.24
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}


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
