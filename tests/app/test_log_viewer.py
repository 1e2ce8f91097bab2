"""The end of the log is shown, however long it is; what is handed on names nobody."""

from __future__ import annotations

import getpass
import logging
import os
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from app.state.autosave import Writer
from app.state.diagnostics import TAIL_BYTES, TAIL_LINES, diagnostics, tail, without_user
from app.ui.log_viewer import LogViewer


@pytest.fixture
def viewer(qtbot, paths, theme):
    writer = Writer()
    made = LogViewer(paths, theme, facts=lambda: {"Model": "Demo"}, run=writer.submit)
    qtbot.addWidget(made)
    yield made
    writer.close()


def test_the_last_lines_of_a_huge_file_are_shown(qtbot, paths, viewer):
    with paths.log.open("wb") as file:
        file.seek(100_000_000)  # a hole: takes no room on the disk
        file.write(b"\n" + b"".join(b"line %d\n" % number for number in range(2000)))
    viewer.show()
    qtbot.waitUntil(lambda: "line 1999" in viewer.text)
    lines = viewer.text.splitlines()
    assert lines == [f"line {number}" for number in range(2000 - TAIL_LINES, 2000)]


def test_no_more_than_the_end_is_read(paths, monkeypatch):
    paths.log.write_bytes(b"x" * 5_000_000 + b"\nlast\n")
    read: list[int] = []
    real_open = Path.open

    def counting(self, *args, **more):
        file = real_open(self, *args, **more)
        real_read = file.read

        class Counting:
            def __enter__(self):
                return self

            def __exit__(self, *_):
                file.close()

            def seek(self, *places):
                return file.seek(*places)

            def read(self, size=-1):
                data = real_read(size)
                read.append(len(data))
                return data

        return Counting()

    monkeypatch.setattr(Path, "open", counting)
    assert tail(paths.log) == "last"
    assert sum(read) == TAIL_BYTES


def test_a_refresh_shows_what_came_since(qtbot, paths, viewer):
    paths.log.write_text("one\n", encoding="utf-8")
    paths.crash_log.write_text("Fatal Python error\n", encoding="utf-8")
    viewer.show()
    qtbot.waitUntil(lambda: viewer.text == "one")
    assert viewer.crashes == "Fatal Python error"
    paths.log.write_text("one\ntwo\n", encoding="utf-8")
    button = next(each for each in viewer.findChildren(QPushButton) if each.text() == "Refresh")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: viewer.text == "one\ntwo")


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe\x00", "\u202eevil\u2066\n".encode(), b"a" * 300_000]
)
def test_any_bytes_are_borne(qtbot, paths, viewer, data):
    paths.log.write_bytes(data)
    done: list[str] = []
    viewer._read.connect(lambda *_: done.append(""))
    viewer.show()
    qtbot.waitUntil(lambda: bool(done))
    assert "\u202e" not in viewer.text
    assert all(len(line) <= 2000 for line in viewer.text.splitlines())


def test_a_file_that_is_not_there_is_empty(paths):
    assert tail(paths.log) == ""


def test_a_file_that_cannot_be_read_says_so(qtbot, paths, viewer):
    paths.log.mkdir()
    viewer.show()
    qtbot.waitUntil(lambda: "cannot be read" in viewer.text)


def test_diagnostics_say_what_failed_and_nothing_private(paths):
    """Written by the real logger, with a traceback through the user's own folders."""
    handler = logging.FileHandler(paths.log, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("app.state.test")
    logger.addHandler(handler)
    secret = "my dearest diary"
    try:
        open(f"/home/mara/{secret}.txt")  # noqa: PTH123, SIM115
    except OSError:
        logger.exception("could not read %s for %s", secret, "mara")
    logger.warning("a message\nof two lines, %s", secret)
    handler.close()
    logger.removeHandler(handler)
    text = diagnostics(paths, {"Model": f"Demo in {paths.data}"})
    for private in (secret, "mara", "diary", "/home", str(paths.data), "two lines"):
        assert private not in text
    assert "ERROR app.state.test" in text
    assert "FileNotFoundError" in text
    assert f"{Path(__file__).name}:" in text
    assert "PySide6-Essentials: " in text


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Users\Mara Lind\AppData\x.json",
        r"\\server\mara\x",
        "/home/mara/my texts/x.json",
        "~/texts/x",
        str(Path.home() / "file"),
    ],
)
def test_folders_and_users_are_left_out(path: str):
    cleaned = without_user(f"failed at {path}")
    assert cleaned.startswith("failed at ")
    for part in ("mara", "lind", "texts", getpass.getuser()):
        assert part.lower() not in cleaned.lower()


def test_diagnostics_are_copied(qtbot, paths, viewer):
    QGuiApplication.clipboard().clear()
    viewer.show()
    button = next(each for each in viewer.findChildren(QPushButton) if "diagnostics" in each.text())
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Model: Demo" in QGuiApplication.clipboard().text())
    assert os.sep + "logs" not in QGuiApplication.clipboard().text()
