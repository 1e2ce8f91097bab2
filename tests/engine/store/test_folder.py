"""What a download does with the folder: room, rights, damage, and files of somebody else."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.checkpoint.durable import sole_writer
from engine.messages import EngineFault, ErrorKind
from engine.store.download import discard, download
from engine.store.hub import Hub
from engine.store.names import LOCK, RECORD
from tests.engine.store.fake_hub import FakeHub, Fault
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


def test_a_path_of_more_than_260_characters(fake: FakeHub, tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*("ünï 名前 " + "x" * 60,) * 5)
    assert len(str(folder)) > 300
    fake.faults.append(Fault(kind="drop", after=2 * BLOCK))
    fake.faults.extend([Fault(kind="503", retry_after="0")] * QUICK.tries)
    with pytest.raises(EngineFault):
        download(Hub(endpoint=fake.endpoint), only(fake, LARGE), folder, settings=SETTINGS)
    fake.faults.clear()
    fetch_all(fake, folder)
    assert contents(folder) == FILES


def test_a_clock_that_is_set_back(fake: FakeHub, tmp_path: Path) -> None:
    """What has arrived is from the future then; nothing of it is fetched again."""
    fake.faults.append(Fault(kind="drop", after=2 * BLOCK))
    fake.faults.extend([Fault(kind="503", retry_after="0")] * QUICK.tries)
    with pytest.raises(EngineFault):
        download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, settings=SETTINGS)
    later = time.time() + 10 * 365 * 86400
    for path in tmp_path.rglob("*"):
        os.utime(path, (later, later))
    fake.faults.clear()
    fake.seen.clear()
    download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, settings=SETTINGS)
    assert fake.starts(LARGE) == [2 * BLOCK]
    assert contents(tmp_path) == {LARGE: FILES[LARGE]}
    os.utime(tmp_path / LARGE, (later, later))
    fake.seen.clear()
    download(Hub(endpoint=fake.endpoint), only(fake, LARGE), tmp_path, settings=SETTINGS)
    assert fake.starts(LARGE) == []


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
