"""The end of the log files, and what of it may be shown to strangers.

Reads at most a fixed number of bytes from the end, so a file of any size takes the same time.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import re
from pathlib import Path

from app.paths import Paths
from app.state.text import clean

TAIL_BYTES = 200_000
TAIL_LINES = 1_000
PACKAGES = ("PySide6-Essentials", "torch", "transformers", "tokenizers", "safetensors")

# A message after the logger's name may hold anything; what our own code writes there is kept only
# where it is a traceback's place or the name of an error.
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [\w.]+(?=:)")
_PLACE = re.compile(r'^\s*File "(?P<path>[^"]*)", line (?P<line>\d+)(?P<rest>.*)$')
_ERROR = re.compile(r"^(?P<name>[A-Za-z_][\w.]*(Error|Exception|Interrupt|Warning|Fault))(?=:|$)")
_FRAME = re.compile(r"^(Traceback|Fatal Python error|Current thread|Thread 0x)")


def tail(path: Path, most_bytes: int = TAIL_BYTES, most_lines: int = TAIL_LINES) -> str:
    """The last whole lines of a text file; empty where there is none. Raises OSError otherwise.

    Blocks for one read from the disk: call it on another thread than the window's.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most_bytes))
            data = file.read(most_bytes)
    except FileNotFoundError:
        return ""
    lines = data.decode("utf-8", "replace").splitlines()
    if size > most_bytes:
        lines = lines[1:]  # the first one begins somewhere in its middle
    return clean("\n".join(lines[-most_lines:]))


def diagnostics(paths: Paths, facts: dict[str, str]) -> str:
    """What helps to find a fault, without names, folders and texts of the user. Blocks as `tail`.

    `facts` are lines of the caller, such as the model's name and the device.
    """
    about = {
        "System": platform.platform(terse=True),
        "Machine": platform.machine(),
        "Python": platform.python_version(),
        **{name: _version(name) for name in ("redraft", *PACKAGES)},
        **facts,
    }
    parts = ["\n".join(f"{name}: {without_user(value)}" for name, value in about.items())]
    for title, path in (("Log", paths.log), ("Crash log", paths.crash_log)):
        kept = "\n".join(_safe_lines(tail(path)))
        parts.append(f"--- {title}\n{kept or '(empty)'}")
    return "\n\n".join(parts) + "\n"


def without_user(text: str) -> str:
    """Without folders and the user's name."""
    text = _any_path().sub("<path>", text)
    return text if len(name := _user()) < 2 else re.sub(re.escape(name), "<user>", text, flags=re.I)


def _safe_lines(text: str) -> list[str]:
    """When, which part and which error. The words of a record are left out: they may quote."""
    kept: list[str] = []
    for line in text.splitlines():
        if found := _RECORD.match(line):
            kept.append(found.group())
        elif found := _PLACE.match(line):
            rest = re.match(r" in [\w.<>]+|, in [\w.<>]+", found["rest"])
            kept.append(f"  {_module(found['path'])}:{found['line']}{rest.group() if rest else ''}")
        elif (found := _ERROR.match(line)) or (found := _FRAME.match(line)):
            kept.append(found.group())
    return kept


def _module(path: str) -> str:
    """The last three parts of a source file's path: none of them is the user's."""
    parts = re.split(r"[\\/]", path)
    for root in ("site-packages", "app", "engine"):
        if root in parts[:-1]:
            return "/".join(parts[parts.index(root) :])
    return parts[-1]


def _any_path() -> re.Pattern[str]:
    return re.compile(r"(?:[A-Za-z]:\\|\\\\|~[\\/]|/(?=[\w.]))\S*(?: \S*[\\/]\S*)*")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
