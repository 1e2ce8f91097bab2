"""What every installer carries: one folder, the same on each system.

uv, uv.exe                     makes the private environment and fetches the engine
wheels/                        Redraft and what its window needs
locks/gui-<system>.txt         exactly those, with their hashes
locks/engine-*-<system>.txt    what the app fetches later; indexes.json: from where, if not from
                               the package index; sizes.json: how large that is
licences/                      texts and NOTICES.txt
version.json                   {"name", "version", "system", "pythons"}, and where updates come from:
                               {"updates": {"url", "keys"}}
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import app_wheel
import licences
import lock_file
import locks
import wheels
from lock_file import Entry
from platforms import Platform
from project import Project
from reproducible import settle, sha256


def assemble(project: Project, platform: Platform, folder: Path) -> None:
    """Fills the new `folder`. Raises `BuildError`."""
    locks.check(project)
    folder.mkdir(parents=True)
    carried = [_uv(platform, folder), *_wheels(project, platform, folder)]
    licences.collect(project, carried, folder / "licences")
    text = json.dumps(version_file(project, platform), indent=2) + "\n"
    (folder / "version.json").write_text(text, encoding="utf-8", newline="\n")
    settle(folder, frozenset({"uv", "uv.exe"}))


def version_file(project: Project, platform: Platform) -> dict[str, object]:
    about: dict[str, object] = {
        "name": project.name,
        "version": project.version,
        "system": platform.name,
        "pythons": list(platform.pythons),
    }
    if project.updates is not None:
        about["updates"] = asdict(project.updates)
    return about


def _uv(platform: Platform, folder: Path) -> Path:
    (wheel,) = wheels.fetch(locks.read(locks.lock_name(wheels.TOOLS, platform)), platform)
    wheels.unpack_uv(wheel, folder)
    return wheel


def _wheels(project: Project, platform: Platform, folder: Path) -> list[Path]:
    """Wheels and locks; the lock of the window also names Redraft's own wheel."""
    gui = locks.read(locks.lock_name("gui", platform))
    fetched = wheels.fetch(gui, platform)
    (folder / "wheels").mkdir()
    for each in fetched:
        shutil.copyfile(each, folder / "wheels" / each.name)
    own = app_wheel.build_app_wheel(project, folder / "wheels")
    (folder / "locks").mkdir()
    for kind in locks.KINDS[1:]:
        name = f"{locks.lock_name(kind, platform)}.txt"
        shutil.copyfile(locks.LOCKS / name, folder / "locks" / name)
    for name in ("indexes.json", locks.SIZES):
        shutil.copyfile(locks.LOCKS / name, folder / "locks" / name)
    entry = Entry(name=project.name, version=project.version, hashes=(f"sha256:{sha256(own)}",))
    lock = folder / "locks" / f"{locks.lock_name('gui', platform)}.txt"
    comment = "Everything in the folder `wheels`; complete, to be installed without dependencies."
    lock.write_text(lock_file.write([*gui, entry], comment), encoding="utf-8", newline="\n")
    return fetched
