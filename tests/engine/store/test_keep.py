"""What is deleted is gone, what is moved is whole, and nothing of anybody else's is touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from engine.checkpoint.durable import sole_writer
from engine.messages import EngineFault, ErrorKind, JobKind, JobOptions, JobRequest, ModelState
from engine.store import keep
from engine.store.fetching import fetch_model
from engine.store.keep import delete, move
from engine.store.names import LOCK
from tests.engine.store.fake_hub import REPO, FakeHub
from tests.engine.store.test_library import put_model

OTHER_DISK = Path("/dev/shm")


def never() -> bool:
    return False


def silent(*_args: object, **_more: object) -> None:
    pass


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """A model that has been fetched into the folder `home`."""
    files = {"config.json": b"{}", "model.safetensors": os.urandom(300_000), "tokenizer.json": b"1"}
    with FakeHub(files=files, large={"model.safetensors"}) as fake:
        request = JobRequest(
            kind=JobKind.DOWNLOAD,
            model=REPO,
            home=str(tmp_path / "home"),
            options=JobOptions(endpoint=fake.endpoint),
        )
        return Path(fetch_model(request, silent, never).model.path)


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_model_is_deleted_by_its_id_or_its_folder(fetched: Path) -> None:
    home = fetched.parent
    copy = home / "again"
    shutil.copytree(fetched, copy)
    size = sum(map(len, content(fetched).values()))
    assert delete(REPO, home).freed == size
    assert delete(str(copy), home).freed == size
    assert list(home.iterdir()) == []


def test_what_is_not_ours_stays(fetched: Path, tmp_path: Path) -> None:
    home = fetched.parent
    elsewhere = put_model(tmp_path / "elsewhere" / "model")
    (home / "notes").mkdir()
    (home / "link").symlink_to(fetched, target_is_directory=True)
    places = [elsewhere, home / "notes", home / "link", home, tmp_path, Path("/")]
    for place in places:
        with pytest.raises(EngineFault, match="only models that it keeps itself"):
            delete(str(place), home)
    for place in (home / "notes", home / "link", home):
        with pytest.raises(EngineFault, match="only models that it keeps itself"):
            move(str(place), tmp_path / "new", silent, never)
    assert elsewhere.exists()
    assert fetched.exists()


def test_a_folder_in_use_is_not_deleted(fetched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "_PATIENCE", 0.2)
    with sole_writer(fetched / LOCK), pytest.raises(EngineFault, match="Another window"):
        delete(str(fetched), fetched.parent)
    assert fetched.exists()


@pytest.mark.parametrize("disk", ["same", "other"])
def test_a_move(disk: str, fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if disk == "other" and not OTHER_DISK.is_dir():
        pytest.skip("needs a second disk")
    monkeypatch.setattr(keep, "_SPARE", 0)
    home = tmp_path / "new" if disk == "same" else OTHER_DISK / f"redraft-test-{os.getpid()}"
    before = content(fetched)
    try:
        moved = move(str(fetched), home, silent, never).model
        assert (moved.path, moved.state) == (str(home / fetched.name), ModelState.HERE)
        assert content(home / fetched.name) == before
        assert not fetched.exists()
        assert [path.name for path in home.iterdir()] == [fetched.name]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_a_move_that_is_stopped_leaves_all_as_it_was(
    fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not OTHER_DISK.is_dir():
        pytest.skip("needs a second disk")
    monkeypatch.setattr(keep, "_SPARE", 0)
    home, before, seen = OTHER_DISK / f"redraft-test-{os.getpid()}", content(fetched), []
    try:
        with pytest.raises(EngineFault) as caught:
            move(str(fetched), home, lambda *args, **_more: seen.append(args), lambda: bool(seen))
        assert caught.value.error.kind is ErrorKind.CANCELLED
        assert content(fetched) == before
        assert list(home.iterdir()) == []
        monkeypatch.setattr(keep, "free_at", lambda _folder: 10)
        with pytest.raises(EngineFault, match="GB free"):
            move(str(fetched), home, silent, never)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def test_a_name_that_is_taken(fetched: Path, tmp_path: Path) -> None:
    (tmp_path / "new" / fetched.name).mkdir(parents=True)
    with pytest.raises(EngineFault, match="already"):
        move(str(fetched), tmp_path / "new", silent, never)
    assert fetched.exists()
