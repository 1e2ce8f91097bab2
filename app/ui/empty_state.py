"""What stands in the middle of an empty conversation: a greeting and three things to try."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.ui.theme import interface_font
from app.ui.widgets import plain_label

SUGGESTIONS = (
    "Hello! Who are you?",
    "Tell me a story about Mara and a silver lamp.",
    "What is Redraft?",
)


class EmptyState(QWidget):
    """Signals:
    suggested(str): the user chose one of the suggestions.
    """

    suggested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = plain_label("Watch an answer come into focus")
        font = interface_font()
        font.setPointSizeF(20)
        font.setWeight(font.Weight.DemiBold)
        title.setFont(font)
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        about = plain_label(
            "Redraft writes a whole passage at once, first as noise, then sharper with each step. "
            "Everything happens on this computer.",
            muted=True,
        )
        about.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        about.setFixedWidth(430)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 24, 0, 24)
        layout.setSpacing(10)
        layout.addStretch(2)
        layout.addWidget(title)
        layout.addWidget(about, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(18)
        for text in SUGGESTIONS:
            layout.addWidget(self._chip(text), 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)

    def _chip(self, text: str) -> QPushButton:
        chip = QPushButton(text)
        chip.setObjectName("chip")
        chip.setCursor(Qt.CursorShape.PointingHandCursor)
        chip.clicked.connect(lambda: self.suggested.emit(text))
        return chip
