"""How a test uses the editor: as a person does, with keys and eyes."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QKeySequence, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication

from app.state.editor.edit import Phase
from app.ui.places import EDITOR
from engine.messages import EditRequest
from tests.app.driving import press as press_now
from tests.app.driving import seen
from tests.fakes import FakePipeline

TEXT = "One line above.\nThe quick brown fox jumps over the lazy dog.\nOne line below.\n"
SENTENCE = "The quick brown fox jumps over the lazy dog."
CHANGED = "The quick red fox leaps over the dog."


def begin(qtbot, start, script, text=TEXT, language=""):
    """The window with one document in it."""
    pipeline = FakePipeline(script)
    running = start(pipeline)
    qtbot.waitUntil(lambda: running.status.state.ready is not None)
    running.window.activateWindow()
    running.window.places.show_place(EDITOR)
    running.window.editor.new(text, language)
    view = running.window.editor.view
    view.pipeline = pipeline
    view.editor.setFocus()
    return running, view


def choose(view, part: str) -> None:
    at = view.document.text.index(part)
    cursor = view.editor.textCursor()
    cursor.setPosition(at)
    cursor.setPosition(at + len(part), QTextCursor.MoveMode.KeepAnchor)
    view.editor.setTextCursor(cursor)


def keys(view, text: str) -> None:
    """Into whatever has the focus, as a person presses them."""
    combination = QKeySequence(text)[0]
    target = QApplication.focusWidget() or view.editor
    QTest.keyClick(target, combination.key(), combination.keyboardModifiers())


def press(qtbot, widget, text: str) -> None:
    """A button that may have come with the last event only."""
    qtbot.waitUntil(lambda: text in seen(widget) or text in names(widget))
    press_now(qtbot, widget, text)


def names(widget) -> set[str]:
    return {
        each.accessibleName() for each in widget.findChildren(QAbstractButton) if each.isVisible()
    }


def wait_phase(qtbot, view, phase=Phase.OFFERED):
    qtbot.waitUntil(lambda: view.session.phase is phase)


def ask(qtbot, view, part: str, instruction: str) -> None:
    choose(view, part)
    keys(view, "Ctrl+K")
    assert view.editing.bar.row == "prompt"
    qtbot.keyClicks(view.editing.bar.field, instruction)
    qtbot.keyClick(view.editing.bar.field, Qt.Key.Key_Return)


def asked(view):
    """The edits that the model was asked for."""
    return [each for each in view.pipeline.requests if isinstance(each, EditRequest)]


def paste(view, text: str) -> None:
    data = QMimeData()
    data.setText(text)
    view.editor.insertFromMimeData(data)
