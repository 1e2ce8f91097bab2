"""Where everything of updates lies on this PC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.layers import installed, versions_in
from app.paths import Paths
from app.state.updates.source import Source, source_of
from app.versions import Versions


@dataclass(frozen=True, kw_only=True)
class Place:
    source: Source
    versions: Versions
    installed: Path  # the files of the version that runs
    memory: Path  # a small file
    log: Path


def place_in(paths: Paths) -> Place | None:
    """None where this copy cannot be updated by itself."""
    here, versions = installed(), versions_in(paths.data)
    source = source_of(here)
    if here is None or source is None or versions is None:
        return None
    return Place(
        source=source,
        versions=versions,
        installed=here.folder,
        memory=paths.data / "updates.json",
        log=paths.logs / "update.log",
    )
