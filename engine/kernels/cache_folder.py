"""Where Triton keeps what it compiles: below the data folder, or where the user wants it.

Triton reads TRITON_CACHE_DIR at every compilation.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

VARIABLE = "TRITON_CACHE_DIR"


def usual_folder() -> Path:
    """As Triton finds it."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    home = os.environ.get("TRITON_HOME")
    return (Path(home) if home else Path.home()) / ".triton" / "cache"


def can_use_chosen() -> bool:
    """Whether files can be made in the folder that the user has chosen; True where none is.

    On Windows a path beyond ASCII is refused too: the compiler that Triton brings cannot open it.
    """
    chosen = os.environ.get(VARIABLE)
    if not chosen:
        return True
    return (sys.platform != "win32" or chosen.isascii()) and is_writable(Path(chosen))


def choose_folder(private: Path) -> Path:
    """The folder that the user has chosen, where that can be used, else the private one."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen) if chosen and can_use_chosen() else private


def use_folder(folder: Path) -> None:
    """From now on, in this process and its children."""
    os.environ[VARIABLE] = str(folder)


def is_writable(folder: Path) -> bool:
    """Whether a file can be made, read and removed there; makes the folder if need be."""
    probe = folder / f"redraft-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"1")
        is_there = probe.read_bytes() == b"1"
        probe.unlink()
    except OSError:
        return False
    return is_there
