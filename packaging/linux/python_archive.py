"""A standalone Python that an installer carries along, for systems whose own is missing or too old."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

from project import BuildError

LICENCE = re.compile(r"[^/]+/lib/python3\.\d+/LICENSE\.txt")


def carry(archive: Path, folder: Path) -> None:
    """Copies it, as it is, into an installed folder, and its licence to the others there.

    `archive`: a `.tar.gz` of one folder with `bin/python3`, such as the python-build-standalone
    project offers ("install_only"). Raises `BuildError` for another one.
    """
    if not archive.name.endswith(".tar.gz"):
        raise BuildError(f"{archive.name} is no .tar.gz; nothing else can be unpacked everywhere.")
    try:
        with tarfile.open(archive, "r:gz") as packed:
            members = {each.name.removeprefix("./"): each for each in packed}
            licence = next(filter(LICENCE.fullmatch, members), None)
            file = packed.extractfile(members[licence]) if licence else None
            text = file.read() if file else b""
    except (OSError, tarfile.TarError, EOFError) as error:
        raise BuildError(f"{archive} cannot be unpacked: {error}") from error
    tops = {name.split("/")[0] for name in members} - {"", "."}
    if len(tops) != 1 or f"{tops.pop()}/bin/python3" not in members:
        raise BuildError(f"{archive} has no single folder with bin/python3.")
    if not text:
        raise BuildError(f"{archive} has no LICENSE.txt of Python's.")
    (folder / "python").mkdir()
    shutil.copyfile(archive, folder / "python" / archive.name)
    (folder / "licences" / "python").mkdir()
    (folder / "licences" / "python" / "LICENSE.txt").write_bytes(text)
