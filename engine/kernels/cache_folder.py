"""What Triton needs to compile: a folder to keep the results in, and on Linux a C compiler.

The folder is its usual one, or one of ours where that cannot be used.
Triton reads TRITON_CACHE_DIR at every compilation.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path

VARIABLE = "TRITON_CACHE_DIR"


def usual_folder() -> Path:
    """As Triton finds it."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    home = os.environ.get("TRITON_HOME")
    return (Path(home) if home else Path.home()) / ".triton" / "cache"


def choose_folder(usual: Path, private: Path) -> Path:
    """The usual folder where files can be made there, else the private one.

    On Windows a path beyond ASCII is refused too: the compiler that Triton brings cannot open it.
    """
    is_plain = sys.platform != "win32" or str(usual).isascii()
    return usual if is_plain and is_writable(usual) else private


def use_folder(folder: Path) -> None:
    """From now on, in this process and its children."""
    os.environ[VARIABLE] = str(folder)


def has_compiler() -> bool:
    """Whether Triton finds a C compiler (as `triton.runtime.build` looks for one)."""
    return any(shutil.which(name) for name in (os.environ.get("CC"), "gcc", "clang") if name)


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
