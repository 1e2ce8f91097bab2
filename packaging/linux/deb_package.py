"""The package for Debian, Ubuntu and their relatives. The same source gives the same bytes.

Everything lies in /opt/redraft; what is the user's own is made at the first start, in their home.
"""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import linux_folder
from project import BuildError, Project
from reproducible import epoch, settle

TOP = Path("opt/redraft")
COMMAND = "usr/bin/redraft"
MAINTAINER = "The Redraft authors <redraft@localhost>"
# Qt's own libraries come along; these are of the system, as Qt's modules and platform plugins link them.
QT_LIBRARIES = (
    "libbrotli1", "libdbus-1-3", "libegl1", "libfontconfig1", "libfreetype6", "libgl1",
    "libglib2.0-0 | libglib2.0-0t64", "libgssapi-krb5-2", "libwayland-client0", "libwayland-cursor0", "libwayland-egl1",
    "libx11-6", "libx11-xcb1", "libxcb-cursor0", "libxcb-glx0", "libxcb-icccm4", "libxcb-image0",
    "libxcb-keysyms1", "libxcb-randr0", "libxcb-render-util0", "libxcb-render0", "libxcb-shape0",
    "libxcb-shm0", "libxcb-sync1", "libxcb-util1", "libxcb-xfixes0", "libxcb-xkb1", "libxcb1",
    "libxkbcommon-x11-0", "libxkbcommon0", "libzstd1", "zlib1g",
)  # fmt: skip
PYTHON = "python3 (>= 3.11)"
DEPENDS = ("libc6 (>= 2.34)", "libstdc++6", *QT_LIBRARIES)
SUGGESTS = ("zenity | kdialog | libnotify-bin",)  # a desktop has one


def build(project: Project, output: Path, python_archive: Path | None = None) -> Path:
    """Writes the package into `output` and returns its path. Raises `BuildError`.

    The system's Python is a dependency, unless one is carried along.
    """
    target = output / f"redraft_{project.version}_amd64.deb"
    with tempfile.TemporaryDirectory(prefix="redraft-deb-") as place:
        root = Path(place) / "root"
        linux_folder.assemble(project, root / TOP, python_archive)
        surround(project, root)
        pack(root, target)
    return target


def pack(root: Path, target: Path) -> None:
    """Makes the package of its tree. Raises `BuildError`."""
    if shutil.which("dpkg-deb") is None:
        raise BuildError("dpkg-deb is missing: build the .deb on Debian or Ubuntu.")
    command = ["dpkg-deb", "--build", "--root-owner-group", "--threads-max=1", "-Zxz", "-z1"]
    done = subprocess.run(
        [*command, str(root), str(target)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"dpkg-deb failed: {done.stderr}")


def surround(project: Project, root: Path) -> None:
    """Puts around /opt/redraft what a system wants to know of it."""
    date = datetime.datetime.fromtimestamp(epoch(), datetime.UTC).date().isoformat()
    share = root / "usr" / "share"
    texts = {
        root / COMMAND: f'#!/bin/sh\nexec /{TOP}/redraft "$@"\n',
        share / "applications" / "redraft.desktop": linux_folder.desktop_entry(project, "redraft"),
        share / "metainfo" / "redraft.metainfo.xml": linux_folder.metainfo(project, date),
        share / "doc" / "redraft" / "copyright": _copyright(project),
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    icon = share / "icons" / "hicolor" / "scalable" / "apps" / "redraft.svg"
    icon.parent.mkdir(parents=True)
    shutil.copyfile(linux_folder.ICON, icon)
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    (root / "DEBIAN").mkdir()
    depends = DEPENDS if (root / TOP / "python").is_dir() else (PYTHON, *DEPENDS)
    control = control_file(project, depends, installed_kib=-(-size // 1024))
    (root / "DEBIAN" / "control").write_text(control, encoding="utf-8", newline="\n")
    settle(root, frozenset({COMMAND, *(f"{TOP}/{name}" for name in linux_folder.EXECUTABLES)}))


def control_file(project: Project, depends: tuple[str, ...], installed_kib: int) -> str:
    fields = {
        "Package": project.name,
        "Version": project.version,
        "Section": "editors",
        "Priority": "optional",
        "Architecture": "amd64",
        "Maintainer": MAINTAINER,
        "Installed-Size": str(installed_kib),
        "Depends": ", ".join(depends),
        "Suggests": ", ".join(SUGGESTS),
        "Description": f"{project.description.rstrip('.')}\n"
        " Redraft is a chat and an editor for text-diffusion models. A small demo model comes\n"
        " along. The engine is fetched at the first start, about 250 MB, or 3 GB for a GPU.",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _copyright(project: Project) -> str:
    return (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: Redraft\n"
        "Comment: The licences of the libraries that come along are in /opt/redraft/licences.\n\n"
        "Files: *\nCopyright: The Redraft authors\n"
        f"License: {project.licence}\n"
        " The text is in /usr/share/common-licenses/Apache-2.0.\n"
    )
