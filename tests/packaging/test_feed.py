"""A feed and its keys, as the build makes them; checked by openssl and sha256sum where they are."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.state.updates.manifest import parse
from app.state.updates.signature import check_signed

ROOT = Path(__file__).parents[2]
URL = "https://example.org/redraft"


@pytest.fixture
def feed(bootstrap_folder: Path) -> Any:
    return importlib.import_module("feed")


@pytest.fixture
def key(feed: Any, tmp_path: Path) -> tuple[Path, str]:
    path = tmp_path / "private.pem"
    return path, feed.make_key(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "assembled"
    texts = {
        "version.json": "{}",
        "wheels/a.whl": "wheel",
        "uv": "program",
        "empty": "",
        "b": "wheel",
    }
    for name, text in texts.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
        (place / name).chmod(0o755 if name == "uv" else 0o644)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "left.pyc").write_bytes(b"x")
    return place


def release(feed: Any, **about: Any) -> Any:
    return feed.Release(**({"version": "0.2.0", "notes": {"en": "New."}} | about))


def build(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "build_installer.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_of_the_folder_is_there_under_its_digest(feed, key, folder, tmp_path):
    path, public = key
    manifest = feed.write(folder, "linux", release(feed), tmp_path / "feed", [feed.read_key(path)])
    data = manifest.read_bytes()
    check_signed(data, (tmp_path / "feed" / "linux.json.sig").read_bytes(), [public])
    found = parse(data)
    assert {each.path for each in found.files} == {
        "version.json",
        "wheels/a.whl",
        "uv",
        "empty",
        "b",
    }
    assert [each.path for each in found.files if each.executable] == ["uv"]
    for each in found.files:
        published = (tmp_path / "feed" / "files" / each.sha256).read_bytes()
        assert published == (folder / each.path).read_bytes()
        assert hashlib.sha256(published).hexdigest() == each.sha256
        assert len(published) == each.size
    assert len(list((tmp_path / "feed" / "files").iterdir())) == 4  # two files are the same


def test_the_same_release_gives_the_same_bytes(feed, key, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    made = []
    for name in ("one", "two"):
        feed.write(folder, "windows", release(feed), tmp_path / name, [feed.read_key(key[0])])
        made.append({
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        })  # fmt: skip
    assert made[0] == made[1]
    assert parse(made[0][Path("windows.json")]).released == "2026-09-21"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_finds_the_signature_good(feed, key, folder, tmp_path):
    path, public = key
    manifest = feed.write(folder, "linux", release(feed), tmp_path / "feed", [feed.read_key(path)])
    raw = tmp_path / "signature"
    raw.write_bytes(base64.b64decode((tmp_path / "feed" / "linux.json.sig").read_bytes()))
    openssl = ["openssl", "pkey", "-in", path, "-pubout"]
    shown = subprocess.run([*openssl, "-outform", "DER"], capture_output=True, check=True).stdout
    assert shown[-32:] == base64.b64decode(public)
    subprocess.run([*openssl, "-out", tmp_path / "public.pem"], check=True)
    verify = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        tmp_path / "public.pem",
        "-rawin",
    ]
    verify += ["-in", manifest, "-sigfile", raw]
    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
    manifest.write_bytes(manifest.read_bytes() + b" ")
    assert subprocess.run(verify, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"version": "0.2"}, "version"),
        ({"oldest": "0.3.0"}, "oldest"),
        ({"notes": {"en": "x" * 9000}}, "notes"),
    ],
)
def test_what_no_installation_would_take_is_not_published(feed, key, folder, tmp_path, about, why):
    with pytest.raises(importlib.import_module("project").BuildError, match=why):
        feed.write(folder, "linux", release(feed, **about), tmp_path, [feed.read_key(key[0])])
    assert not (tmp_path / "linux.json").exists()


def test_a_name_that_no_installation_would_take_is_not_published(feed, key, folder, tmp_path):
    (folder / "ä").write_bytes(b"")
    with pytest.raises(importlib.import_module("project").BuildError, match="not sound"):
        feed.write(folder, "linux", release(feed), tmp_path, [feed.read_key(key[0])])


def test_notes_are_read_by_language(feed, tmp_path):
    assert feed.read_notes(None) == {}
    (tmp_path / "de.txt").write_text("Neu: ä", encoding="utf-8")
    with pytest.raises(importlib.import_module("project").BuildError, match=r"en\.txt"):
        feed.read_notes(tmp_path)
    (tmp_path / "en.txt").write_text("New", encoding="utf-8")
    (tmp_path / "README.txt").write_text("not one", encoding="utf-8")
    assert feed.read_notes(tmp_path) == {"de": "Neu: ä", "en": "New"}


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_is_its_owner_s_alone_and_never_replaced(tmp_path):
    path = tmp_path / "private.pem"
    before = os.umask(0)
    try:
        done = build("key", path)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(done.stdout.strip(), validate=True)) == 32
    kept = path.read_bytes()
    again = build("key", path)
    assert again.returncode == 1
    assert again.stderr == f"{path} is there already; a key is never replaced.\n"
    assert path.read_bytes() == kept
    assert "PRIVATE" not in done.stdout + again.stdout + again.stderr


def test_two_keys_differ(feed, tmp_path):
    assert feed.make_key(tmp_path / "a") != feed.make_key(tmp_path / "b")


@pytest.mark.parametrize("kind", ["nothing", "text", "another kind", "public"])
def test_what_is_no_private_key_is_refused(feed, key, tmp_path, kind):
    path = tmp_path / "given.pem"
    if kind == "text":
        path.write_text("not a key", encoding="utf-8")
    elif kind == "another kind":
        subprocess.run(["openssl", "genrsa", "-out", path, "2048"], capture_output=True, check=True)
    elif kind == "public":
        path.write_text(key[1], encoding="utf-8")
    with pytest.raises(importlib.import_module("project").BuildError, match="key"):
        feed.read_key(path)


# --- what is built knows where updates are --------------------------------------------------------


def test_an_installation_says_where_updates_come_from(feed, tmp_path):
    """As it is assembled for an installer; the wheels are the builder's own few."""
    payload, project = (importlib.import_module(name) for name in ("payload", "project"))
    updates = project.Updates(url=URL, keys=("A" * 43 + "=",))
    about = project.read_project(updates=updates)
    assert about.updates == updates
    assert project.read_project().updates is None  # there is no site yet
    assert payload.version_file(replace(about, version="9.8.7"), importlib.import_module(
        "platforms"
    ).LINUX)["updates"] == {"url": URL, "keys": ("A" * 43 + "=",)}  # fmt: skip
    assert "updates" not in payload.version_file(
        project.read_project(), importlib.import_module("platforms").LINUX
    )


def test_a_feed_whose_versions_could_not_be_updated_is_not_built(feed, key, tmp_path):
    path, _public = key
    other = feed.make_key(tmp_path / "other.pem")
    for more in ((), ("--updates", URL, "--update-key", other)):
        done = build("feed", "--key", path, "--output", tmp_path / "out", *more)
        assert done.returncode == 1
        assert "must find the next update" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("feed",), ("key",), ("deb", "file"), ("all", "--updates", URL), ("all", "--update-key", "x"),
        ("windows", "--key", "x"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said(arguments):
    done = build(*arguments)
    assert done.returncode == 2
    assert "error:" in done.stderr


def test_a_manifest_says_what_was_given(feed, key, folder, tmp_path):
    about = release(feed, oldest="0.1.5", released="2026-12-24", notes={"de": "Ä", "en": "A"})
    manifest = feed.write(folder, "windows", about, tmp_path, [feed.read_key(key[0])])
    row = json.loads(manifest.read_text(encoding="utf-8"))
    del row["files"]
    assert row == {
        "format": 1, "system": "windows", "version": "0.2.0", "released": "2026-12-24",
        "oldest": "0.1.5", "notes": {"de": "Ä", "en": "A"},
    }  # fmt: skip
