from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "packaging"


@pytest.fixture(autouse=True)
def bootstrap_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scripts import each other from their own folders, as they do when they are run."""
    for name in ("linux", "windows", "installer", "."):
        monkeypatch.syspath_prepend(str(FOLDER / name))
    return FOLDER
