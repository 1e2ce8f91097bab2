"""The installer for Windows, made by NSIS from `redraft.nsi` on any Linux machine.

A standalone Python (`--python-archive`, a `.tar.gz` whose folder `python` has `python.exe`, as
python-build-standalone publishes it) comes along if it is given; else the installer lets uv fetch
the version named in `platforms.py`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import payload
from platforms import WINDOWS, WINDOWS_PYTHON
from project import BuildError, Project
from reproducible import epoch, files_below, settle, sha256

FOLDER = Path(__file__).resolve().parent
PYTHON_MEGABYTES = 150  # unpacked, where it is fetched; only for the question whether it fits


def build(project: Project, output: Path, python_archive: Path | None = None) -> Path:
    """Writes `redraft-<version>-windows-x64.exe` into `output`. Raises `BuildError`."""
    _makensis()
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        payload.assemble(project, WINDOWS, work / "payload")
        if python_archive is not None:
            unpack_python(python_archive, work / "python")
        return pack(project, work, output.resolve(), python_archive and sha256(python_archive))


def pack(project: Project, work: Path, output: Path, python_id: str | None = None) -> Path:
    """Makes the installer of the folder `payload` in `work`, and of `python` if it has an id."""
    target = output / f"{project.name}-{project.version}-windows-x64.exe"
    carried = work / "payload"
    shutil.copyfile(FOLDER / "redraft.ico", carried / "redraft.ico")
    settle(work)
    (work / "files.nsh").write_text("\n".join(_file_commands(carried)), encoding="utf-8")
    defines = {**_defines(project, carried), "PAYLOAD": str(carried)}
    if python_id is not None:
        defines["PYTHON_ID"] = python_id[:12]
    part = work / target.name
    _make({**defines, "OUTPUT": str(part)})
    shutil.copyfile(part, target)
    return target


def unpack_python(archive: Path, folder: Path) -> None:
    """Raises `BuildError` for an archive that lacks what Redraft and Triton need of a Python."""
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                if member.isfile():
                    _unpack(packed, member, folder)
    except (OSError, tarfile.TarError) as error:
        raise BuildError(f"{archive} cannot be unpacked: {error}") from error
    needed = ("python.exe", "pythonw.exe", "include/Python.h", "libs", "Lib/venv")
    if missing := [name for name in needed if not (folder / name).exists()]:
        raise BuildError(f"{archive} has no python/{', python/'.join(missing)}.")


def _unpack(packed: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    top, *inside = PurePosixPath(member.name).parts
    if top != "python" or ".." in inside:
        raise BuildError(f"{member.name} should not be in an archive with Python.")
    target = folder.joinpath(*inside)
    target.parent.mkdir(parents=True, exist_ok=True)
    content = packed.extractfile(member)
    assert content is not None  # a file, as was asked before
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _defines(project: Project, carried: Path) -> dict[str, str]:
    numbers = [*re.findall(r"\d+", project.version)[:3], "0", "0", "0"][:4]
    return {
        "VERSION": project.version,
        "FILE_VERSION": ".".join(numbers),
        "PYTHON": WINDOWS_PYTHON,
        "SIZE_MB": str(_bytes_needed(carried) // 10**6 + PYTHON_MEGABYTES),
    }


def _bytes_needed(carried: Path) -> int:
    """What is on the disk in the end: the files, and the wheels once more unpacked."""
    whole = sum(each.stat().st_size for each in files_below(carried))
    for wheel in (carried / "wheels").iterdir():
        with zipfile.ZipFile(wheel) as archive:
            whole += sum(each.file_size for each in archive.infolist())
    return whole


def _file_commands(folder: Path) -> Iterator[str]:
    """NSIS's commands that put these files into $INSTDIR\\app.new."""
    place = ""
    for path in files_below(folder):
        inside = str(path.relative_to(folder).parent).replace("/", "\\")
        if inside != place:
            yield f'SetOutPath "$INSTDIR\\app.new\\{inside}"'
            place = inside
        yield f"SetCompress {'off' if _is_dense(path) else 'auto'}"
        yield f'File "{path}"'
    yield "SetCompress auto\n"


def _is_dense(path: Path) -> bool:
    """Whether compressing the file once more would only cost time."""
    if path.suffix != ".whl":
        return False
    with zipfile.ZipFile(path) as archive:
        return any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist())


def _makensis() -> str:
    found = shutil.which("makensis")
    if found is None:
        raise BuildError("The installer for Windows is made by NSIS: apt install nsis")
    return found


def _make(defines: dict[str, str]) -> None:
    done = subprocess.run(
        [_makensis(), "-V2", "-WX", "-INPUTCHARSET", "UTF8", "-NOCD",
         *(f"-D{name}={value}" for name, value in defines.items()), "redraft.nsi"],
        cwd=FOLDER,
        env={"SOURCE_DATE_EPOCH": str(epoch()), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BuildError(f"makensis failed:\n{done.stdout}{done.stderr}")
