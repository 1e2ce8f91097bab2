"""Every byte of a model that has changed is noticed, whoever has put the model there."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

from engine.check import check
from engine.checkpoint.manifest import COMPLETE
from engine.folders import model_folder
from engine.messages import EngineFault, ErrorKind
from engine.prepare import prepare
from engine.store.download import download
from engine.store.hub import Hub, list_files
from tests.engine.store.fake_hub import REPO, FakeHub
from tests.engine.store.small_model import FILES, LARGE, SETTINGS


def silent(_what: str, _done: int, _total: int) -> None:
    pass


def never() -> bool:
    return False


def by_us(place: Path) -> Path:
    with FakeHub(files=dict(FILES), large={LARGE}) as fake:
        hub = Hub(endpoint=fake.endpoint)
        download(hub, list_files(hub, REPO), place, settings=SETTINGS)
    return place


def by_the_hubs_library(place: Path) -> Path:
    """Files there are links to blobs that have their digest as name."""
    with FakeHub(files=dict(FILES), large={LARGE}) as fake:
        return Path(snapshot_download(REPO, endpoint=fake.endpoint, cache_dir=place, token=False))


def prepared(place: Path) -> Path:
    prepare(model_folder("demo"), place, "int8", silent, never)
    return place


@pytest.mark.parametrize("make", [by_us, by_the_hubs_library, prepared])
def test_flipped_bits_and_lost_files(make: Callable[[Path], Path], tmp_path: Path) -> None:
    folder, draw = make(tmp_path / "model"), random.Random(2)
    whole = check(folder, silent, never)
    assert whole.is_whole
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    files = [path for path in files if path.suffix in (".safetensors", ".json")]
    files = [path for path in files if path.name not in (COMPLETE, "download.json")]
    for path in draw.sample(files, min(len(files), 3)):
        name, data = path.relative_to(folder).as_posix(), bytearray(path.read_bytes())
        for _ in range(4):
            at, bit = draw.randrange(len(data)), 1 << draw.randrange(8)
            data[at] ^= bit
            path.write_bytes(data)
            found = check(folder, silent, never)
            assert (found.damaged, found.missing, found.is_whole) == ((name,), (), False)
            data[at] ^= bit
        path.write_bytes(data[:-1])
        assert check(folder, silent, never).damaged == (name,)
        path.write_bytes(data)
    assert check(folder, silent, never) == whole
    if make is not by_the_hubs_library:  # which has no list of what there should be
        files[0].unlink()
        assert check(folder, silent, never).missing == (files[0].relative_to(folder).as_posix(),)


def test_what_nobody_knows_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    found = check(tmp_path, silent, never)
    assert (found.files, found.unknown) == (0, ("model.safetensors",))
    with pytest.raises(EngineFault, match="no model folder"):
        check(tmp_path / "gone", silent, never)


def test_a_check_can_be_ended(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(EngineFault) as caught:
        check(by_us(tmp_path), lambda *said: seen.append(said), lambda: bool(seen))
    assert caught.value.error.kind is ErrorKind.CANCELLED
