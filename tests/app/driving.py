"""How a test uses the window: as a person does, with keys and eyes."""

from __future__ import annotations

import shutil

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPlainTextEdit, QWidget

from app.__main__ import Running
from app.paths import Paths
from app.state.history.history import History
from app.state.history.rows import SavedChat
from app.ui.text_view import TextView


def field(running: Running) -> QPlainTextEdit:
    return running.window.composer.findChild(QPlainTextEdit)


def say(qtbot, running: Running, text: str) -> None:
    qtbot.keyClicks(field(running), text)
    qtbot.keyClick(field(running), Qt.Key.Key_Return)


def wait_idle(qtbot, running: Running) -> None:
    qtbot.waitUntil(lambda: not running.session.is_busy)
    QApplication.processEvents()  # a new widget becomes visible with the next event


def spoken(running: Running) -> list[str]:
    """What stands in the chat, settled: questions and answers in turn, as the user reads them."""
    return [
        view.toPlainText()
        for exchange in running.window.chat.exchanges
        for view in exchange.findChildren(TextView)
        if view.isVisible()
    ]


def wait_chat(qtbot, running: Running, texts: list[str]) -> None:
    """Until these questions and answers are shown; the history is read on its own thread."""
    qtbot.waitUntil(lambda: spoken(running) == texts)


def saved(paths: Paths) -> list[SavedChat]:
    """What another program would find on the disk now, newest chat first."""
    copy = paths.data.parent / "copy"
    for _ in range(100):
        shutil.rmtree(copy, ignore_errors=True)
        try:
            shutil.copytree(paths.data, copy)
            break
        except shutil.Error:  # the journal went while it was copied
            continue
    history = History.open(copy / "chats.sqlite")
    try:
        return [history.load(summary.id) for summary in history.chats()]
    finally:
        history.close()


def seen(widget: QWidget) -> str:
    """All the words on labels and buttons that are visible."""
    labels = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    buttons = [each.text() for each in widget.findChildren(QAbstractButton) if each.isVisible()]
    return "\n".join(labels + buttons)


def press(qtbot, widget: QWidget, text: str) -> None:
    button = next(
        each for each in widget.findChildren(QAbstractButton)
        if each.isVisible() and text in (each.text(), each.accessibleName())
    )  # fmt: skip
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
