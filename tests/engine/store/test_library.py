"""What is found on a PC, in the layouts that other programs really write, and what names mean."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import gguf
import pytest
from huggingface_hub import snapshot_download

from engine.folders import model_folder
from engine.messages import (
    EngineFault,
    ErrorKind,
    JobKind,
    JobOptions,
    JobRequest,
    ModelEntry,
    ModelFormat,
    ModelState,
    Place,
)
from engine.store.catalogue import Offer
from engine.store.fetching import fetch_model
from engine.store.find import find_models, usual_places
from engine.store.library import find_offer, library, look_up
from engine.store.names import paths_in
from tests.engine.store.fake_hub import COMMIT, REPO, FakeHub

DEMO = model_folder("demo")
NAMES = ("config.json", "model.safetensors", "tokenizer.json")


def write_gguf(file: Path, architecture: str = "diffusion-gemma") -> Path:
    """A small file, by the library of the format."""
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(file, architecture)
    writer.add_block_count(30)
    writer.add_embedding_length(2816)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return file


def put_model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in NAMES:
        shutil.copy(DEMO / name, folder / name)
    return folder


def found(place: Place, root: Path, tmp_path: Path) -> list[ModelEntry]:
    entries, faults = find_models(tmp_path / "home", (), [(place, root)])
    assert not faults
    return entries


def test_the_cache_of_the_hubs_own_library(tmp_path: Path) -> None:
    files = {name: (DEMO / name).read_bytes() for name in NAMES}
    with FakeHub(files=files, large={"model.safetensors"}) as fake:
        path = snapshot_download(REPO, endpoint=fake.endpoint, cache_dir=tmp_path, token=False)
    (entry,) = found(Place.HF_CACHE, tmp_path, tmp_path)
    assert os.path.realpath(entry.path) == os.path.realpath(path)
    assert (entry.repo, entry.revision, entry.state) == (REPO, COMMIT, ModelState.HERE)
    assert not entry.is_ours
    # a snapshot one of whose files leads elsewhere is none
    outside = tmp_path / "secret"
    outside.write_text("x")
    (Path(path) / "extra.json").symlink_to(outside)
    assert found(Place.HF_CACHE, tmp_path, tmp_path) == []


def test_a_snapshot_that_lacks_a_shard(tmp_path: Path) -> None:
    snapshot = put_model(tmp_path / "models--a--b" / "snapshots" / COMMIT)
    index = {"weight_map": {"x": "model.safetensors", "y": "model-2.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (entry,) = found(Place.HF_CACHE, tmp_path, tmp_path)
    assert (entry.repo, entry.state) == ("a/b", ModelState.BROKEN)


@pytest.mark.parametrize("place", [Place.LM_STUDIO, Place.LLAMA_CPP, Place.TEXT_GENERATION_WEBUI])
def test_gguf_files_of_other_programs(place: Place, tmp_path: Path) -> None:
    root = tmp_path / "models"
    file = write_gguf(root / "unsloth" / "x-GGUF" / "diffusiongemma-26B-A4B-it-Q4_K_M.gguf")
    write_gguf(root / "other" / "llama.gguf", "llama")
    (root / "other" / "broken.gguf").write_bytes(b"GGUF\x03")
    outside = write_gguf(tmp_path / "outside.gguf")
    (root / "other" / "link.gguf").symlink_to(outside)
    (root / "linked").symlink_to(tmp_path, target_is_directory=True)
    (entry,) = found(place, root, tmp_path)
    assert entry.path == str(file)
    assert (entry.format, entry.weights) == (ModelFormat.GGUF, "GGUF Q4_K_M")
    assert (entry.state, entry.place, entry.is_ours) == (ModelState.PARTLY_HERE, place, False)


def test_blobs_of_ollama(tmp_path: Path) -> None:
    good = write_gguf(tmp_path / "blobs" / f"sha256-{'a' * 64}")
    write_gguf(tmp_path / "outside")
    digests = [f"sha256:{'a' * 64}", "../outside", f"sha256:{'b' * 64}"]
    layers = [
        {"mediaType": "application/vnd.ollama.image.model", "digest": each} for each in digests
    ]
    manifest = tmp_path / "manifests" / "registry.ollama.ai" / "library" / "dg" / "latest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"layers": layers}))
    (manifest.parent / "damaged").write_text("[}")
    assert [entry.path for entry in found(Place.OLLAMA, tmp_path, tmp_path)] == [str(good)]


def test_what_the_user_has_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    deep = put_model(tmp_path / "stuff" / "deeper" / "mine")
    file = write_gguf(tmp_path / "one.gguf")
    gone = tmp_path / "unplugged"
    named = [str(tmp_path / "stuff"), str(file), str(gone)]
    entries, faults = find_models(home, named, [])
    assert {entry.path for entry in entries} == {str(deep), str(file)}
    assert {entry.place for entry in entries} == {Place.NAMED}
    (fault,) = faults
    assert str(gone) in fault.message


def test_a_folder_that_is_damaged_does_not_hide_the_others(tmp_path: Path) -> None:
    home = tmp_path / "home"
    good = put_model(home / "good")
    for name, content in (("redraft.json", "[["), ("download.json", "{}"), ("COMPLETE", "x")):
        folder = put_model(home / f"bad-{name}")
        (folder / name).write_text(content)
    (home / "loop").symlink_to(home, target_is_directory=True)
    (put_model(home / "odd") / "download.json").mkdir()  # where a file should be
    (home / "odd" / "redraft.json").write_text(
        (home / "bad-download.json/download.json").read_text()
    )
    entries, faults = find_models(home, (), [])
    states = {Path(entry.path).name: entry.state for entry in entries}
    assert states[good.name] is ModelState.HERE
    assert states["bad-COMPLETE"] is ModelState.BROKEN
    assert "loop" not in states
    assert len(entries) + len(faults) == 5


def test_the_usual_places_are_named_once() -> None:
    places = usual_places()
    assert {place for place, _ in places} == set(Place) - {
        Place.NOWHERE, Place.BUNDLED, Place.REDRAFT, Place.NAMED,
    }  # fmt: skip
    assert len({path for _, path in places}) == len(places)


def test_a_library_without_anything(tmp_path: Path) -> None:
    shown = library(tmp_path / "home", places=[])
    assert shown.models[0].id == "demo"
    assert shown.models[0].state is ModelState.READY
    assert all(each.state is ModelState.ON_OFFER for each in shown.models[1:])
    assert {each.format for each in shown.models[1:]} == {ModelFormat.SAFETENSORS, ModelFormat.GGUF}
    assert shown.free > 0
    assert shown.notices == ()
    assert not (tmp_path / "home").exists()  # looking makes nothing


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"format": 2}', b'{"format": 1, "models": [{}]}', b"\xff" * 99, None]
)
def test_a_damaged_catalogue_leaves_the_rest(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "catalogue.json"
    if content is not None:
        file.write_bytes(content)
    mine = put_model(tmp_path / "home" / "mine")
    shown = library(tmp_path / "home", catalogue=file, places=[])
    assert [each.path for each in shown.models] == ["demo", str(mine)]
    (notice,) = shown.notices
    assert "list of models on offer" in notice.message


@pytest.mark.parametrize(
    ("name", "repo", "revision", "files"),
    [
        ("a/b", "a/b", "main", ()),
        ("a/b@v1.0", "a/b", "v1.0", ()),
        (" https://huggingface.co/a/b.c-d/ ", "a/b.c-d", "main", ()),
        ("a/b@refs/pr/3:Q4_K_M", "a/b", "refs/pr/3", ("*Q4_K_M*.gguf",)),
    ],
)
def test_names_of_repositories(
    name: str, repo: str, revision: str, files: tuple[str, ...], tmp_path: Path
) -> None:
    offer = find_offer(name, tmp_path)
    assert (offer.repo, offer.revision, offer.files) == (repo, revision, files)


@pytest.mark.parametrize(
    "repo", ["../..", "..\\..\\x", "/etc", "a/b\0", "C:\\x", "", "." * 9, "x" * 999, "é/\u0301"]
)
def test_a_folder_has_one_plain_name(repo: str, tmp_path: Path) -> None:
    """Also for what a note says that somebody has written by hand."""
    name = Offer(id="x", name="x", repo=repo).folder
    assert paths_in(tmp_path, [name]) == {name: tmp_path / name}
    assert "/" not in name


@pytest.mark.parametrize(
    "name", ["", "model", "a/b/c", "../x", "a/b@", "a b/c", "C:\\models", "/x"]
)
def test_what_is_no_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(EngineFault) as caught:
        find_offer(name, tmp_path)
    assert caught.value.error.kind is ErrorKind.BAD_REQUEST


def test_a_model_of_another_kind_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    files = {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"x" * 99}
    with FakeHub(files=files, large={"model.safetensors"}) as fake:
        options = JobOptions(endpoint=fake.endpoint)
        with pytest.raises(EngineFault, match="another one"):
            look_up(REPO, tmp_path, options)
        assert fake.starts("model.safetensors") == []
        fake.files = {"pytorch_model.bin": b"x"}
        with pytest.raises(EngineFault, match="no weights"):
            look_up(REPO, tmp_path, options)


def test_a_drive_that_is_not_connected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is made in the folder where it would appear."""
    media = tmp_path / "media"
    (media / "anna").mkdir(parents=True)
    monkeypatch.setattr("engine.folders._DRIVES", (media, media / "x", tmp_path / "mnt"))
    for home in (media / "anna" / "usb" / "models", media / "usb" / "models"):
        shown = library(home, places=[])
        assert shown.free == -1
        request = JobRequest(kind=JobKind.DOWNLOAD, model=REPO, home=str(home))
        with pytest.raises(EngineFault, match="not there") as caught:
            fetch_model(request, lambda *_args, **_more: None, lambda: False)
        assert caught.value.error.kind is ErrorKind.DISK
    assert not list(media.rglob("*models*"))
    (media / "anna" / "usb" / "models").mkdir(parents=True)
    assert library(media / "anna" / "usb" / "models", places=[]).free > 0
    assert library(tmp_path / "new" / "models", places=[]).free > 0


def test_a_gguf_file_of_another_program_is_taken_over_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the settings are fetched; the weights stay where they are, under a second name."""
    weights, home = write_gguf(tmp_path / "lm" / "dg-Q8_0.gguf"), tmp_path / "home"
    monkeypatch.setattr("engine.store.fetching.settings_repo", lambda: REPO)
    files = {name: (DEMO / name).read_bytes() for name in ("config.json", "tokenizer.json")}
    with FakeHub(files={**files, "model.safetensors": b"x"}) as fake:
        request = JobRequest(
            kind=JobKind.DOWNLOAD,
            model=str(weights),
            home=str(home),
            options=JobOptions(endpoint=fake.endpoint),
        )
        made = fetch_model(request, lambda *_args, **_more: None, lambda: False).model
        assert fake.starts("model.safetensors") == []
    assert made.state is ModelState.HERE
    assert (Path(made.path) / weights.name).samefile(weights)
    assert made.size == made.present == sum(map(len, files.values())) + weights.stat().st_size
    entries, _ = find_models(home, (), [(Place.LM_STUDIO, weights.parent)])
    assert [entry.path for entry in entries] == [made.path]  # not twice
