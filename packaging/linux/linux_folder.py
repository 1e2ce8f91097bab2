"""The installed folder on Linux: what every installer carries, and what starts it there."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.sax.saxutils import escape

import payload
from platforms import LINUX
from project import ROOT, Project
from python_archive import carry
from reproducible import settle

HERE = Path(__file__).resolve().parent
STARTERS = (HERE / "launch.py", HERE / "launch_words.py")
# They make an environment from the source, too: see packaging/bootstrap.py.
SHARED = (ROOT / "packaging" / "bootstrap_qt.py", ROOT / "packaging" / "bootstrap_system.py")
# Which version is to run is asked before there is an environment to import Redraft from.
APP = tuple(ROOT / "app" / name for name in ("__init__.py", "pointer.py", "versions.py"))
EXECUTABLES = frozenset({"uv", "redraft", "uninstall"})
ICON = ROOT / "assets" / "icons" / "redraft.svg"


def assemble(project: Project, folder: Path, python_archive: Path | None = None) -> None:
    """Fills the new `folder`. Raises `BuildError`."""
    payload.assemble(project, LINUX, folder)
    for path in (*STARTERS, *SHARED):
        shutil.copyfile(path, folder / path.name)
    (folder / "app").mkdir()
    for path in APP:
        shutil.copyfile(path, folder / "app" / path.name)
    shutil.copyfile(HERE / "redraft.sh", folder / "redraft")
    shutil.copyfile(ICON, folder / "redraft.svg")
    if python_archive is not None:
        carry(python_archive, folder)
    settle(folder, EXECUTABLES)


def desktop_entry(project: Project, command: str) -> str:
    """What menus and file managers know. `command`: how Redraft is started, quoted if need be."""
    text = (HERE / "redraft.desktop").read_text(encoding="utf-8")
    return text.replace("@COMMAND@", command).replace("@COMMENT@", project.description)


def metainfo(project: Project, date: str) -> str:
    """What software centres show. `date`: of this release, as 2026-01-31."""
    text = (HERE / "redraft.metainfo.xml").read_text(encoding="utf-8")
    values = {
        "@SUMMARY@": escape(project.description.rstrip(".")),
        "@LICENCE@": escape(project.licence),
        "@VERSION@": escape(project.version),
        "@DATE@": date,
    }
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text
