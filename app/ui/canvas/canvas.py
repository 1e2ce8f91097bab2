"""The live canvas: one widget that paints an answer while it comes into focus.

Each token is shown as the last denoising step left it; `canvas_paint` says how sure it looks. In
still mode, for people who want no motion, only what is sure appears, and no oftener than it can be
read.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.canvas.layout import CanvasLayout
from app.ui.canvas.paint import paint_lines
from app.ui.canvas.still import Stillness
from app.ui.theme import Theme, reading_font
from app.words import tr
from engine.messages import Channel, Draft

FRAME_SECONDS = 0.016  # no screen shows more
STILL_SECONDS = 0.5  # between two changes in still mode


class Canvas(QWidget):
    """Shows committed text and the draft behind it. Its height only grows, so no page jumps.

    A screen reader is told the committed text, when it changes; of drafts it hears nothing.

    Signals:
        laid_out(): the text is another one now.
    """

    laid_out = Signal()

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        channel: Channel = Channel.ANSWER,
        font: Callable[[], QFont] = reading_font,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._channel = channel
        self._choose_font = font
        self._font = font()
        self._layout = CanvasLayout(self._font, channel)
        self._committed = ""
        self._draft: Draft | None = None
        self._stillness: Stillness | None = None
        self._hint = ""
        self._is_stale = False
        self._last_frame = 0.0
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._show_frame)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("The answer is being written"))
        theme.changed.connect(self._on_theme_changed)

    @property
    def shown_text(self) -> str:
        """What the widget shows now, draft included."""
        return self._layout.text

    @property
    def text_height(self) -> int:
        """How far the text reaches now, in pixels. The widget may have been higher before."""
        return self._layout.height

    @property
    def is_still(self) -> bool:
        return self._stillness is not None

    def set_still(self, is_still: bool) -> None:
        """Whether nothing may flicker: then only words that are accepted or settled appear."""
        if is_still != self.is_still:
            self._stillness = Stillness() if is_still else None
            self._is_stale = True
            self.show_now()

    def show_hint(self, text: str) -> None:
        """Shown as long as there is nothing else to show."""
        self._hint = text
        self.update()

    def show_committed(self, text: str) -> None:
        """All finished text so far. It takes the place of the draft it came from."""
        if text != self._committed:
            self._set_committed(text)
            self._draft = None
            self._ask_for_frame()

    def show_draft(self, draft: Draft) -> None:
        """The newest step. Drafts that come faster than the screen are never laid out."""
        self._draft = draft
        self._ask_for_frame()

    def show_step(self, committed: str, draft: Draft) -> None:
        """Both at once, as a replay needs it: in any order, forwards and backwards."""
        self._set_committed(committed)
        self.show_draft(draft)

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
            self._lay_out()
            self.setFixedHeight(max(1, self._layout.height))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._draft is None and not self._committed:
            painter.setFont(self._font)
            painter.setPen(QColor(self._theme.colors.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignTop, self._hint)
        paint_lines(painter, self._layout.lines(QRectF(event.rect())), self._theme.colors)
        painter.end()

    def _set_committed(self, text: str) -> None:
        if text != self._committed:
            self._committed = text
            self.setAccessibleName(text or tr("The answer is being written"))

    def _ask_for_frame(self) -> None:
        self._is_stale = True
        if self._timer.isActive():
            return
        pause = STILL_SECONDS if self.is_still else FRAME_SECONDS
        wait = self._last_frame + pause - time.monotonic()
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
        self._lay_out()
        if self._layout.height > self.height():
            self.setFixedHeight(self._layout.height)
        self.update()
        self.laid_out.emit()

    def _lay_out(self) -> None:
        draft = self._draft
        if draft is not None and self._stillness is not None:
            draft = self._stillness.calm(draft, self._channel)
        self._layout.show(self._committed, draft)

    def _on_theme_changed(self) -> None:
        font = self._choose_font()
        if font != self._font:
            self._font = font
            self._layout = CanvasLayout(font, self._channel)
            self._layout.set_width(self.width())
            self._is_stale = True
            self.show_now()
        self.update()
