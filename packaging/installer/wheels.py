"""Fetches the wheels that a lock names, checks every one, and keeps them outside of the source.

With REDRAFT_WHEELS=DIR they come from that folder and from nowhere else; hashes are checked alike.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import lock_file
from lock_file import Entry
from platforms import Platform
from project import BuildError, normalised
from reproducible import sha256

OVERRIDE = "REDRAFT_WHEELS"
TOOLS = "tools"  # the lock of what builds and installs: uv


def cache_folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "redraft-build"


def fetch(entries: Sequence[Entry], platform: Platform, cache: Path | None = None) -> list[Path]:
    """The wheels of a lock for all of the platform's Pythons, sorted by name. Downloads once."""
    text = lock_file.write(entries, "")
    key = hashlib.sha256(f"{platform}\n{text}".encode()).hexdigest()[:16]
    folder = (cache or cache_folder()) / "wheels" / key
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as part:
            for python in platform.pythons:
                _download(text, platform, python, Path(part) / "wheels")
            (Path(part) / "wheels").replace(folder)
    found = sorted(folder.glob("*.whl"))
    _check(found, entries)
    return found


def unpack_uv(wheel: Path, folder: Path) -> Path:
    """Takes the uv program out of its wheel. Returns its path in `folder`."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(
            each for each in archive.namelist() if each.endswith(("/scripts/uv", "/scripts/uv.exe"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / Path(name).name
        target.write_bytes(archive.read(name))
    target.chmod(0o755)
    return target


def _download(lock: str, platform: Platform, python: str, folder: Path) -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps",
        "--disable-pip-version-check", "--require-hashes", "--only-binary=:all:",
        "--implementation=cp", f"--python-version={python}", f"--dest={folder}",
        *(f"--platform={tag}" for tag in platform.tags),
    ]  # fmt: skip
    if own := os.environ.get(OVERRIDE):
        command += ["--no-index", f"--find-links={own}"]
    with tempfile.TemporaryDirectory() as place:
        requirements = Path(place) / "lock.txt"
        requirements.write_text(lock, encoding="utf-8")
        done = subprocess.run(
            [*command, "-r", str(requirements)], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise BuildError(f"pip could not fetch the wheels for {platform.name}:\n{done.stderr}")


def _check(found: Sequence[Path], entries: Sequence[Entry]) -> None:
    """Raises `BuildError` unless each file is one of its entry's, and each entry has a file."""
    allowed = {each.name: each.hashes for each in entries}
    missing = set(allowed)
    for path in found:
        name = normalised(path.name.split("-", 1)[0])
        if f"sha256:{sha256(path)}" not in allowed.get(name, ()):
            raise BuildError(f"{path} is not what the lock says; remove its folder and try again.")
        missing.discard(name)
    if missing:
        raise BuildError(f"no wheels for {', '.join(sorted(missing))}")
