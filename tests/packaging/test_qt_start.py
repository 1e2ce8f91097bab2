from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def qt() -> Any:
    return importlib.import_module("bootstrap_qt")


LOADER = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
LDD = """\tlinux-vdso.so.1 (0x00007ffd)
\tlibQt6XcbQpa.so.6 => /x/libQt6XcbQpa.so.6 (0x00007f)
\tlibxcb-icccm.so.4 => not found
\tlibX11-xcb.so.1 => not found
"""
ADVICE = (
    "qt.qpa.plugin: From 6.5.0, xcb-cursor0 or libxcb-cursor0 is needed to load the Qt xcb "
    'platform plugin.\nqt.qpa.plugin: Could not load the Qt platform plugin "xcb" in ""\n'
)
PLUGIN = (
    "Cannot load library /x/libqxcb.so: (libxkbcommon-x11.so.0: cannot open shared object file)"
)


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (LOADER, {"libGL.so.1"}),
        (LDD, {"libxcb-icccm.so.4", "libX11-xcb.so.1"}),
        (ADVICE, {"libxcb-cursor.so.0"}),
        (PLUGIN, {"libxkbcommon-x11.so.0"}),
        ("qt.qpa.xcb: could not connect to display", set()),
    ],
)
def test_missing_libraries_are_read(qt: Any, output: str, found: set[str]) -> None:
    assert qt.missing_libraries(output) == found


@pytest.mark.parametrize(
    ("library", "package"),
    [
        ("libGL.so.1", "libgl1"),
        ("libEGL.so.1", "libegl1"),
        ("libxcb-icccm.so.4", "libxcb-icccm4"),
        ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
        ("libX11-xcb.so.1", "libx11-xcb1"),
        ("libdbus-1.so.3", "libdbus-1-3"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libfontconfig.so.1", "libfontconfig1"),
        ("libstdc++.so.6", "libstdc++6"),
    ],
)
def test_packages_are_named_after_libraries(qt: Any, library: str, package: str) -> None:
    assert qt.package(library) == package


def test_no_screen_is_said_as_such(qt: Any, tmp_path: Path) -> None:
    sentence = qt.explanation("qt.qpa.xcb: could not connect to display :9", tmp_path)
    assert "no screen" in sentence


def test_qt_starts_here_without_a_screen(qt: Any, tmp_path: Path) -> None:
    assert qt._start(Path(sys.executable), "offscreen") is None


def test_a_platform_that_does_not_exist_is_an_error(qt: Any, tmp_path: Path) -> None:
    output = qt._start(Path(sys.executable), "nonsense")
    assert output is not None
    assert "nonsense" in output


def test_missing_libraries_are_installed_until_qt_starts(
    qt: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers = iter([LOADER, PLUGIN, None])
    installed: list[str] = []
    monkeypatch.setattr(qt, "_start", lambda *_: next(answers))
    monkeypatch.setattr(qt, "_unresolved", lambda *_: set())
    monkeypatch.setattr(qt.sys, "platform", "linux")
    monkeypatch.setattr(qt, "install_packages", lambda names, *_: installed.extend(names))
    qt.check(tmp_path / "bin" / "python", offscreen=True)
    assert installed == ["libgl1", "libxkbcommon-x11-0"]


def test_what_cannot_be_helped_ends_in_one_sentence(
    qt: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(qt, "_start", lambda *_: LOADER)
    monkeypatch.setattr(qt, "_unresolved", lambda *_: set())
    monkeypatch.setattr(qt, "install_packages", lambda *_: None)
    with pytest.raises(qt.SetupError, match="does not start here"):
        qt.check(tmp_path / "bin" / "python", offscreen=True)
    assert "libGL" in (tmp_path / "setup.log").read_text()
