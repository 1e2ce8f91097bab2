"""One window for a data folder: a second start shows the window of the first, and ends.

The first one listens on a local socket (on Windows a named pipe). One that does not answer in time
is left alone: the second start then goes on by itself, with its chats in memory (see
`app.state.history.keeper`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QApplication, QWidget

ANSWER = b"shown"
PATIENCE_MS = 2_000  # to be connected, and again to be answered; a window that opens takes one


def show_other(data: Path) -> bool:
    """Whether another process has a window for this folder, and shows it now."""
    socket = QLocalSocket()
    socket.connectToServer(_name(data))
    if not socket.waitForConnected(PATIENCE_MS):
        return False
    received = b""
    while received != ANSWER and socket.waitForReadyRead(PATIENCE_MS):
        received += bytes(socket.readAll().data())
    socket.abort()
    return received == ANSWER


class Doorbell(QObject):
    """Answers later starts with the same folder, from now on until `close`."""

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._on_rung: Callable[[], None] | None = None
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        name = _name(data)
        if not _is_answered(name):  # Qt would take the place of one that hangs
            QLocalServer.removeServer(name)  # left by a process that was killed
            self._server.listen(name)

    def rings(self, on_rung: Callable[[], None]) -> None:
        """What to do for every later start; those that came before are answered now."""
        self._on_rung = on_rung
        self._answer()

    def close(self) -> None:
        """The window is gone: a later start is one of its own."""
        self._server.close()

    def _answer(self) -> None:
        while self._on_rung is not None and self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            socket.disconnected.connect(socket.deleteLater)
            self._on_rung()
            socket.write(ANSWER)
            socket.flush()


def bring_to_front(window: QWidget) -> None:
    """Shows a window as well as the system lets a program do that; else its entry blinks."""
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()
    QApplication.alert(window)


def _name(data: Path) -> str:
    whole = f"{Path.home()}\n{data.resolve()}"  # who, and which of their folders
    return "redraft-" + hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _is_answered(name: str) -> bool:
    socket = QLocalSocket()
    socket.connectToServer(name)
    return bool(socket.waitForConnected(PATIENCE_MS))
