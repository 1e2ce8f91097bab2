"""The licences of everything that an installer carries, in one folder with a page of notices."""

from __future__ import annotations

import email
import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from project import ROOT, BuildError, Project, normalised

_TEXT = re.compile(r"\.dist-info/(?:licenses/.*|[^/]*(?:licen[cs]e|copying|notice)[^/]*)$", re.I)
_QT = ("pyside6-essentials", "shiboken6")
_INTRODUCTION = """\
{name} {version} is free software under {licence}. This folder has its licence and those of the
libraries that come along, each in its unmodified wheel in the folder `wheels`.

Qt and PySide6 are used under the GNU Lesser General Public License, version 3. They are the Qt
project's own files and lie in a folder of their own in the private environment, so that they can be
replaced by others of the same interface; nothing in Redraft forbids taking it apart to do so.
Qt.txt says where their source is.

"""


@dataclass(frozen=True, kw_only=True)
class Notice:
    name: str
    version: str
    licence: str
    texts: tuple[str, ...]  # members of the wheel


def collect(project: Project, wheels: Sequence[Path], folder: Path, root: Path = ROOT) -> None:
    """Fills `folder`; raises `BuildError` for a wheel that comes without any licence text."""
    folder.mkdir(parents=True)
    for path in sorted((root / "assets" / "licences").iterdir()):
        shutil.copyfile(path, folder / path.name)
    notices: dict[str, Notice] = {}
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            notice = read_notice(archive)
            if notice.name in notices:
                continue  # another file of the same package
            notices[notice.name] = notice
            _unpack(archive, notice, folder)
    text = _INTRODUCTION.format(
        name="Redraft", version=project.version, licence=project.licence
    ) + "".join(
        f"{each.name} {each.version}: {each.licence}\n" for _, each in sorted(notices.items())
    )
    (folder / "NOTICES.txt").write_text(text, encoding="utf-8", newline="\n")


def read_notice(archive: zipfile.ZipFile) -> Notice:
    names = archive.namelist()
    meta = next(each for each in names if each.endswith(".dist-info/METADATA"))
    about = email.message_from_bytes(archive.read(meta))
    name = normalised(about["Name"])
    texts = tuple(sorted(each for each in names if _TEXT.search(each) and not each.endswith("/")))
    if name in _QT:
        texts = ()  # its texts of the LGPL are in assets/licences; the wheels have the commercial one
    elif not texts:
        raise BuildError(f"the wheel of {name} has no licence text")
    return Notice(name=name, version=about["Version"], licence=_licence(about), texts=texts)


def _licence(about: email.message.Message) -> str:
    if expression := about["License-Expression"]:
        return str(expression)
    kinds = [
        str(each).split(" :: ")[-1]
        for each in about.get_all("Classifier") or ()
        if str(each).startswith("License ::")
    ]
    return ", ".join(kinds) or str(about["License"] or "see its text").splitlines()[0]


def _unpack(archive: zipfile.ZipFile, notice: Notice, folder: Path) -> None:
    for member in notice.texts:
        inside = member.split(".dist-info/", 1)[1].removeprefix("licenses/")
        target = folder / f"{notice.name}-{notice.version}" / inside.replace("/", "-")
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(archive.read(member))
