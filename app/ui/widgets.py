"""Small parts that several views use."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from app.ui.theme import TEXT_WIDTH


def plain_label(text: str = "", *, muted: bool = False, wrap: bool = True) -> QLabel:
    """A label that shows its text as it is, whatever it looks like."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    label.setProperty("muted", muted)
    label.setText(text)
    return label


def flat_button(text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName("flat")
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button


def restyle(widget: QWidget) -> None:
    """Applies the stylesheet again after a property it looks at has changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def in_column(widget: QWidget) -> QWidget:
    """A row that keeps `widget` in the middle and at most as wide as text should be."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(24, 0, 24, 0)
    layout.setSpacing(0)
    widget.setMaximumWidth(TEXT_WIDTH)
    widget.setSizePolicy(QSizePolicy.Policy.Expanding, widget.sizePolicy().verticalPolicy())
    layout.addStretch(1)
    layout.addWidget(widget, 1000)
    layout.addStretch(1)
    return row
