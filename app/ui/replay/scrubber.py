"""A slider over all steps of a run, with a mark where each canvas begins."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSlider, QWidget

from app.ui.theme import Theme
from app.words import tr

HEIGHT = 28  # pixels
GROOVE = 4.0
HANDLE = 8.0  # radius
MARK = 14.0  # the height of a canvas's mark


class Scrubber(QSlider):
    """A slider that goes to where it is clicked; the arrow keys move it by one step.

    `starts` are the first steps of the canvases; the first of them needs no mark.
    """

    def __init__(
        self, theme: Theme, steps: int, starts: Sequence[int], parent: QWidget | None = None
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self._starts = tuple(starts[1:])
        self.setRange(0, max(0, steps - 1))
        self.setPageStep(max(1, steps // 10))
        self.setAccessibleName(tr("Step of the replay"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, HEIGHT)

    def step_at(self, x: float) -> int:
        """The step whose place is nearest to `x`, in pixels of this widget."""
        along = (x - HANDLE - 2) / max(1.0, self._room)
        return round(max(0.0, min(1.0, along)) * self.maximum())

    def place_of(self, step: float) -> float:
        """Where a step is, in pixels of this widget."""
        return HANDLE + 2 + self._room * step / max(1, self.maximum())

    @property
    def _room(self) -> float:
        return self.width() - 2 * (HANDLE + 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.setValue(self.step_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setValue(self.step_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = self._theme.colors
        middle = self.height() / 2
        here = self.place_of(self.value())
        left, right = self.place_of(0), self.place_of(self.maximum())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for color, end in ((colors.outline, right), (colors.accent, here)):
            painter.setBrush(QColor(color))
            groove = QRectF(left, middle - GROOVE / 2, end - left, GROOVE)
            painter.drawRoundedRect(groove, GROOVE / 2, GROOVE / 2)
        for start in self._starts:
            x = self.place_of(start - 0.5)  # between the two canvases
            painter.setBrush(QColor(colors.window))
            painter.drawRect(QRectF(x - 3, middle - MARK / 2, 6, MARK))
            painter.setBrush(QColor(colors.accent if x < here else colors.outline))
            painter.drawRoundedRect(QRectF(x - 1, middle - MARK / 2, 2, MARK), 1, 1)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colors.text), 2))
            painter.drawEllipse(QPointF(here, middle), HANDLE + 1, HANDLE + 1)
        painter.setPen(QPen(QColor(colors.window), 2))
        painter.setBrush(QColor(colors.accent))
        painter.drawEllipse(QPointF(here, middle), HANDLE - 1, HANDLE - 1)
        painter.end()
