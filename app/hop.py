"""From one version to another: at the very beginning, and when Redraft starts again.

What the user starts is the installed Redraft. On Linux its launcher starts the newer version that an
update brought; on Windows, which has none, its own first lines do. A version that was started so
looks no further: it lies in the folder of the versions.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from app.layers import installed, versions_in
from app.paths import user_paths
from app.versions import version_of

FOREIGN = (
    "PYTHON",
    "PIP_",
    "UV_",
    "__PYVENV",
)  # variables that would lead another Python elsewhere


def hop(*, windows: bool = os.name == "nt") -> None:
    """Ends this process where another version is to run. Costs less than a millisecond where none is."""
    here, versions = installed(), versions_in(user_paths().data)
    if here is None or versions is None:
        return
    if versions.holds(here.folder):
        versions.begin()
    elif windows:
        with suppress(OSError):  # then this one goes on
            newer = versions.choose(here.folder)
            if newer is not None:
                _become(newer)


def start_command(folder: Path, *, windows: bool) -> list[str]:
    """Starts what lies in a folder as an installer leaves it."""
    if windows:
        return [str(folder / "env" / "Scripts" / "pythonw.exe"), "-I", "-m", "app"]
    return ["/bin/sh", str(folder / "redraft")]


def clean(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.startswith(FOREIGN)}


def restart_command(data: Path, original: Sequence[str]) -> list[str]:
    """Starts again what `original` (`sys.orig_argv`) did, in the version that is to run by now.

    In a source checkout, or where the installed Redraft is gone, that is this one.
    """
    here, versions = installed(), versions_in(data)
    if here is not None and versions is not None and "app" in original:
        base = versions.base() if versions.holds(here.folder) else here.folder
        if base is not None and version_of(base):
            arguments = original[original.index("app") + 1 :]
            return [*start_command(base, windows=os.name == "nt"), *arguments]
    return [sys.executable, *original[1:]]


def _become(folder: Path) -> NoReturn:
    """Windows has no way to take a process over. Raises OSError."""
    import subprocess  # not in the usual start

    command = start_command(folder, windows=True)
    subprocess.Popen([*command, *sys.argv[1:]], env=clean(os.environ))
    os._exit(0)
