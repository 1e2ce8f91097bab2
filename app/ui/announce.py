"""Says something to who uses a screen reader, without moving the keyboard's focus."""

from __future__ import annotations

from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QWidget


def announce(widget: QWidget, words: str) -> None:
    """Spoken once, when the reader has finished its sentence. Without a reader nothing happens."""
    QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(widget, words))
