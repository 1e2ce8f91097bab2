"""Engine layers: folders with torch and what belongs to it, beside the environment of the window.

An installed Redraft has none at first; `app.state.setup` fills them. A layer is named after what is
in it, and exists only when it is whole: it is made as NAME.part and renamed. A source checkout has
torch in its environment and no layers at all.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import re
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from app.versions import Versions, version_of

log = logging.getLogger(__name__)

COMPLETE = "redraft-layer.json"  # written last into a layer
_TORCH = re.compile(r"^torch==(?P<version>[\d.]+)", re.MULTILINE)


class Flavour(Enum):
    """Which build of torch."""

    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, kw_only=True)
class Outside:
    requirement: str
    index: str  # its address


@dataclass(frozen=True, kw_only=True)
class Size:
    """In bytes; 0 where nobody knows."""

    download: int = 0
    disk: int = 0


@dataclass(frozen=True, kw_only=True)
class Installed:
    """An installation: uv, the wheels of the window, and the locks, none of which ever change."""

    folder: Path

    @property
    def uv(self) -> Path:
        return self.folder / ("uv.exe" if os.name == "nt" else "uv")

    def lock(self, flavour: Flavour) -> Path:
        system = "windows" if os.name == "nt" else "linux"
        return self.folder / "locks" / f"engine-{flavour.value}-{system}.txt"

    def outside(self, flavour: Flavour) -> Outside | None:
        """torch, where the lock leaves it to PyTorch's own index."""
        found = _read(self.folder / "locks" / "indexes.json").get(self.lock(flavour).stem)
        return None if found is None else Outside(**found)

    def size(self, flavour: Flavour) -> Size:
        """About how large this layer is, as it was measured once."""
        sizes = _read(self.folder / "locks" / "sizes.json")
        return Size(**sizes.get(self.lock(flavour).stem, {}))

    def layer_name(self, flavour: Flavour) -> str:
        """Another one for another torch, another lock, or another Python."""
        outside = self.outside(flavour)
        what = self.lock(flavour).read_text(encoding="utf-8")
        what = f"{outside.requirement}\n{what}" if outside else what
        found = _TORCH.search(what)
        torch = found["version"] if found else "unknown"
        digest = hashlib.sha256(what.encode()).hexdigest()[:8]
        return f"{flavour.value}-{torch}-{sys.implementation.cache_tag}-{digest}"


def installed() -> Installed | None:
    """The installation that this process runs from; None in a source checkout."""
    note = Path(sys.prefix) / "installed-from"
    beside = Path(sys.prefix).parent
    if note.is_file():
        return Installed(folder=Path(note.read_text(encoding="utf-8")))
    return Installed(folder=beside) if (beside / "version.json").is_file() else None


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The layers of one user."""

    folder: Path
    installed: Installed

    def path(self, flavour: Flavour) -> Path:
        return self.folder / self.installed.layer_name(flavour)

    def is_whole(self, flavour: Flavour) -> bool:
        return (self.path(flavour) / COMPLETE).is_file()

    def best(self) -> Flavour | None:
        """The one to use: CUDA before the processor."""
        order = (Flavour.CUDA, Flavour.CPU)
        return next((each for each in order if self.is_whole(each)), None)

    def activate(self) -> Flavour | None:
        """Lets this process import from the best layer, before all else.

        Other processes of the same environment, such as the engine's children, do so as well.
        """
        flavour = self.best()
        if flavour is not None:
            sys.path.insert(0, str(self.path(flavour)))
            importlib.invalidate_caches()
            if installed() == self.installed:
                _tell_environment(self.path(flavour))
        return flavour

    def discard(self, flavour: Flavour) -> None:
        """From now on this layer does not count; what uses it goes on. Raises OSError."""
        (self.path(flavour) / COMPLETE).unlink(missing_ok=True)

    def tidy(self, used: Flavour) -> None:
        """Removes layers of other versions, and what is left of broken ones.

        Where a file is in use, as Windows says, it goes another time.
        """
        keep = {self.path(each).name for each in Flavour if self.is_whole(each)}
        keep |= {self.path(each).name + ".part" for each in Flavour}
        keep.add(self.path(used).name)
        for path in self.folder.iterdir():
            if path.is_dir() and path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)


def layers_in(data: Path) -> Layers | None:
    """The layers in a user's data folder; None in a source checkout."""
    here = installed()
    return None if here is None else Layers(folder=data / "layers", installed=here)


def versions_in(data: Path) -> Versions | None:
    """The versions of Redraft in a user's data folder; None in a source checkout."""
    here = installed()
    own = version_of(here.folder) if here is not None else ""
    return Versions(data / "versions", own) if own else None


def remove_old_versions(data: Path) -> None:
    """What updates have brought goes, but the version in use and the one before it."""
    versions = versions_in(data)
    if versions is not None:
        remove_old_runtimes(data, kept=versions.tidy())


def remove_old_runtimes(data: Path, kept: frozenset[str] = frozenset()) -> None:
    """Environments of other versions go once this one has started. Only Linux has them there."""
    own = Path(sys.prefix).parent
    if sys.platform != "linux" or own.parent != data / "runtime":
        return
    import fcntl

    with (own.parent / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # another start is making one right now
        for path in own.parent.iterdir():
            if path.is_dir() and path != own and path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)


def _tell_environment(layer: Path) -> None:
    """Every interpreter of this environment finds the layer. No variable does that: programs that
    the window opens would have it, too.
    """
    note = Path(sysconfig.get_path("purelib")) / "redraft-layer.pth"
    words = f"import sys; sys.path.append({str(layer)!a})\n"  # an old Python reads ASCII alone
    try:
        if not note.exists() or note.read_text(encoding="ascii") != words:
            part = note.with_suffix(".part")
            part.write_text(words, encoding="ascii")
            part.replace(note)
    except OSError:
        log.exception("the engine's children do not know of %s", layer)


def _read(path: Path) -> dict[str, Any]:
    """A small JSON file; empty where it is missing."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
