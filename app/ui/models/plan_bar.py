"""The memory plan as a bar: what a model takes, part by part, against what is free."""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.state.models.amounts import memory_text
from app.state.models.plan import PlanShown
from app.ui.colors import Colors
from app.ui.flow import Flow
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr

BAR = 22  # pixels high
SWATCH = 12
HEADROOM = 1.06  # of the larger of plan and memory: the line of what is free never at the edge
LEGEND = 20  # pixels between its parts


class PlanBar(QWidget):
    """Shows one `PlanShown`; what goes beyond the free memory is hatched."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = _Bar(theme)
        self._legend = Flow(spacing=LEGEND)
        self._theme = theme
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self._bar)
        layout.addLayout(self._legend)

    def show_plan(self, plan: PlanShown) -> None:
        self._bar.show_plan(plan)
        self.setAccessibleName(tr("Memory plan"))
        self.setAccessibleDescription(description(plan))
        while (item := self._legend.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for place, part in enumerate(plan.parts):
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.setSpacing(8)
            line.addWidget(_Swatch(self._theme, place))
            line.addWidget(plain_label(part.name, wrap=False))
            line.addWidget(plain_label(memory_text(part.size), muted=True, wrap=False))
            self._legend.addWidget(row)


class _Bar(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._plan: PlanShown | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def show_plan(self, plan: PlanShown) -> None:
        self._plan = plan
        self.setToolTip(description(plan))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, round(BAR * self._theme.scale) + self.fontMetrics().height() + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        plan = self._plan
        if plan is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = self.fontMetrics().height() + 6.0
        room = QRectF(0, top, self.width(), self.height() - top)
        scale = room.width() / (HEADROOM * max(plan.total, plan.free or 0, 1))
        self._paint_ground(painter, room)
        self._paint_parts(painter, plan, room, scale)
        if plan.free is not None:
            self._paint_free(painter, plan.free, room, scale)
        painter.end()

    def _paint_ground(self, painter: QPainter, room: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.colors.raised))
        painter.drawRoundedRect(room, 5, 5)

    def _paint_parts(self, painter: QPainter, plan: PlanShown, room: QRectF, scale: float) -> None:
        colors, left = self._theme.colors, 0.0
        painter.setPen(Qt.PenStyle.NoPen)
        for place, part in enumerate(plan.parts):
            width = part.size * scale
            painter.setBrush(part_color(colors, place))
            shown = QRectF(left, room.top(), max(1.0, width - 1.5), room.height())
            painter.drawRoundedRect(shown, 2, 2)
            left += width
        if plan.free is not None and plan.total > plan.free:
            beyond = QRectF(
                plan.free * scale, room.top(), (plan.total - plan.free) * scale, room.height()
            )
            painter.fillRect(beyond, QColor(colors.danger_surface))
            painter.fillRect(beyond, QBrush(QColor(colors.danger), Qt.BrushStyle.BDiagPattern))

    def _paint_free(self, painter: QPainter, free: int, room: QRectF, scale: float) -> None:
        """A line where the free memory ends, and how much that is, kept inside of the bar."""
        x, colors = free * scale, self._theme.colors
        painter.setPen(QPen(QColor(colors.text), 2))
        painter.drawLine(QLineF(QPointF(x, room.top() - 4), QPointF(x, room.bottom())))
        words = tr("{size} free", size=memory_text(free))
        width = self.fontMetrics().horizontalAdvance(words)
        place = min(max(x - width / 2, 0.0), room.width() - width)
        painter.drawText(QPointF(place, self.fontMetrics().ascent()), words)


class _Swatch(QWidget):
    """The colour that a part has in the bar."""

    def __init__(self, theme: Theme, place: int) -> None:
        super().__init__()
        self._theme = theme
        self._place = place
        side = round(SWATCH * theme.scale)
        self.setFixedSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(self._theme.colors.outline))
        painter.setBrush(part_color(self._theme.colors, self._place))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.end()


def part_color(colors: Colors, place: int) -> QColor:
    """Told apart by lightness as well as by hue."""
    return QColor((colors.accent, colors.text, colors.outline, colors.border)[place])


def description(plan: PlanShown) -> str:
    """The plan in words, for a tool tip and for who cannot see the bar."""
    parts = ", ".join(f"{part.name} {memory_text(part.size)}" for part in plan.parts)
    if plan.free is None:
        return tr("{parts}; together {total}.", parts=parts, total=memory_text(plan.total))
    return tr(
        "{parts}; together {total} of {free} that are free.",
        parts=parts,
        total=memory_text(plan.total),
        free=memory_text(plan.free),
    )
