"""Where model folders are. No torch here."""

from __future__ import annotations

from pathlib import Path

from engine.messages import EngineFault, ErrorKind

DEMO = "demo"
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
