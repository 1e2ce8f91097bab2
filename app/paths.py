"""Where things are: what ships with Redraft, and the user's own folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import platformdirs

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True, kw_only=True)
class Paths:
    """The folders of one user. Nothing is written anywhere else."""

    data: Path
    logs: Path

    @property
    def settings(self) -> Path:
        return self.data / "settings.json"

    @property
    def kernels(self) -> Path:
        """What the engine compiles for a GPU, and what it has to remember of that."""
        return self.data / "kernels"

    @property
    def log(self) -> Path:
        return self.logs / "redraft.log"

    @property
    def crash_log(self) -> Path:
        return self.logs / "crash.log"

    def create(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)


def user_paths() -> Paths:
    folders = platformdirs.PlatformDirs("redraft", appauthor=False)
    return Paths(data=folders.user_data_path, logs=folders.user_log_path)
