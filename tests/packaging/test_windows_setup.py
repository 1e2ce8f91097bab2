"""The installer for Windows under Wine: the real script, with a stand-in for uv that logs its calls.

Not seen here: Windows itself, and Python on it. `tests/packaging/windows_installer.py` has more.
"""

from __future__ import annotations

import importlib
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.packaging.wine.setups import (
    KEY,
    Wine,
    build_setup,
    build_stand_in,
    missing_tools,
    new_windows,
)

pytestmark = pytest.mark.skipif(
    bool(missing_tools()),
    reason="needs " + ", ".join(missing_tools()) + ": apt install nsis wine64 gcc-mingw-w64-x86-64",
)
FOREIGN = {
    "UV_INDEX_URL": "https://x.example",
    "UV_PYTHON": "3.9",
    "PIP_TARGET": "C:\\elsewhere",
    "PYTHONPATH": "C:\\elsewhere",
    "PYTHONHOME": "C:\\elsewhere",
    "VIRTUAL_ENV": "C:\\elsewhere",
    "CONDA_PREFIX": "C:\\elsewhere",
}
STEPS = {"python": 8, "pip": 9, "check": 9}  # which call fails: the exit code


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Installers of two versions, and one that brings its own Python."""
    folder = tmp_path_factory.mktemp("setups")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("windows", "installer", "."):
            patch.syspath_prepend(str(Path(__file__).parents[2] / "packaging" / name))
        uv = build_stand_in(folder)
        return SimpleNamespace(
            uv=uv,
            first=build_setup(folder, uv, "0.9.0"),
            second=build_setup(folder, uv, "0.10.0"),
            with_python=build_setup(folder, uv, "0.10.0", with_python=True),
            again=lambda place: build_setup(place, uv, "0.9.0"),
            payload=folder / "work-0.9.0-False" / "payload",
        )


@pytest.fixture(scope="module")
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


def install(wine: Wine, setup: Path, *words: str, **environment: str) -> int:
    wine.forget()
    return wine.run(setup, "/S", *words, **environment)


def installed(wine: Wine) -> Path:
    return wine.local / "Programs" / "Redraft"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_it_is_a_program_for_64_bits_without_administrator(built: SimpleNamespace) -> None:
    data = built.first.read_bytes()
    (header,) = struct.unpack_from("<I", data, 0x3C)
    assert data[header : header + 4] == b"PE\0\0"
    assert struct.unpack_from("<H", data, header + 4) == (0x8664,)  # x86-64
    assert b'requestedExecutionLevel level="asInvoker"' in data
    for word in ("ProductName", "Redraft Setup", "0.9.0"):
        assert word.encode("utf-16-le") in data
    assert fixed_version(data) == (0, 9, 0, 0)


def fixed_version(data: bytes) -> tuple[int, ...]:
    """The file version in VS_FIXEDFILEINFO, found by its signature."""
    place = data.index(struct.pack("<I", 0xFEEF04BD))
    low, high = (
        struct.unpack_from("<HH", data, place + 8),
        struct.unpack_from("<HH", data, place + 12),
    )
    return (low[1], low[0], high[1], high[0])


def test_the_same_input_gives_the_same_installer(built: SimpleNamespace, tmp_path: Path) -> None:
    time.sleep(1.1)  # into another second of the clock
    importlib.invalidate_caches()
    assert built.again(tmp_path).read_bytes() == built.first.read_bytes()


def test_an_old_windows_is_refused(machine: Wine, built: SimpleNamespace) -> None:
    machine.run("winecfg", "-v", "win7")
    assert install(machine, built.first) == 6
    assert not installed(machine).exists()
    machine.run("winecfg", "-v", "win10")


def test_every_file_arrives_in_a_folder_with_any_name(wine: Wine, built: SimpleNamespace) -> None:
    target = wine.drive / "Pröbe 名" / "mit Leerzeichen"
    assert install(wine, built.first, "/D=C:\\Pröbe", "名\\mit", "Leerzeichen", **FOREIGN) == 0
    there = contents(target / "app")
    for name, data in contents(built.payload).items():
        assert there[name] == data, name
    assert {path.name for path in target.iterdir()} == {
        "app", "python", "setup.log", "uninstall.exe",
    }  # fmt: skip
    assert wine.registered()["InstallLocation"] == "C:\\Pröbe 名\\mit Leerzeichen"
    for link in (wine.on_desktop, wine.in_start_menu):
        assert "-I -m app".encode("utf-16-le") in link.read_bytes()


def test_uv_is_called_by_its_path_and_led_by_nothing_else(
    wine: Wine, built: SimpleNamespace
) -> None:
    wine.run(built.uv, "look", **FOREIGN)
    assert {f"{name}={value}" for name, value in FOREIGN.items()} <= set(wine.calls()[0])
    assert install(wine, built.first, **FOREIGN) == 0
    calls = wine.calls()
    assert [call[1] for call in calls] == ["python", "venv", "pip", "-I"]
    words = [word for call in calls for word in call]
    assert not [word for word in words if word.split("=")[0] in FOREIGN]
    assert {"--no-config", "--offline", "--no-index", "--require-hashes"} <= set(calls[2])


def test_an_installer_with_python_fetches_nothing(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.with_python) == 0
    calls = wine.calls()
    assert [call[1] for call in calls] == ["venv", "pip", "-I"]
    assert all("--offline" in call for call in calls[:2])
    assert (installed(wine) / "python" / "0123456789ab" / "Lib" / "venv" / "__init__.py").is_file()
    assert install(wine, built.with_python) == 0  # once more is a repair
    assert install(wine, built.second) == 0
    assert [path.name for path in (installed(wine) / "python").iterdir()] == [
        "cpython-3.12.16-windows-x86_64-none"
    ]


def test_an_update_replaces_the_program_and_keeps_what_is_the_user_s(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    history = wine.local / "redraft" / "history.sqlite3"
    history.parent.mkdir()
    history.write_bytes(b"chats")
    (installed(wine) / "app" / "of the old version").write_text("x")
    wine.on_desktop.unlink()
    assert install(wine, built.second) == 0
    assert "0.10.0" in (installed(wine) / "app" / "version.json").read_text()
    assert wine.registered()["DisplayVersion"] == "0.10.0"
    assert not (installed(wine) / "app" / "of the old version").exists()
    assert not list(installed(wine).glob("app.*"))
    assert history.read_bytes() == b"chats"
    assert not wine.on_desktop.exists()  # who removed it does not want it


def test_a_repair_makes_damaged_files_anew(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.first) == 0
    (installed(wine) / "app" / "uv.exe").write_bytes(b"damaged")
    (installed(wine) / "app" / "env" / "Scripts" / "python.exe").unlink()
    assert install(wine, built.first) == 0
    there = contents(installed(wine) / "app")
    assert there["uv.exe"] == built.uv.read_bytes()
    assert "env/Scripts/python.exe" in there


def test_an_older_version_does_not_replace_a_newer_one(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.second) == 0
    assert install(wine, built.first) == 5
    assert wine.registered()["DisplayVersion"] == "0.10.0"


def test_a_copy_elsewhere_is_not_orphaned(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.first) == 0
    assert install(wine, built.second, "/D=C:\\Other") == 10
    assert not (wine.drive / "Other").exists()


def test_a_foreign_folder_called_app_stays(wine: Wine, built: SimpleNamespace) -> None:
    theirs = installed(wine) / "app" / "theirs.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("x")
    assert install(wine, built.first) == 7
    assert theirs.read_text() == "x"


def test_a_folder_that_cannot_be_written_is_refused(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.first, "/D=Z:\\proc\\Redraft") == 7
    assert not wine.calls()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_leaves_the_old_version_as_it_was(
    wine: Wine, built: SimpleNamespace, step: str
) -> None:
    assert install(wine, built.first) == 0
    before = contents(installed(wine) / "app")
    assert install(wine, built.second, FAKE_FAIL=step) == STEPS[step]
    assert contents(installed(wine) / "app") == before
    assert not list(installed(wine).glob("app.*"))
    assert wine.registered()["DisplayVersion"] == "0.9.0"
    log = (installed(wine) / "setup.log").read_text(encoding="utf-16")
    assert "error: this call was told to fail" in log
    assert install(wine, built.second) == 0
    assert wine.registered()["DisplayVersion"] == "0.10.0"


def test_a_setup_that_was_killed_is_made_up_for_by_the_next(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    before = contents(installed(wine) / "app")
    wine.forget()
    killed = wine.start(built.second, "/S", FAKE_WAIT="pip")
    until(lambda: len(wine.calls()) == 3)
    wine.end()
    killed.wait(timeout=20)
    assert contents(installed(wine) / "app") == before
    assert install(wine, built.second) == 0
    assert wine.registered()["DisplayVersion"] == "0.10.0"
    assert not list(installed(wine).glob("app.*"))


def test_killed_between_two_renames_the_old_version_comes_back(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    before = contents(installed(wine) / "app")
    (installed(wine) / "app").rename(installed(wine) / "app.old")
    assert install(wine, built.second, FAKE_FAIL="pip") == 9
    assert contents(installed(wine) / "app") == before


@pytest.mark.parametrize("left", ["app.new/uv.exe", "app.old/half of it"])
def test_what_a_killed_setup_left_is_in_nobody_s_way(
    wine: Wine, built: SimpleNamespace, left: str
) -> None:
    assert install(wine, built.first) == 0
    (installed(wine) / left).parent.mkdir()
    (installed(wine) / left).write_text("x")
    assert install(wine, built.second) == 0
    assert not list(installed(wine).glob("app.*"))


def test_files_that_are_held_for_a_moment_are_waited_for(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    wine.forget()
    setup = wine.start(built.second, "/S", FAKE_WAIT="check")
    until(lambda: len(wine.calls()) == 4)
    in_the_way = installed(wine) / "app.old"  # a name that is taken fails as a file in use does
    in_the_way.mkdir()
    time.sleep(7)  # two seconds behind the check
    in_the_way.rmdir()
    assert setup.wait(timeout=30) == 0
    assert wine.registered()["DisplayVersion"] == "0.10.0"


def test_one_setup_at_a_time(wine: Wine, built: SimpleNamespace) -> None:
    wine.forget()
    first = wine.start(built.first, "/S", FAKE_WAIT="venv")
    until(lambda: len(wine.calls()) == 2)
    assert wine.run(built.second, "/S") == 3
    wine.end()
    first.wait(timeout=20)


def test_a_redraft_that_runs_is_neither_replaced_nor_removed(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    wine.forget()
    app = wine.start("start", "/unix", wine.in_start_menu)
    until(lambda: bool(wine.calls()))
    assert wine.calls()[0][:4] == ["pythonw.exe", "-I", "-m", "app"]
    before = contents(installed(wine))
    assert wine.run(built.second, "/S") == 4
    assert uninstall(wine) == 4
    assert contents(installed(wine)) == before
    wine.end()
    app.wait(timeout=20)


def uninstall(wine: Wine, *options: str) -> int:
    """Runs the uninstaller in its place: it would copy itself, and end before its copy does."""
    place = "C:" + str(installed(wine)).split("drive_c")[1].replace("/", "\\")
    return wine.run(installed(wine) / "uninstall.exe", "/S", *options, f"_?={place}")


@pytest.fixture
def used(wine: Wine, built: SimpleNamespace) -> Path:
    """Redraft, installed and used. Its data folder."""
    assert install(wine, built.first) == 0
    data = wine.local / "redraft"
    for name in ("layers/cpu/torch.py", "cache/x", "models/a/blob", "history.sqlite3", "Logs/log"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    (installed(wine) / "a file of the user's.txt").write_text("x")
    return data


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ((), {"models/a/blob", "history.sqlite3", "Logs/log"}),
        (("/MODELS",), {"history.sqlite3", "Logs/log"}),
        (("/CHATS",), {"models/a/blob"}),
    ],
)
def test_removal_takes_what_was_asked_for(
    wine: Wine, used: Path, options: tuple[str, ...], kept: set[str]
) -> None:
    assert uninstall(wine, *options) == 0
    left = {path.name for path in installed(wine).rglob("*") if path.is_file()}
    assert left - {"uninstall.exe"} == {"a file of the user's.txt"}
    assert "DisplayVersion" not in wine.registered()
    assert not wine.on_desktop.exists()
    assert not wine.in_start_menu.exists()
    assert set(contents(used) if used.exists() else {}) == kept


def test_makensis_is_the_one_thing_to_install(
    bootstrap_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = importlib.import_module("project").BuildError
    with pytest.raises(error, match="apt install nsis"):
        build_setup(tmp_path, Path(subprocess.__file__), "1.0")
