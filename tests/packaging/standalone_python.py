"""A Python that runs wherever it is unpacked, made of the one that runs this: a stand-in for the
archives of python-build-standalone, which are laid out alike.

    python -m tests.packaging.standalone_python FILE.tar.gz

Needs patchelf. It takes along every library but those of glibc.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
LEFT_OUT = shutil.ignore_patterns(
    "site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "__pycache__",
    "*.a", "config-*", "_tkinter*", "_test*",
)  # fmt: skip
OF_GLIBC = re.compile(r"^(ld-linux|lib(c|m|dl|rt|pthread|util|resolv|nsl|crypt)\.so)")


def make(target: Path) -> None:
    base = Path(sys.base_prefix)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "python"
        shutil.copytree(base / "lib" / VERSION, root / "lib" / VERSION, ignore=LEFT_OUT)
        (root / "lib" / VERSION / "site-packages").mkdir()
        (root / "bin").mkdir()
        shutil.copy(base / "bin" / VERSION, root / "bin" / VERSION)
        (root / "bin" / "python3").symlink_to(VERSION)
        programs = [root / "bin" / VERSION, *root.rglob("*.so")]
        programs += [Path(shutil.copy(each, root / "lib")) for each in libraries(programs)]
        for path in programs:
            up = "/".join([".."] * (len(path.relative_to(root).parts) - 1))
            run_path = f"$ORIGIN/{up}/lib"
            subprocess.run(["patchelf", "--set-rpath", run_path, path], check=True)
        with tarfile.open(target, "w:gz", compresslevel=6) as archive:
            archive.add(root, "python")


def libraries(programs: list[Path]) -> set[Path]:
    """What they are linked with, less what every Linux has."""
    found = set()
    for path in programs:
        said = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for name, where in re.findall(r"^\s*(\S+) => (/\S+)", said, re.MULTILINE):
            if not OF_GLIBC.match(name):
                found.add(Path(where))
    return found


if __name__ == "__main__":
    make(Path(sys.argv[1]))
