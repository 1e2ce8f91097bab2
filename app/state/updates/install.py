"""Installs an update that has been fetched: its environment is made and tried, then it gets its name.

Blocks; runs on a thread of its own. Until the end nothing changes for what is installed, and a try
that was cut off is made again from the files that are there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.state.setup.trouble import Trouble
from app.versions import Versions


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
    raise NotImplementedError
