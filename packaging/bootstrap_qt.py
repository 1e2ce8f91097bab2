"""Does Qt start here? If not: which system libraries are missing, and where do they come from.

On Linux Qt needs a few libraries that a bare system lacks. Their names come from the loader: from
`ldd`, which sees all of them at once, else from the message of the failed start.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bootstrap_system import SetupError, install_packages

PROBE = (
    "from PySide6 import QtNetwork, QtSvg; from PySide6.QtWidgets import QApplication; "
    "QApplication(['redraft'])"
)
PLUGINS = "import PySide6; print(PySide6.__path__[0])"
ROUNDS = 6  # without ldd each start names one library
# Debian names a package after its library, with these exceptions.
PACKAGES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libbrotlidec.so.1": "libbrotli1",
    "libbrotlicommon.so.1": "libbrotli1",
    "libz.so.1": "zlib1g",
    "libglut.so.3": "libglut3.12",
}
WHY = "Qt, which draws the window, lacks system libraries."


def check(python: Path, *, offscreen: bool) -> None:
    """Start Qt as the command will. Installs what is missing where it may; raises `SetupError`."""
    print("Checking that a window can open.", flush=True)
    platform = "offscreen" if offscreen else os.environ.get("QT_QPA_PLATFORM", "")
    log = python.parents[1] / "setup.log"
    tried: set[str] = set()
    for _ in range(ROUNDS):
        output = _start(python, platform)
        if output is None:
            return
        missing = missing_libraries(output)
        if missing or "platform plugin" in output:
            missing |= _unresolved(python, platform or "xcb")
        if not missing - tried or not sys.platform.startswith("linux"):
            break
        tried |= missing
        install_packages(sorted({package(name) for name in missing}), WHY, log)
    with log.open("a", encoding="utf-8") as file:
        file.write(output)
    raise SetupError(explanation(output, log))


def missing_libraries(output: str) -> set[str]:
    """The names of libraries that the loader, ldd or Qt's own advice calls missing."""
    found = set(re.findall(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object", output))
    found |= set(re.findall(r"^\s*(lib[\w.+-]+\.so[.\d]*) => not found", output, re.MULTILINE))
    if "libxcb-cursor0 is needed" in output:
        found.add("libxcb-cursor.so.0")
    return found


def package(library: str) -> str:
    """Debian's package for a library: libxcb-icccm.so.4 is in libxcb-icccm4."""
    if library in PACKAGES:
        return PACKAGES[library]
    name, _, version = library.lower().partition(".so")
    version = version.strip(".").split(".")[0]
    return f"{name}-{version}" if name[-1].isdigit() and version else f"{name}{version}"


def explanation(output: str, log: Path) -> str:
    if "could not connect to display" in output:
        return "There is no screen to show a window on. Start Redraft from a desktop session."
    if "DLL load failed" in output:
        return (
            "Qt needs the Microsoft Visual C++ Redistributable (x64). Install it from Microsoft's "
            "site, then start again."
        )
    return f"Qt, which draws the window, does not start here. Details are in {log}."


def _start(python: Path, platform: str) -> str | None:
    """None if an application object could be made, else everything that was said."""
    environment = {**os.environ, "QT_DEBUG_PLUGINS": "1"}
    if platform:
        environment["QT_QPA_PLATFORM"] = platform
    command = [str(python), "-c", PROBE]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=120, check=False,
            env=environment,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "Qt did not start within two minutes."
    return None if done.returncode == 0 else done.stdout + done.stderr


def _unresolved(python: Path, platform: str) -> set[str]:
    """All libraries that Qt's widgets and the platform plugin miss, where ldd is at hand."""
    if not shutil.which("ldd"):
        return set()
    asked = subprocess.run(
        [str(python), "-c", PLUGINS], capture_output=True, text=True, check=False
    )
    folder = Path(asked.stdout.strip())
    plugin = f"libq{re.split('[:;]', platform)[0]}.so"
    files = [
        folder / "Qt" / "lib" / "libQt6Widgets.so.6",
        folder / "Qt" / "lib" / "libQt6Network.so.6",
        folder / "Qt" / "plugins" / "platforms" / plugin,
    ]
    listed = subprocess.run(
        ["ldd", *(str(file) for file in files if file.exists())],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return missing_libraries(listed.stdout)
