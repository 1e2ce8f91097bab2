"""Files whose bytes depend on their input alone: no clock, no order of a disk, no user's mask."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

_DEFAULT_EPOCH = 1_767_225_600  # 2026-01-01; only has to stay the same
_SKIPPED = ("__pycache__",)


def epoch() -> int:
    """The time that every file gets, in seconds since 1970: SOURCE_DATE_EPOCH or a fixed one."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", _DEFAULT_EPOCH))


def files_below(folder: Path) -> list[Path]:
    """All files below a folder in one order, without what Python leaves behind."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not set(path.relative_to(folder).parts) & set(_SKIPPED)
    )


def write_zip(target: Path, members: Mapping[str, bytes]) -> None:
    """A zip file of these members in this order, whole or not there.

    Not compressed: what comes of that depends on the zlib at hand, and every installer compresses.
    """
    part = target.with_name(target.name + ".part")
    stamp = time.gmtime(max(epoch(), 315_532_800))[:6]  # a zip file knows nothing before 1980
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, stamp)
            info.create_system = 3  # Unix, wherever this runs
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    part.replace(target)


def settle(folder: Path, executables: frozenset[str] = frozenset()) -> None:
    """Gives everything below a folder the same time and mode; `executables` are relative paths."""
    for path in [*folder.rglob("*"), folder]:
        name = path.relative_to(folder).as_posix()
        path.chmod(0o755 if path.is_dir() or name in executables else 0o644)
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (epoch(), epoch()))


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
