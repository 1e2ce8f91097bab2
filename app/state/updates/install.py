"""Installs an update that has been fetched: its environment is made and tried, then it gets its name.

Blocks; runs on a thread of its own. Until the end nothing changes for what is installed, and a try
that was cut off is made again from the files that are there.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.pointer import alone, rename
from app.state.setup.making import Cancelled, clean_environment, run, since, size_of
from app.state.setup.trouble import Trouble, is_damage, no_room, trouble_in, trouble_of
from app.state.updates.trouble import does_not_start, not_installed, not_whole
from app.versions import Versions, version_of

ROOM = 700_000_000  # bytes, for the environment
PERIOD = 0.2  # seconds between two looks whether another process is done
PATIENCE = 600.0  # seconds for one step; the first import reads all of Qt from a slow disk
CHECK = "import PySide6.QtWidgets, app.__main__"

Command = Sequence[str | Path]


class UpdateFailed(Exception):
    """Why there is no new version, in the user's language."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


def install(versions: Versions, version: str, log: Path, is_cancelled: Callable[[], bool]) -> None:
    """What lies in `versions.staging(version)` becomes `versions.path(version)`, ready to start.

    The caller then lets it be used (`versions.use`). What is done is added to `log`. Raises
    `UpdateFailed`, or `Cancelled` of app.state.setup.making.
    """
    try:
        with _alone(versions, is_cancelled):
            if not versions.is_whole(version):
                _install(versions, version, log, is_cancelled)
    except OSError as error:
        raise UpdateFailed(trouble_of(error)) from error


def linux_commands(folder: Path, runtime: Path) -> list[Command]:
    """Makes the environment in `runtime`, and tries it."""
    python = runtime / "env" / "bin" / "python"
    return [["/bin/sh", folder / "redraft", "--prepare"], [python, "-I", "-c", CHECK]]


def windows_commands(folder: Path, base: Path) -> list[Command]:
    """The same as the installer does, in `folder` itself. `base`: an installed python.exe."""
    uv: list[str | Path] = [folder / "uv.exe"]
    quiet = ["--no-config", "--offline", "--no-progress", "--color", "never", "--no-cache"]
    python = folder / "env" / "Scripts" / "python.exe"
    venv = [*uv, "venv", "--relocatable", "--no-python-downloads", *quiet]
    pip = [*uv, "pip", "install", "--no-deps", "--no-index", "--require-hashes", *quiet]
    pip += ["--compile-bytecode", "--find-links", folder / "wheels", "--python", python]
    return [
        [*venv, "--python", base, folder / "env"],
        [*pip, "-r", folder / "locks" / "gui-windows.txt"],
        [python, "-I", "-c", CHECK],
    ]


def _install(versions: Versions, version: str, log: Path, is_cancelled: Callable[[], bool]) -> None:
    part = versions.staging(version)
    if version_of(part) != version:
        raise UpdateFailed(not_whole(version))
    free = shutil.disk_usage(part).free
    if free < ROOM:
        raise UpdateFailed(no_room(ROOM, free))
    runtime = versions.folder.parent / "runtime" / version
    if sys.platform == "win32":
        shutil.rmtree(part / "env", ignore_errors=True)
        commands = windows_commands(part, Path(sys.base_prefix) / "python.exe")
    else:
        commands = linux_commands(part, runtime)
    *making, check = commands
    for command in making:
        if said := _failure(command, log, is_cancelled):
            if is_damage(said):
                shutil.rmtree(part, ignore_errors=True)
            raise UpdateFailed(trouble_in(said, otherwise=not_installed(version)))
    if _failure(check, log, is_cancelled):
        shutil.rmtree(runtime, ignore_errors=True)  # made anew by the next try
        raise UpdateFailed(does_not_start(version))
    if os.name == "posix":
        os.sync()  # what the environment is made of, before the name that says it is whole
    shutil.rmtree(versions.path(version), ignore_errors=True)  # one that is not
    rename(part, versions.path(version))


def _failure(command: Command, log: Path, is_cancelled: Callable[[], bool]) -> str:
    """What a program said that failed; empty where it did not."""
    end = time.monotonic() + PATIENCE
    before = size_of(log)

    def look(_pid: int) -> None:
        if time.monotonic() > end:
            raise TimeoutError(command[0])

    try:
        code = run(command, clean_environment(), log, look, is_cancelled)
    except TimeoutError:
        return "no answer"
    return "" if code == 0 else since(log, before) or f"exit code {code}"


@contextmanager
def _alone(versions: Versions, is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Another window may be at it, too: the second one then finds it done."""
    while True:
        with alone(versions.folder / "install.lock", wait=False) as is_alone:
            if is_alone:
                yield
                return
        if is_cancelled():
            raise Cancelled
        time.sleep(PERIOD)
