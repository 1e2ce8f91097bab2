"""The canvas in the middle of a document: drawn over the text that is being edited.

It stands exactly where the text stands, and nothing around it moves. When the canvas has settled it
shows what would change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextOption,
)
from PySide6.QtWidgets import QWidget

from app.state.editor.changes import units
from app.state.text import clean, visible
from app.ui.canvas.layout import CanvasLayout, set_line_height
from app.ui.canvas.paint import paint_lines
from app.ui.canvas.still import Stillness
from app.ui.editor.pieces import Mark, Part
from app.ui.text_view import configure
from app.ui.theme import Theme
from engine.messages import Draft

BAR = 3  # pixels: the line at the left that says where the edit is
TINT = 0.14  # of what is added or removed


class InPlace(QWidget):
    """A child of the editor's viewport, as wide as it. Give it a width before a text.

    Signals:
        hunk_clicked(int)
    """

    hunk_clicked = Signal(int)

    def __init__(self, viewport: QWidget, theme: Theme, font: QFont, *, is_still: bool) -> None:
        super().__init__(viewport)
        self._theme = theme
        self._line = line_pixels(font)
        self._font = font
        self._margin = 0.0
        self._canvas = CanvasLayout(font, height=self._line)
        self._stillness = Stillness() if is_still else None
        self._compared: QTextDocument | None = None
        self._parts: Sequence[Part] = ()
        self._current = -1
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # the text below is not seen
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)

    @property
    def text(self) -> str:
        """What it shows, for tests and screen readers."""
        shown = self._compared
        return self._canvas.text if shown is None else shown.toPlainText()

    @property
    def text_height(self) -> int:
        shown = self._compared
        return self._canvas.height if shown is None else math.ceil(shown.size().height())

    def set_room(self, width: int, margin: float) -> None:
        """How wide the text of the document may be, and where it begins, in pixels."""
        self._margin = margin
        wide = max(1, round(width - 2 * margin))
        self._canvas.set_width(wide)
        if self._compared is not None:
            self._compared.setTextWidth(wide)

    def show_draft(self, draft: Draft) -> None:
        if self._stillness is not None:
            draft = self._stillness.calm(draft)
        self._compared = None
        self._canvas.show("", draft)
        self.setAccessibleName("")  # half-finished words are not read out
        self.update()

    def show_parts(self, parts: Sequence[Part], current: int, width: int) -> None:
        """What would change. `current` is the hunk that keys decide about."""
        self._parts, self._current = parts, current
        document = QTextDocument(self)
        configure(document, self._font)
        set_line_height(document, self._line)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        document.setDefaultTextOption(option)
        cursor = QTextCursor(document)
        for part in parts:
            cursor.insertText(visible(clean(part.text)), self._format(part))
        if self._compared is not None:
            self._compared.deleteLater()
        self._compared = document
        self.set_room(width, self._margin)
        self.setAccessibleName(spoken(parts, current))
        self.update()

    def hunk_at(self, point: QPointF) -> int | None:
        """The hunk at a place of this widget."""
        if self._compared is None:
            return None
        layout = self._compared.documentLayout()
        at = layout.hitTest(point - QPointF(self._margin, 0), Qt.HitTestAccuracy.ExactHit)
        for part in self._parts:
            size = units(visible(clean(part.text)))
            if 0 <= at < size:
                return part.hunk
            at -= size
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        hunk = self.hunk_at(event.position())
        if hunk is not None:
            self.hunk_clicked.emit(hunk)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = self._theme.colors
        painter = QPainter(self)
        painter.fillRect(event.rect(), QColor(colors.window))
        painter.translate(self._margin, 0)
        clip = QRectF(event.rect()).translated(-self._margin, 0)
        if self._compared is None:
            paint_lines(painter, self._canvas.lines(clip), colors)
        else:
            self._compared.drawContents(painter, clip)
        painter.resetTransform()
        painter.fillRect(0, 0, BAR, self.height(), QColor(colors.accent))
        below = self.height() - 1
        if below >= self.text_height:  # not through the feet of its last line
            painter.setPen(QPen(QColor(colors.border), 1))
            painter.drawLine(0, below, self.width(), below)
        painter.end()

    def _format(self, part: Part) -> QTextCharFormat:
        colors = self._theme.colors
        made = QTextCharFormat()
        made.setForeground(QColor(colors.text))
        if part.mark is Mark.PINNED:
            made.setForeground(QColor(colors.muted))
        elif part.mark is Mark.REMOVED:
            made.setForeground(QColor(colors.danger))
            made.setFontStrikeOut(True)
            made.setBackground(_tint(colors.danger))
        elif part.mark is Mark.ADDED:
            made.setForeground(QColor(colors.accent))
            made.setBackground(_tint(colors.accent))
        elif part.mark is Mark.TAKEN:
            made.setForeground(QColor(colors.accent))
        if part.hunk is not None and part.hunk == self._current and part.mark is not Mark.PLAIN:
            made.setFontUnderline(part.mark is not Mark.REMOVED)
            made.setBackground(
                _tint(colors.danger if part.mark is Mark.REMOVED else colors.accent, 2)
            )
        return made


def spoken(parts: Sequence[Part], current: int) -> str:
    """The hunk that keys decide about, for a screen reader."""
    old = "".join(p.text for p in parts if p.hunk == current and p.mark is Mark.REMOVED)
    new = "".join(p.text for p in parts if p.hunk == current and p.mark is Mark.ADDED)
    return f"{old} → {new}" if old or new else ""


def line_pixels(font: QFont) -> int:
    """How high a line of plain text is in the editor."""
    return math.ceil(QFontMetricsF(font).height())


def _tint(color: str, times: int = 1) -> QBrush:
    made = QColor(color)
    made.setAlphaF(TINT * times)
    return QBrush(made)
