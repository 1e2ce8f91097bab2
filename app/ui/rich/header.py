"""Above a program in an answer: its language, and buttons that copy and open it."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.widgets import OneLine, flat_button
from app.words import tr

SAID_MS = 1_500  # how long the button says that it has copied


class CodeHeader(QWidget):
    """Copies `code` when asked to.

    Signals:
        edit_requested(): it shall be opened in the editor.
    """

    edit_requested = Signal()

    def __init__(self, language: str, code: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._code = code
        name = OneLine()
        name.setProperty("muted", True)
        name.setText(language or tr("Code"))
        self._button = flat_button(tr("Copy"))
        self._button.setAccessibleName(tr("Copy this code"))
        self._button.clicked.connect(self._copy)
        self._timer = QTimer(self, singleShot=True, interval=SAID_MS)
        self._timer.timeout.connect(lambda: self._button.setText(tr("Copy")))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 4, 4, 0)
        layout.addWidget(name, 1)
        edit = flat_button(tr("Edit"))
        edit.setAccessibleName(tr("Open this code in the editor"))
        edit.setToolTip(tr("Open this code in the editor"))
        edit.clicked.connect(self.edit_requested)
        layout.addWidget(edit)
        layout.addWidget(self._button)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._code)
        self._button.setText(tr("Copied"))
        self._timer.start()
