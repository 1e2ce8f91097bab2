"""How large each engine layer is, to be downloaded and on the disk, from the package index.

Wheels are not fetched for it: the index says how long one is, and the directory at the end of its
file says what will be unpacked.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx2
from lock_file import Entry
from platforms import Platform
from project import BuildError

PATIENCE = 60.0  # seconds


class _Remote(io.RawIOBase):
    """A file on a server, read in the pieces that are asked for."""

    def __init__(self, client: httpx2.Client, address: str, size: int) -> None:
        self._client, self._address, self._size, self._at = client, address, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        wanted = {"Range": f"bytes={self._at}-{end - 1}"}
        answer = self._client.get(self._address, headers=wanted)
        if answer.status_code != 206:
            raise BuildError(f"{self._address} gives no part of a file ({answer.status_code}).")
        self._at = end
        return bytes(answer.content)


def measure(name: str, entries: Sequence[Entry], platform: Platform, uv: Path) -> dict[str, int]:
    """{"download", "disk"} in bytes of the layer `name`. Raises `BuildError`."""
    download = disk = 0
    try:
        with httpx2.Client(follow_redirects=True, timeout=PATIENCE) as client:
            for package in _resolved(entries, platform, uv):
                # Several fit where there is one for each C library or processor; they are alike.
                wheel = max(package["wheels"], key=lambda each: int(each["size"]))
                download += wheel["size"]
                with ZipFile(_Remote(client, wheel["url"], wheel["size"])) as archive:
                    disk += sum(each.file_size for each in archive.infolist())
    except httpx2.HTTPError as error:
        raise BuildError(f"The package index does not say how large {name} is: {error}") from error
    return {"download": download, "disk": disk}


def _resolved(entries: Sequence[Entry], platform: Platform, uv: Path) -> list[dict[str, Any]]:
    """The wheel of each entry, with its address and size (PEP 751)."""
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "pylock.toml"
        command = [
            uv, "pip", "compile", "-", "--no-deps", "--python-platform", platform.uv,
            "--python-version", platform.pythons[0], "--only-binary", ":all:", "--no-config",
            "--system-certs", "--quiet", "--format", "pylock.toml", "--output-file", target,
        ]  # fmt: skip
        wanted = "\n".join(f"{each.name}=={each.version}" for each in entries)
        done = subprocess.run(
            [str(part) for part in command], input=wanted, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise BuildError(f"uv does not find the wheels again: {done.stderr}")
        found: list[dict[str, Any]] = tomllib.loads(target.read_text(encoding="utf-8"))["packages"]
    return found
