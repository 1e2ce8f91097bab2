"""The numbers of the lines, beside a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.theme import Theme

if TYPE_CHECKING:
    from app.ui.editor.text_editor import TextEditor

LEFT, RIGHT = 12, 10  # pixels beside the numbers


class Gutter(QWidget):
    """Painted with the text, at the same heights. A screen reader hears the line elsewhere."""

    def __init__(self, editor: TextEditor, theme: Theme) -> None:
        super().__init__(editor)
        self._editor = editor
        self._theme = theme
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme.changed.connect(self.update)

    @property
    def needed_width(self) -> int:
        digits = max(2, len(str(self._editor.blockCount())))
        return LEFT + RIGHT + digits * self._editor.fontMetrics().horizontalAdvance("9")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(self._theme.colors.window))
        painter.setFont(self._editor.font())
        self._editor.paint_gutter(painter, event)
        painter.end()

    def paint_number(self, painter: QPainter, number: int, top: int) -> None:
        colors = self._theme.colors
        is_here = number == self._editor.textCursor().blockNumber()
        painter.setPen(QColor(colors.text if is_here else colors.muted))
        height = self._editor.fontMetrics().height()
        room = QRect(0, top, self.width() - RIGHT, height)
        painter.drawText(room, Qt.AlignmentFlag.AlignRight, str(number + 1))
