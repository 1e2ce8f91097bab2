"""Installers with a stand-in for uv, and the Wine they run in."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

TOOLS = ("makensis", "wine", "wineserver", "x86_64-w64-mingw32-gcc")
SOURCE = Path(__file__).with_name("fake_uv.c")
KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\Redraft"
# Says nothing, offers to fetch nothing, and knows file names beyond ASCII.
QUIET = {
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
    "LC_ALL": "C.UTF-8",
}


def missing_tools() -> list[str]:
    return [name for name in TOOLS if not shutil.which(name)]


@dataclass(frozen=True, kw_only=True)
class Wine:
    """A Windows of its own in a folder."""

    prefix: Path

    @property
    def drive(self) -> Path:
        return self.prefix / "drive_c"

    @property
    def local(self) -> Path:
        """%LOCALAPPDATA%"""
        return next(self.drive.glob("users/*/AppData/Local"))

    @property
    def home(self) -> Path:
        return self.prefix.parent / "home"

    @property
    def on_desktop(self) -> Path:
        return self.home / "Desktop" / "Redraft.lnk"

    @property
    def in_start_menu(self) -> Path:
        programs = self.local.parent / "Roaming/Microsoft/Windows/Start Menu/Programs"
        return programs / "Redraft.lnk"

    @property
    def log(self) -> Path:
        return self.drive / "calls.log"

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
        own = {
            "WINEPREFIX": str(self.prefix),
            "HOME": str(self.home),  # its Desktop is the Windows user's
            "FAKE_LOG": r"C:\calls.log",
        }
        return {**clean, **QUIET, **own, **extra}

    def start(self, *command: str | Path, **extra: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["wine", *map(str, command)],
            env=self.environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *command: str | Path, **extra: str) -> int:
        return self.start(*command, **extra).wait(timeout=120)

    def registered(self) -> dict[str, str]:
        """The texts below the uninstaller's key."""
        exported = self.drive / "exported.reg"  # what it prints is in some code page
        exported.unlink(missing_ok=True)
        self.run("reg", "export", KEY, r"C:\exported.reg")
        text = exported.read_text(encoding="utf-16") if exported.exists() else ""
        found = re.findall(r'^"(\w+)"="(.*)"$', text, re.MULTILINE)
        return {name: re.sub(r"\\(.)", r"\1", value) for name, value in found}

    def calls(self) -> list[list[str]]:
        """What the stand-in was called with since the last `forget`, a list of words a call."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [[word for word in line.split("\t") if word] for line in lines]

    def forget(self) -> None:
        self.log.unlink(missing_ok=True)

    def end(self) -> None:
        """Ends everything that runs in this Windows, and nothing else."""
        subprocess.run(["wineserver", "-k"], env=self.environment({}), check=False)
        subprocess.run(["wineserver", "-w"], env=self.environment({}), check=False, timeout=60)


def new_windows(prefix: Path) -> Wine:
    wine = Wine(prefix=prefix)
    wine.on_desktop.parent.mkdir(parents=True)
    prefix.mkdir()
    subprocess.run(["wineserver", "-p"], env=wine.environment({}), check=False)  # stays
    wine.run("wineboot", "-i")
    wine.run("winecfg", "-v", "win10")
    return wine


def build_stand_in(folder: Path) -> Path:
    target = folder / "fake_uv.exe"
    command = ["x86_64-w64-mingw32-gcc", "-O1", "-s", "-municode", "-o", target, SOURCE]
    subprocess.run([str(part) for part in command], check=True)
    return target


def build_setup(folder: Path, uv: Path, version: str, *, with_python: bool = False) -> Path:
    """An installer of the real script with small files; `packaging/windows` is on the path."""
    project = replace(importlib.import_module("project").read_project(), version=version)
    work = folder / f"work-{version}-{with_python}"
    carried = work / "payload"
    for name in ("wheels", "locks", "licences"):
        (carried / name).mkdir(parents=True)
    shutil.copy(uv, carried / "uv.exe")
    importlib.import_module("reproducible").write_zip(
        carried / "wheels" / "a-1-py3-none-any.whl", {"a.py": version.encode()}
    )
    (carried / "locks" / "gui-windows.txt").write_text("a==1\n")
    (carried / "licences" / "Apache-2.0.txt").write_text("The licence.\n")
    (carried / "version.json").write_text(f'{{"version": "{version}"}}\n')
    if with_python:
        (work / "python" / "Lib" / "venv").mkdir(parents=True)
        shutil.copy(uv, work / "python" / "python.exe")
        (work / "python" / "Lib" / "venv" / "__init__.py").write_text("# " + version)
    output = folder / f"setup-{version}-{with_python}"
    output.mkdir()
    setup = importlib.import_module("windows_setup")
    return Path(setup.pack(project, work, output, "0123456789abcdef" if with_python else None))


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


def uninstall(wine: Wine, *options: str) -> int:
    """Runs the uninstaller in its place: it would copy itself, and end before its copy does."""
    place = "C:" + str(installed(wine)).split("drive_c")[1].replace("/", "\\")
    return wine.run(installed(wine) / "uninstall.exe", "/S", *options, f"_?={place}")
