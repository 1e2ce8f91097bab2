from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.packaging import linux_rig
from tests.packaging.wine.setups import KEY, Wine, build_setup, build_stand_in, new_windows

FOLDER = Path(__file__).parents[2] / "packaging"


@pytest.fixture(autouse=True)
def bootstrap_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scripts import each other from their own folders, as they do when they are run."""
    for name in ("linux", "windows", "installer", "."):
        monkeypatch.syspath_prepend(str(FOLDER / name))
    return FOLDER


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of a user on Linux."""
    folder = tmp_path / "Ünï Çödé 名前"
    folder.mkdir()
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """What is installed on Linux."""
    return linux_rig.program(tmp_path / "a program")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Installers of two versions, and one that brings its own Python."""
    folder = tmp_path_factory.mktemp("setups")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("windows", "installer", "."):
            patch.syspath_prepend(str(FOLDER / name))
        uv = build_stand_in(folder)
        return SimpleNamespace(
            uv=uv,
            first=build_setup(folder, uv, "0.9.0"),
            second=build_setup(folder, uv, "0.10.0"),
            with_python=build_setup(folder, uv, "0.10.0", with_python=True),
            again=lambda place: build_setup(place, uv, "0.9.0"),
            payload=folder / "work-0.9.0-False" / "payload",
        )


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wine]:
    wine = new_windows(tmp_path_factory.mktemp("wine") / "prefix")
    yield wine
    wine.end()
    shutil.rmtree(wine.prefix, ignore_errors=True)


@pytest.fixture
def wine(machine: Wine) -> Iterator[Wine]:
    """A Windows on which Redraft never was."""
    machine.forget()
    yield machine
    machine.run("reg", "delete", KEY, "/f")
    for folder in (
        machine.local / "Programs",
        machine.local / "redraft",
        machine.drive / "Pröbe 名",
    ):
        shutil.rmtree(folder, ignore_errors=True)
    machine.on_desktop.unlink(missing_ok=True)
    machine.in_start_menu.unlink(missing_ok=True)
