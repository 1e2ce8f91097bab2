"""Redraft itself as a wheel, byte for byte the same for the same source.

It holds `app`, `engine` and, beside them as in the source folder, `assets`. Needs no build tool. The
format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from project import ROOT, Project
from reproducible import files_below, write_zip

_FOLDERS = ("app", "assets", "engine")
_LEFT_OUT = ("assets/screenshots/",)  # for the README
_WHEEL = "Wheel-Version: 1.0\nGenerator: redraft\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_app_wheel(project: Project, folder: Path, root: Path = ROOT) -> Path:
    """Writes the wheel into `folder` and returns its path."""
    info = f"{project.name}-{project.version}.dist-info"
    members = {
        name: path.read_bytes()
        for top in _FOLDERS
        for path in files_below(root / top)
        if not (name := path.relative_to(root).as_posix()).startswith(_LEFT_OUT)
    }
    members |= {
        f"{info}/METADATA": metadata(project).encode(),
        f"{info}/WHEEL": _WHEEL.encode(),
        f"{info}/licenses/LICENSE": (root / "LICENSE").read_bytes(),
    }
    record = "".join(f"{name},{_digest(data)},{len(data)}\n" for name, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{project.name}-{project.version}-py3-none-any.whl"
    write_zip(wheel, members)
    return wheel


def metadata(project: Project) -> str:
    """Core metadata 2.4. What the engine needs is an extra: the app installs it by itself."""
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project.name}",
        f"Version: {project.version}",
        f"Summary: {project.description}",
        f"License-Expression: {project.licence}",
        "License-File: LICENSE",
        f"Requires-Python: {project.requires_python}",
        *(f"Requires-Dist: {each}" for each in project.gui),
        "Provides-Extra: engine",
        *(f"Requires-Dist: {each} ; extra == 'engine'" for each in project.engine),
    ]
    return "\n".join(lines) + "\n"


def _digest(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
