"""Every system library that the window needs is a dependency of the .deb, and is asked for by name.

The libraries are read from the headers of Qt's own files, beginning with what the app imports.
"""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import PySide6
import pytest

from tests.packaging import linux_rig

QT = Path(PySide6.__path__[0])
# Others are for boards, or are left out without a word where they do not load.
PLUGINS = (
    "platforms/libqxcb.so", "platforms/libqwayland*.so", "xcbglintegrations/*", "tls/*", "iconengines/*",
    "wayland-shell-integration/*", "wayland-decoration-client/*",
    "wayland-graphics-integration-client/libqt-plugin-wayland-egl.so",
    "platforminputcontexts/libcompose*", "platforminputcontexts/libibus*",
)  # fmt: skip
OF_LIBC = re.compile(r"ld-linux|lib(c|m|dl|rt|pthread|resolv|gcc_s)\.so")

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("readelf"), reason="needs Linux and readelf"
)


def imported() -> set[str]:
    """The modules of Qt that the app imports."""
    found = set()
    for path in (linux_rig.ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("PySide6."):
                found.add(str(node.module).split(".")[1])
    return found


def foreign(first: list[Path]) -> set[str]:
    """What these files are linked with that does not come along."""
    folders = (QT, QT / "Qt" / "lib", QT.parent / "shiboken6")
    own = {path.name: path for folder in folders for path in folder.glob("*.so*")}
    found, seen, todo = set(), set(), list(first)
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        said = subprocess.check_output(["readelf", "-d", path], text=True)
        for name in re.findall(r"NEEDED.*\[(.+)\]", said):
            if name in own:
                todo.append(own[name])
            elif not OF_LIBC.match(name):
                found.add(name)
    return found


def test_the_package_depends_on_what_the_window_is_linked_with():
    modules = imported()
    assert {"QtCore", "QtWidgets"} <= modules
    first = [QT / f"{each}.abi3.so" for each in modules]
    first += [path for each in PLUGINS for path in (QT / "Qt" / "plugins").glob(each)]
    depends = " | ".join(importlib.import_module("deb_package").DEPENDS).split(" | ")
    package = importlib.import_module("bootstrap_qt").package
    needed = foreign(first)
    assert "libgssapi_krb5.so.2" in needed  # the walk finds something
    assert {package(each) for each in needed} - set(depends) == set()


def test_the_first_start_tries_every_module_that_the_app_imports():
    probe = importlib.import_module("bootstrap_qt").PROBE
    missing = {each for each in imported() - {"QtCore", "QtGui"} if each not in probe}
    assert missing == set()
