"""What stands in the middle of an empty conversation: a greeting and three things to try."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.ui.theme import Theme, interface_font
from app.ui.widgets import plain_label
from app.words import tr

TITLE_SIZE = 1.9  # times the size of all else
ABOUT_WIDTH = 430  # pixels
CHIP_EDGES = 40  # pixels around the words of a suggestion
MARGIN, ABOVE_CHIPS = 24, 18  # pixels


def suggestions() -> tuple[str, ...]:
    """Questions for the demo model, which speaks English alone."""
    return (
        "Hello! Who are you?",
        "Tell me a story about Mara and a silver lamp.",
        "What is Redraft?",
    )


class EmptyState(QWidget):
    """Signals:
    suggested(str): the user chose one of the suggestions.
    """

    suggested = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setMinimumSize(1, 1)  # it follows the window, not the other way
        self._title = title = plain_label(tr("Watch an answer come into focus"))
        title.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._about = about = plain_label(
            tr(
                "Redraft writes a whole passage at once, first as noise, then sharper with each "
                "step. Everything happens on this computer."
            ),
            muted=True,
        )
        about.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._layout = layout = QVBoxLayout(self)
        layout.setContentsMargins(0, MARGIN, 0, MARGIN)
        layout.setSpacing(10)
        layout.addStretch(2)
        layout.addWidget(title)
        layout.addWidget(about, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(ABOVE_CHIPS)
        self._chips = [self._chip(text) for text in suggestions()]
        for chip in self._chips:
            layout.addWidget(chip, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        font = interface_font()
        font.setPointSizeF(TITLE_SIZE * font.pointSizeF())
        font.setWeight(font.Weight.DemiBold)
        self._title.setFont(font)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Nothing is wider than the window: words wrap, and a long suggestion is shortened."""
        width = max(1, min(round(ABOUT_WIDTH * self._theme.scale), self.width()))
        self._about.setFixedWidth(width)  # first: no height is for less than the least width
        self._about.setFixedHeight(self._about.heightForWidth(width))
        self._title.setFixedHeight(self._title.heightForWidth(max(1, self.width())))
        for chip, text in zip(self._chips, suggestions(), strict=True):
            room = self.width() - CHIP_EDGES
            elide = Qt.TextElideMode.ElideRight
            chip.setText(chip.fontMetrics().elidedText(text, elide, room))
        self._leave_out()

    def _leave_out(self) -> None:
        """What a low window has no room for goes: the explanation first, then the last suggestions."""
        spacing, parts = self._layout.spacing(), [self._about, *reversed(self._chips)]
        needed = self._title.height() + 2 * MARGIN + ABOVE_CHIPS
        needed += sum(self._height_of(part) + spacing for part in parts)
        for part in parts:
            fits = needed <= self.height()
            part.setVisible(fits)
            if not fits:
                needed -= self._height_of(part) + spacing

    def _height_of(self, part: QWidget) -> int:
        return part.height() if part is self._about else part.sizeHint().height()

    def _chip(self, text: str) -> QPushButton:
        chip = QPushButton(text)
        chip.setObjectName("chip")
        chip.setAccessibleName(text)
        chip.setCursor(Qt.CursorShape.PointingHandCursor)
        chip.clicked.connect(lambda: self.suggested.emit(text))
        return chip
