"""The .run for every Linux without .deb packages: a shell script with an archive behind it.

It installs for one user, without root. The same source gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import tarfile
import tempfile
from pathlib import Path

import linux_folder
from project import Project
from reproducible import epoch, files_below


def build(project: Project, output: Path, python_archive: Path | None = None) -> Path:
    """Writes the installer into `output` and returns its path. Raises `BuildError`."""
    target = output / f"redraft-{project.version}.run"
    with tempfile.TemporaryDirectory(prefix="redraft-run-") as place:
        folder = Path(place) / "program"
        lay_out(project, folder, python_archive)
        payload = archive(folder)
    part = target.with_name(target.name + ".part")
    part.write_bytes(header(project, payload) + payload)
    part.chmod(0o755)
    part.replace(target)
    return target


def lay_out(project: Project, folder: Path, python_archive: Path | None = None) -> None:
    """Fills `folder` as it is installed."""
    linux_folder.assemble(project, folder, python_archive)
    shutil.copyfile(linux_folder.HERE / "uninstall.sh", folder / "uninstall")
    entry = linux_folder.desktop_entry(project, "@COMMAND@")  # where that is, the user decides
    (folder / "redraft.desktop").write_text(entry, encoding="utf-8", newline="\n")


def header(project: Project, payload: bytes) -> bytes:
    """The script before the archive; it knows where that begins and what its digest is."""
    text = (linux_folder.HERE / "run_header.sh").read_text(encoding="utf-8")
    values = {
        "@VERSION@": project.version,
        "@LINES@": str(text.count("\n") + 1),
        "@SHA256@": hashlib.sha256(payload).hexdigest(),
    }
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text.encode()


def archive(folder: Path) -> bytes:
    """All files below `folder`, in one order, of one time and of nobody."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0, compresslevel=6) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in files_below(folder):
            name = path.relative_to(folder).as_posix()
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            member.mtime = epoch()
            member.mode = 0o755 if name in linux_folder.EXECUTABLES else 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)
    return packed.getvalue()
