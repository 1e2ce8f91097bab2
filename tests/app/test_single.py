"""A second start with the same data folder shows the first window and ends; real processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QDir, QProcess
from PySide6.QtWidgets import QWidget

from app.paths import ASSETS
from app.single import Doorbell, _name, bring_to_front, show_other

FIRST = """
import sys
from PySide6.QtCore import QTimer
import app.__main__ as program
def shown(window):
    print("shown", window.isVisible(), flush=True)
    QTimer.singleShot(0, window.close)  # after the answer
program.bring_to_front = shown
paint = program.MainWindow.paintEvent
def painted(self, event):
    paint(self, event)
    print("open", flush=True)
program.MainWindow.paintEvent = painted
sys.exit(program.main(["--model", "no/such/folder"]))
"""
SECOND = "import sys; from app.__main__ import main; sys.exit(main([]))"


def begin(code: str, home: Path) -> subprocess.Popen[str]:
    folders = {"HOME": home, "XDG_DATA_HOME": home, "XDG_STATE_HOME": home}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ASSETS.parent,
        env={**os.environ, **{name: str(folder) for name, folder in folders.items()},
             "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip


def second_start(qtbot, data: Path, *files: str, folder: Path = ASSETS.parent) -> int:
    """The exit code of a process that only asks: 0 where another one showed its window."""
    code = "import sys, pathlib; from PySide6.QtCore import QCoreApplication; "
    code += "app = QCoreApplication([]); from app.single import show_other; "
    code = f"import sys; sys.path.insert(0, {str(ASSETS.parent)!r}); {code}"
    code += "sys.exit(not show_other(*(pathlib.Path(sys.argv[1]), "
    code += "[pathlib.Path(each) for each in sys.argv[2:]])))"
    process = QProcess()
    process.setWorkingDirectory(str(folder))
    process.start(sys.executable, ["-c", code, str(data), *files])
    qtbot.waitUntil(lambda: process.state() == QProcess.ProcessState.NotRunning, timeout=20_000)
    return process.exitCode()


@pytest.mark.skipif(sys.platform != "linux", reason="the folders are set as Linux knows them")
def test_a_second_start_shows_the_first_window_and_ends(tmp_path):
    first, second = begin(FIRST, tmp_path), None
    try:
        assert first.stdout.readline() == "open\n"
        second = begin(SECOND, tmp_path)
        _, errors = second.communicate(timeout=60)
        assert second.returncode == 0, errors
        said, _ = first.communicate(timeout=60)
        assert said.splitlines()[-1] == "shown True"
        assert first.returncode == 0
    finally:
        for process in (first, second):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def test_every_later_start_is_answered_until_the_window_is_closed(qtbot, tmp_path):
    shown = []
    doorbell = Doorbell(tmp_path)
    doorbell.rings(lambda: shown.append(True))
    for count in (1, 2):
        assert second_start(qtbot, tmp_path) == 0
        assert len(shown) == count
    assert second_start(qtbot, tmp_path / "another folder") == 1
    doorbell.close()
    assert second_start(qtbot, tmp_path) == 1
    assert len(shown) == 2


def test_the_files_of_a_later_start_are_opened_in_the_first_window(qtbot, tmp_path):
    names = ["a note.txt", str(tmp_path / "Ünï 名前.md"), "line\nbreak"]
    opened: list[Path] = []
    doorbell = Doorbell(tmp_path)
    doorbell.rings(lambda: None, opened.append)
    assert second_start(qtbot, tmp_path, *names, folder=tmp_path) == 0
    qtbot.waitUntil(lambda: len(opened) == 3)
    assert opened == [tmp_path / name for name in names]  # the other's folder is not ours
    doorbell.close()


def test_who_says_what_nobody_understands_is_answered_all_the_same(qtbot, tmp_path):
    opened: list[Path] = []
    doorbell = Doorbell(tmp_path)
    doorbell.rings(lambda: None, opened.append)
    for words in (b"[1, 2]\n", b"{not json\n", b'["unfinished'):
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(f"{QDir.tempPath()}/{_name(tmp_path)}")
            other.sendall(words)
            qtbot.wait(100)
            assert other.recv(16) == b"shown"
    assert not opened
    doorbell.close()


def test_who_starts_while_the_first_window_opens_is_answered_when_it_is_there(qtbot, tmp_path):
    shown = []
    doorbell = Doorbell(tmp_path)
    process = begin(
        "import sys, pathlib; from PySide6.QtCore import QCoreApplication; "
        "app = QCoreApplication([]); from app.single import show_other; "
        f"sys.exit(not show_other(pathlib.Path({str(tmp_path)!r})))",
        Path.home(),
    )
    with process:
        qtbot.waitUntil(doorbell._server.hasPendingConnections, timeout=20_000)
        doorbell.rings(lambda: shown.append(True))
        qtbot.waitUntil(lambda: process.poll() is not None, timeout=20_000)
        assert process.returncode == 0
    assert shown == [True]
    doorbell.close()


@pytest.mark.skipif(os.name != "posix", reason="a pipe of Windows goes with its process")
def test_what_a_killed_process_left_behind_is_in_nobodys_way(qtbot, tmp_path):
    left = socket.socket(socket.AF_UNIX)
    left.bind(f"{QDir.tempPath()}/{_name(tmp_path)}")
    left.close()  # the file stays
    assert not show_other(tmp_path)
    doorbell = Doorbell(tmp_path)
    doorbell.rings(lambda: None)
    assert second_start(qtbot, tmp_path) == 0
    doorbell.close()


@pytest.mark.skipif(os.name != "posix", reason="made with a socket of Linux and macOS")
def test_one_that_hangs_is_left_alone(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("app.single.PATIENCE_MS", 100)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(f"{QDir.tempPath()}/{_name(tmp_path)}")
        hanging.listen()
        assert not show_other(tmp_path)
        doorbell = Doorbell(tmp_path)
        assert not doorbell._server.isListening()  # does not take its place
        doorbell.close()
    Path(f"{QDir.tempPath()}/{_name(tmp_path)}").unlink()


@pytest.mark.qt_log_ignore("does not support raise", extend=True)
def test_a_minimised_window_comes_back(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    window.showMinimized()
    bring_to_front(window)
    assert window.isVisible()
    assert not window.isMinimized()
