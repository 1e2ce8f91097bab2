"""Redraft's own wheel, wheels fetched by a lock, licences: all by real tools."""

from __future__ import annotations

import hashlib
import importlib
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BLOCKED = """
import importlib.abc, sys
names = {"torch", "numpy", "tokenizers", "jinja2", "safetensors", "transformers",
         "huggingface_hub", "httpx2", "PIL"}
class Refusal(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in names:
            raise ImportError(name)
sys.meta_path.insert(0, Refusal())
import app.__main__
"""


@pytest.fixture
def parts(bootstrap_folder: Path) -> Any:
    return importlib.import_module


@pytest.fixture(scope="module")
def own_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Redraft as a wheel, built by the command's own modules in a fresh interpreter."""
    folder = tmp_path_factory.mktemp("wheel")
    _build(ROOT, folder)
    return next(folder.glob("*.whl"))


def _build(root: Path, folder: Path) -> None:
    code = (
        "import sys, pathlib; sys.path[:0] = sys.argv[1:3]; import app_wheel, project;"
        "app_wheel.build_app_wheel(project.read_project(), pathlib.Path(sys.argv[3]),"
        " pathlib.Path(sys.argv[4]))"
    )
    places = [ROOT / "packaging", ROOT / "packaging" / "installer", folder, root]
    subprocess.run([sys.executable, "-c", code, *map(str, places)], check=True)


def test_the_same_source_gives_the_same_wheel(own_wheel: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    for name in ("app", "engine", "assets"):
        shutil.copytree(ROOT / name, copy / name, copy_function=shutil.copy)  # new times
    shutil.copy(ROOT / "LICENSE", copy)
    (copy / "app" / "words.py").chmod(0o600)
    (copy / "app" / "__pycache__").mkdir(exist_ok=True)
    (copy / "app" / "__pycache__" / "left.pyc").write_bytes(b"x")
    _build(copy, tmp_path / "out")
    assert next((tmp_path / "out").glob("*.whl")).read_bytes() == own_wheel.read_bytes()


def test_pip_installs_the_wheel_and_every_file_is_as_recorded(
    own_wheel: Path, tmp_path: Path
) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*pip, "--quiet", "--target", tmp_path, own_wheel], check=True)
    (found,) = metadata.distributions(path=[str(tmp_path)])
    assert found.version in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    files = {str(each): each for each in found.files or ()}
    assert {"app/__main__.py", "engine/pipeline.py", "assets/demo_model/model.safetensors"} <= {
        *files
    }
    for name, each in files.items():
        if each.hash is not None and ".dist-info" not in name:
            assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    with zipfile.ZipFile(own_wheel) as archive:
        assert archive.testzip() is None


def test_the_window_needs_nothing_of_the_engine_s_layer() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def _entry(parts: Any, wheel: Path, digest: str | None = None) -> Any:
    digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
    return parts("lock_file").Entry(
        name="redraft", version=wheel.name.split("-")[1], hashes=(f"sha256:{digest}",)
    )


def test_wheels_come_from_the_folder_that_is_named(
    parts: Any, own_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDRAFT_WHEELS", str(own_wheel.parent))
    windows = parts("platforms").WINDOWS
    fetch = parts("wheels").fetch
    (found,) = fetch([_entry(parts, own_wheel)], windows, tmp_path)
    assert found.read_bytes() == own_wheel.read_bytes()
    monkeypatch.setenv("REDRAFT_WHEELS", str(tmp_path / "nothing"))
    assert fetch([_entry(parts, own_wheel)], windows, tmp_path) == [found]  # fetched once


def test_a_wheel_that_is_not_the_lock_s_is_refused(
    parts: Any, own_wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDRAFT_WHEELS", str(own_wheel.parent))
    wheels, windows = parts("wheels"), parts("platforms").WINDOWS
    with pytest.raises(parts("project").BuildError, match="could not fetch"):
        wheels.fetch([_entry(parts, own_wheel, "0" * 64)], windows, tmp_path)
    assert not list(tmp_path.rglob("*.whl"))
    (found,) = wheels.fetch([_entry(parts, own_wheel)], windows, tmp_path)
    with found.open("ab") as file:
        file.write(b"x")
    with pytest.raises(parts("project").BuildError, match="not what the lock says"):
        wheels.fetch([_entry(parts, own_wheel)], windows, tmp_path)


def test_licences_are_collected_and_a_wheel_without_any_is_refused(
    parts: Any, own_wheel: Path, tmp_path: Path
) -> None:
    licences = parts("licences")
    project = parts("project").read_project()
    licences.collect(project, [own_wheel], tmp_path / "some")
    notices = (tmp_path / "some" / "NOTICES.txt").read_text(encoding="utf-8")
    assert f"redraft {project.version}: Apache-2.0" in notices
    own = tmp_path / "some" / f"redraft-{project.version}" / "LICENSE"
    assert own.read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (tmp_path / "some" / "LGPL-3.0.txt").is_file()
    bare = tmp_path / "bare-1-py3-none-any.whl"
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("bare-1.dist-info/METADATA", "Name: bare\nVersion: 1\n")
    with pytest.raises(parts("project").BuildError, match="bare"):
        licences.collect(project, [bare], tmp_path / "none")


def test_a_folder_s_files_get_one_time_and_mode(parts: Any, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("tool", "sub/text"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o640)
    reproducible = parts("reproducible")
    reproducible.settle(tmp_path, frozenset({"tool"}))
    seen = {
        name: (oct((tmp_path / name).stat().st_mode)[-3:], (tmp_path / name).stat().st_mtime)
        for name in ("tool", "sub/text", "sub")
    }
    time = reproducible.epoch()
    assert seen == {"tool": ("755", time), "sub/text": ("644", time), "sub": ("755", time)}


def archive_of(folder: Path, names: list[str]) -> Path:
    """A standalone Python as it is published, as far as its names go."""
    path = folder / "python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


PYTHON = ["python.exe", "pythonw.exe", "include/Python.h", "libs/python3.lib", "Lib/venv/x.py"]


def test_a_standalone_python_is_unpacked(parts: Any, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, [f"python/{name}" for name in PYTHON])
    parts("windows_setup").unpack_python(archive, tmp_path / "work" / "python")
    there = {
        path.relative_to(tmp_path / "work" / "python") for path in tmp_path.rglob("python/**/*")
    }
    assert set(map(Path, PYTHON)) <= there


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([f"python/{name}" for name in PYTHON if name != "include/Python.h"], "Python.h"),
        (["python/../../outside.exe"], "should not be"),
        (["/outside.exe", *PYTHON], "should not be"),
        (["python"], "has no"),
    ],
)
def test_an_archive_that_triton_could_not_use_is_refused(
    parts: Any, tmp_path: Path, names: list[str], why: str
) -> None:
    archive = archive_of(tmp_path, names)
    with pytest.raises(parts("project").BuildError, match=why):
        parts("windows_setup").unpack_python(archive, tmp_path / "work" / "python")
    assert not (tmp_path / "outside.exe").exists()


def test_the_command_says_in_a_sentence_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "build_installer.py", "windows", "--output", tmp_path],
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "The installer for Windows is made by NSIS: apt install nsis\n"
