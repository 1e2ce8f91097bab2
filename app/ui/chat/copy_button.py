"""A button that copies a text and says that it has."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication

from app.ui.theme import Theme
from app.ui.widgets import IconButton
from app.words import tr

SAID_MS = 1_500  # how long it says so


def copy_button(theme: Theme, name: str, text: str) -> IconButton:
    """Copies `text` exactly as it is; a tick stands in the icon's place for a moment."""
    button = IconButton(theme, "copy", name, size=16)
    timer = QTimer(button, singleShot=True, interval=SAID_MS)

    def copy() -> None:
        QGuiApplication.clipboard().setText(text)
        button.set_icon("control-check")
        button.set_name(tr("Copied"))
        timer.start()

    def rest() -> None:
        button.set_icon("copy")
        button.set_name(name)

    button.clicked.connect(copy)
    timer.timeout.connect(rest)
    return button
