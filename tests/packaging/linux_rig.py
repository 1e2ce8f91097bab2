"""A small installation for Linux: the real launcher and uv around an app of one file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import uv

ROOT = Path(__file__).parents[2]
LINUX = ROOT / "packaging" / "linux"
APP = """
import json, os, sys
print(json.dumps({"prefix": sys.prefix, "path": sys.path, "variables": dict(os.environ),
                  "arguments": sys.argv[1:], "isolated": sys.flags.isolated}))
"""
APPLICATION = "class QApplication:\n    def __init__(self, arguments):\n        pass\n"
QT = {f"PySide6/{name}.py": "" for name in ("QtNetwork", "QtSvg")} | {
    "PySide6/QtWidgets.py": APPLICATION
}


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = files | {f"{info}/METADATA": about, f"{info}/WHEEL": tag, f"{info}/RECORD": ""}
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member, (2026, 1, 1, 0, 0, 0)), text)
    return path


def program(
    folder: Path, version: str = "0.1.0", app: str = APP, more: dict[str, str] | None = None
) -> Path:
    """What is installed, less Qt and the engine's locks. `more`: other files of the wheel."""
    (folder / "wheels").mkdir(parents=True)
    (folder / "locks").mkdir()
    made = [
        wheel(folder / "wheels", "redraft", version, {"app/__main__.py": app, **(more or {})}),
        wheel(folder / "wheels", "pyside6_essentials", "6.11.3", QT),
    ]
    lines = []
    for path in made:
        name, number = path.name.split("-")[:2]
        lines.append(
            f"{name}=={number} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        )
    (folder / "locks" / "gui-linux.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "version.json").write_text(f'{{"version": "{version}"}}\n', encoding="utf-8")
    for path in (LINUX / "launch.py", LINUX / "launch_words.py"):
        shutil.copy(path, folder)
    for name in ("bootstrap_qt.py", "bootstrap_system.py"):
        shutil.copy(ROOT / "packaging" / name, folder)
    (folder / "app").mkdir()
    for name in ("__init__.py", "pointer.py", "versions.py"):
        shutil.copy(ROOT / "app" / name, folder / "app")
    shutil.copy(LINUX / "redraft.sh", folder / "redraft")
    shutil.copy(LINUX / "uninstall.sh", folder / "uninstall")
    shutil.copy(ROOT / "assets" / "icons" / "redraft.svg", folder)
    (folder / "uv").symlink_to(uv.find_uv_bin())
    for name in ("redraft", "uninstall"):
        (folder / name).chmod(0o755)
    return folder


def variables(home: Path, **more: str) -> dict[str, str]:
    """Those of a plain session without a screen."""
    path = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    return path | {name: value for name, value in os.environ.items() if name == "TMPDIR"} | more


def start(
    folder: Path, home: Path, *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "redraft", *arguments],
        env=variables(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
