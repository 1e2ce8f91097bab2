"""The installer for Windows under Wine: the real script, with a stand-in for uv that logs its calls.

Not seen here: Windows itself, and Python on it. `tests/packaging/windows_installer.py` has more.
"""

from __future__ import annotations

import importlib
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.packaging.wine.setups import (
    Wine,
    contents,
    install,
    installed,
    missing_tools,
    uninstall,
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


def test_a_path_that_is_too_long_is_refused(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.first, "/D=C:\\" + 8 * "0123456789") == 7
    assert not list(wine.drive.glob("0123*"))


def test_a_folder_that_cannot_be_written_is_refused(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.first, "/D=Z:\\proc\\Redraft") == 7
    assert not wine.calls()


@pytest.fixture
def used(wine: Wine, built: SimpleNamespace) -> Path:
    """Redraft, installed and used. Its data folder."""
    assert install(wine, built.first) == 0
    data = wine.local / "redraft"
    for name in (
        "versions/0.9.1/env/x",
        "versions/current.json",
        "layers/cpu/torch.py",
        "cache/x",
        "models/a/blob",
        "history.sqlite3",
        "Logs/log",
    ):
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
