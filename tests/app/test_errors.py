"""Errors nobody expected: logged whole, told plainly, once."""

from __future__ import annotations

import logging
import sys
import threading

import pytest
from PySide6.QtCore import QTimer, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QMessageBox

from app.errors import ErrorDialog, catch_everything, log_to_file


@pytest.fixture
def hooks(paths):
    """Our hooks in place, and the earlier ones back afterwards."""
    root = logging.getLogger()
    before = sys.excepthook, threading.excepthook, root.handlers[:], root.level
    root.handlers.clear()
    crash_log = log_to_file(paths)
    told = []
    catch_everything(lambda: told.append(1))
    yield told
    sys.excepthook, threading.excepthook = before[:2]
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = before[2]
    root.setLevel(before[3])
    qInstallMessageHandler(None)
    crash_log.close()


def test_an_unexpected_error_is_logged_with_its_traceback(hooks, paths):
    try:
        raise ValueError("deep inside")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    logged = paths.log.read_text(encoding="utf-8")
    assert "deep inside" in logged
    assert "Traceback" in logged
    assert hooks == [1]


def test_one_on_another_thread_is_logged_but_touches_no_widget(hooks, paths):
    def fail() -> None:
        raise ValueError("on a thread")

    thread = threading.Thread(target=fail, name="some-thread")
    thread.start()
    thread.join()
    logged = paths.log.read_text(encoding="utf-8")
    assert "on a thread" in logged
    assert "some-thread" in logged
    assert hooks == []


@pytest.mark.no_qt_log
def test_what_qt_says_is_logged(hooks, paths, qapp):
    QTimer.singleShot(-1, lambda: None)  # Qt has words about that
    assert "qt" in paths.log.read_text(encoding="utf-8").lower()


def test_the_dialog_is_plain_and_shown_once(qapp, paths):
    dialog = ErrorDialog(paths)
    dialog.show()
    dialog.show()
    boxes = [each for each in QApplication.topLevelWidgets() if isinstance(each, QMessageBox)]
    (box,) = [each for each in boxes if each.isVisible()]
    words = box.text() + box.informativeText()
    assert "Your text is kept" in words
    assert str(paths.log) in words
    assert "Traceback" not in words
    box.close()
