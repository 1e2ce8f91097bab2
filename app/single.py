"""One window for a data folder: a second start shows the window of the first, and ends.

The files that it was to open are opened there.

The first one listens on a local socket (on Windows a named pipe). One that does not answer in time
is left alone: the second start then goes on by itself, with its chats in memory (see
`app.state.history.keeper`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QApplication, QWidget

log = logging.getLogger(__name__)

ANSWER = b"shown"
PATIENCE_MS = 2_000  # to be connected, and again to be answered; a window that opens takes one


def show_other(data: Path, files: Sequence[Path] = ()) -> bool:
    """Whether another process has a window for this folder, and shows it with these files now."""
    socket = QLocalSocket()
    socket.connectToServer(_name(data))
    if not socket.waitForConnected(PATIENCE_MS):
        return False
    socket.write(json.dumps([str(each.absolute()) for each in files]).encode() + b"\n")
    socket.waitForBytesWritten(PATIENCE_MS)
    received = b""
    # What came while the names were sent is there already, and not waited for again.
    while received != ANSWER and (socket.bytesAvailable() or socket.waitForReadyRead(PATIENCE_MS)):
        received += bytes(socket.readAll().data())
    socket.abort()
    return received == ANSWER


class Doorbell(QObject):
    """Answers later starts with the same folder, from now on until `close`."""

    def __init__(self, data: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._on_rung: Callable[[], None] | None = None
        self._open: Callable[[Path], object] = lambda _path: None
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._answer)
        name = _name(data)
        if not _is_answered(name):  # Qt would take the place of one that hangs
            QLocalServer.removeServer(name)  # left by a process that was killed
            self._server.listen(name)

    def rings(
        self, on_rung: Callable[[], None], open_file: Callable[[Path], object] | None = None
    ) -> None:
        """What to do for every later start; those that came before are answered now."""
        self._on_rung = on_rung
        self._open = open_file or self._open
        self._answer()

    def close(self) -> None:
        """The window is gone: a later start is one of its own."""
        self._server.close()

    def _answer(self) -> None:
        while self._on_rung is not None and self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            socket.disconnected.connect(socket.deleteLater)
            self._on_rung()
            socket.readyRead.connect(self._read)
            socket.write(ANSWER)
            socket.flush()
        self._read()

    @Slot()
    def _read(self) -> None:
        for socket in self._server.findChildren(QLocalSocket):
            self._take(socket)

    def _take(self, socket: QLocalSocket) -> None:
        """The files of a later start, when all of their names are there."""
        if not socket.canReadLine():
            return
        try:
            paths = [Path(each) for each in json.loads(bytes(socket.readLine().data()))]
        except (ValueError, TypeError):
            log.warning("a later start said what nobody understands")
            return
        for path in paths:
            self._open(path)


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
