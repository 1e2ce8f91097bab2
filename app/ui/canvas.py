"""The live canvas: one widget that paints an answer while it comes into focus.

Each token is shown as the last denoising step left it, and told apart by more than colour: noise is
faint, a provisional word is dotted, an accepted one has a line below it, settled text is plain.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable

from PySide6.QtCore import QLineF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.canvas_layout import LEVELS, CanvasLayout, Line, Look
from app.ui.theme import Colors, Theme, reading_font
from engine.messages import Draft, TokenState

FRAME_SECONDS = 0.016  # no screen shows more

# opacity of the least and of the most confident token
OPACITY = {
    TokenState.NOISE: (0.20, 0.42),
    TokenState.PROVISIONAL: (0.45, 0.78),
    TokenState.ACCEPTED: (0.85, 1.0),
    TokenState.SETTLED: (1.0, 1.0),
    TokenState.PINNED: (1.0, 1.0),
    TokenState.BEYOND_END: (0.0, 0.0),
}


class Canvas(QWidget):
    """Shows committed text and the draft behind it. Its height only grows, so no page jumps."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._layout = CanvasLayout(reading_font())
        self._committed = ""
        self._draft: Draft | None = None
        self._hint = ""
        self._is_stale = False
        self._last_frame = 0.0
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._show_frame)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("The answer is being written")
        theme.changed.connect(self.update)

    @property
    def shown_text(self) -> str:
        """What the widget shows now, draft included."""
        return self._layout.text

    def show_hint(self, text: str) -> None:
        """Shown as long as there is nothing else to show."""
        self._hint = text
        self.update()

    def show_committed(self, text: str) -> None:
        """All finished text so far. It takes the place of the draft it came from."""
        if text != self._committed:
            self._committed = text
            self._draft = None
            self.setAccessibleName(text)
            self._ask_for_frame()

    def show_draft(self, draft: Draft) -> None:
        """The newest step. Drafts that come faster than the screen are never laid out."""
        self._draft = draft
        self._ask_for_frame()

    def show_now(self) -> None:
        """Lays out the newest draft without waiting for the screen."""
        self._timer.stop()
        self._show_frame()

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self.minimumHeight())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._layout.set_width(event.size().width())
            self._layout.show(self._committed, self._draft)
            self.setFixedHeight(max(1, self._layout.height))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._draft is None and not self._committed:
            painter.setFont(reading_font())
            painter.setPen(QColor(self._theme.colors.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignTop, self._hint)
        paint_lines(painter, self._layout.lines(QRectF(event.rect())), self._theme.colors)
        painter.end()

    def _ask_for_frame(self) -> None:
        self._is_stale = True
        if self._timer.isActive():
            return
        wait = self._last_frame + FRAME_SECONDS - time.monotonic()
        if wait <= 0:
            self._show_frame()
        else:
            self._timer.start(max(1, round(wait * 1000)))

    def _show_frame(self) -> None:
        if not self._is_stale:
            return
        self._hint = ""
        self._is_stale = False
        self._last_frame = time.monotonic()
        self._layout.show(self._committed, self._draft)
        if self._layout.height > self.height():
            self.setFixedHeight(self._layout.height)
        self.update()


def opacity(look: Look) -> float:
    least, most = OPACITY[look.state]
    return least + (most - least) * look.level / (LEVELS - 1)


def paint_lines(painter: QPainter, lines: Iterable[Line], colors: Colors) -> None:
    """Paints each line once, at full strength, then veils what is not sure with the background.

    On a plain background a veil of it looks the same as painting the text less opaque, for emoji
    too, and it takes a rectangle where that takes a text run of its own.
    """
    veils: dict[Look, list[QRectF]] = defaultdict(list)
    underlines: dict[TokenState, list[QLineF]] = defaultdict(list)
    painter.setPen(QColor(colors.text))
    for line in lines:
        for glyphs in line.glyphs:
            painter.drawGlyphRun(line.origin, glyphs)
        for look, boxes in line.patches.items():
            veils[look] += boxes
        for state, places in line.underlined.items():
            underlines[state] += places
    painter.setPen(Qt.PenStyle.NoPen)
    for look, boxes in veils.items():
        painter.setBrush(veil(look, colors))
        painter.drawRects(boxes)
    painter.setPen(QPen(_with_alpha(colors.accent, 0.55), 1.0))
    painter.drawLines(underlines[TokenState.ACCEPTED])
    painter.setPen(QPen(_with_alpha(colors.text, 0.45), 1.0, Qt.PenStyle.DotLine))
    painter.drawLines(underlines[TokenState.PROVISIONAL])


def veil(look: Look, colors: Colors) -> QColor:
    """What is laid over a piece: the background, or for pinned text a tint."""
    if look.state is TokenState.PINNED:
        return _with_alpha(colors.accent, 0.16)
    return _with_alpha(colors.window, 1 - opacity(look))


def _with_alpha(color: str, alpha: float) -> QColor:
    made = QColor(color)
    made.setAlphaF(alpha)
    return made
