"""Where model folders are. No torch here."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.messages import EngineFault, ErrorKind

DEMO = "demo"
# Where systems put drives: by user in the first two, else by the name of the drive.
_DRIVES = tuple(map(Path, ("/media", "/run/media", "/mnt", "/Volumes")))
_DEMO_FOLDER = Path(__file__).resolve().parent.parent / "assets" / "demo_model"


def model_folder(path: str | Path) -> Path:
    """The folder of a model; "demo" is the bundled one. Raises EngineFault if there is none."""
    folder = _DEMO_FOLDER if str(path) == DEMO else Path(path).expanduser()
    if not folder.is_dir():
        raise EngineFault(
            ErrorKind.MODEL_MISSING,
            f"There is no model folder {folder}.",
            "Check its name, or start Redraft with the demo model.",
        )
    return folder


def free_at(folder: Path) -> int:
    """Bytes free on the disk of a folder that need not be there yet; -1 where there is no disk."""
    for place in (folder, *folder.parents):
        try:
            free = shutil.disk_usage(place).free
        except OSError:
            continue
        return -1 if place != folder and _holds_drives(place) else free
    return -1


def require_disk(folder: Path) -> None:
    """Raises EngineFault where the disk of a folder is not there: it must not be made elsewhere."""
    if free_at(folder) < 0:
        raise EngineFault(
            ErrorKind.DISK,
            "The disk that keeps the models is not there.",
            "Connect it, or choose another folder for models.",
            str(folder),
        )


def _holds_drives(place: Path) -> bool:
    """Whether drives appear in a folder when they are connected, and none is there itself."""
    return not place.is_mount() and (place in _DRIVES or place.parent in _DRIVES[:2])
