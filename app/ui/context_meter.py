"""How full the model's context is: a ring with a few words, and a popup that says with what."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QGridLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.state.context import ContextUse, Level
from app.ui.colors import Colors
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import number, tr

RING = 16  # pixels across
BAR_HEIGHT = 10
POPUP_WIDTH = 330


class ContextMeter(QAbstractButton):
    """Shows one `ContextUse`; a click opens the popup. Hidden until there is something to show."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._use: ContextUse | None = None
        self._popup: ContextPopup | None = None
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self.open_popup)
        theme.changed.connect(self._on_theme_changed)
        self.hide()

    def show_use(self, use: ContextUse | None) -> None:
        """None: no model is loaded, so nothing is known."""
        self._use = use
        self.setVisible(use is not None)
        if use is None:
            return
        self.setText(meter_text(use))
        self.setAccessibleName(tr("Context: {share} full", share=percent(use)))
        self.setAccessibleDescription(advice(use))
        self.setToolTip(tr("What the model has in view. Click for details"))
        if self._popup is not None:
            self._popup.show_use(use)
        self.updateGeometry()
        self.update()

    def open_popup(self) -> None:
        if self._use is None:
            return
        if self._popup is None:
            self._popup = ContextPopup(self._theme, self)
        self._popup.show_use(self._use)
        self._popup.open_above(self)

    @property
    def popup(self) -> ContextPopup | None:
        return self._popup

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        side = self._ring_size()
        return QSize(
            side + 6 + metrics.horizontalAdvance(self.text()) + 14,
            max(side, metrics.height()) + 8,
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        use, colors = self._use, self._theme.colors
        if use is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colors.accent), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        side = self._ring_size()
        ring = QRectF(6, (self.height() - side) / 2, side, side).adjusted(2, 2, -2, -2)
        painter.setPen(QPen(QColor(colors.border), 3))
        painter.drawEllipse(ring)
        is_fine = use.level is Level.FINE
        pen = QPen(QColor(colors.accent if is_fine else colors.danger), 3)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawArc(ring, 90 * 16, -round(360 * 16 * use.share))
        painter.setPen(QColor(colors.muted if is_fine else colors.danger))
        painter.drawText(
            self.rect().adjusted(side + 12, 0, -6, 0), Qt.AlignmentFlag.AlignVCenter, self.text()
        )
        painter.end()

    def _ring_size(self) -> int:
        return round(RING * self._theme.scale)

    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()


class ContextPopup(QFrame):
    """A bar of the parts, a line for each, and what to do when it is nearly full."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("popup")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)  # around round corners
        self._theme = theme
        self._bar = Bar(theme)
        self._title = plain_label(wrap=False)
        self._title.setProperty("strong", True)
        self._advice = plain_label()
        self._advice.setProperty("danger", True)
        self._cache = plain_label(muted=True)
        self._rows = QGridLayout()
        self._rows.setHorizontalSpacing(10)
        self._rows.setVerticalSpacing(6)
        self._rows.setColumnStretch(1, 1)
        self._swatches = [Swatch(theme, index) for index in range(4)]
        self._names = [plain_label(wrap=False) for _ in self._swatches]
        self._counts = [plain_label(wrap=False) for _ in self._swatches]
        for row, parts in enumerate(zip(self._swatches, self._names, self._counts, strict=True)):
            for column, part in enumerate(parts):
                self._rows.addWidget(part, row, column)
            parts[2].setAlignment(Qt.AlignmentFlag.AlignRight)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 14, 18, 14)
        layout.setSpacing(10)
        layout.addWidget(self._title)
        layout.addWidget(self._bar)
        layout.addLayout(self._rows)
        layout.addWidget(self._cache)
        layout.addWidget(self._advice)

    def show_use(self, use: ContextUse) -> None:
        self._title.setText(
            tr(
                "About {used} of {total} tokens",
                used=number(use.used),
                total=number(use.total),
            )
        )
        self._bar.show_parts(parts(use), use.total)
        for (name, count), label, shown in zip(
            named_parts(use), self._names, self._counts, strict=True
        ):
            label.setText(name)
            shown.setText(number(count))
        self._cache.setVisible(use.reused > 0)
        self._cache.setText(
            tr(
                "{count} tokens of the last question were still in memory and were not read again.",
                count=number(use.reused),
            )
        )
        self._advice.setText(advice(use))
        self._advice.setVisible(use.level is not Level.FINE)
        self.setFixedWidth(round(POPUP_WIDTH * self._theme.scale))
        layout = self.layout()
        assert layout is not None
        self.setFixedHeight(layout.totalHeightForWidth(self.width()))

    def open_above(self, widget: QWidget) -> None:
        """Above the widget where there is room, and always on its screen."""
        place = widget.mapToGlobal(QPoint(widget.width() - self.width(), -self.height() - 6))
        screen = widget.screen().availableGeometry()
        x = min(max(place.x(), screen.left()), screen.right() - self.width())
        y = place.y()
        if y < screen.top():
            y = widget.mapToGlobal(QPoint(0, widget.height() + 6)).y()
        self.move(x, y)
        self.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.close()
        else:
            super().keyPressEvent(event)  # closes with Escape, as every popup

    @property
    def text(self) -> str:
        labels = [self._title, *self._names, *self._counts, self._cache, self._advice]
        return "\n".join(label.text() for label in labels if not label.isHidden())


class Bar(QWidget):
    """The parts side by side; what is left is the ground."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._parts: tuple[int, ...] = ()
        self._total = 1
        self.setFixedHeight(BAR_HEIGHT)

    def show_parts(self, parts: tuple[int, ...], total: int) -> None:
        self._parts, self._total = parts, max(1, total, sum(parts))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        colors = part_colors(self._theme.colors)
        left = 0.0
        for count, color in zip(self._parts, colors, strict=False):
            width = self.width() * count / self._total
            if count:
                painter.setBrush(QColor(color))
                shown = QRectF(left, 0, max(2.0, width - 1.5), self.height())
                painter.drawRoundedRect(shown, 2, 2)
            left += width
        painter.end()


class Swatch(QWidget):
    """The colour that a part has in the bar."""

    def __init__(self, theme: Theme, part: int) -> None:
        super().__init__()
        self._theme = theme
        self._part = part
        self.setFixedSize(12, 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colors = self._theme.colors
        painter.setPen(QColor(colors.outline))
        painter.setBrush(QColor(part_colors(colors)[self._part]))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.end()


def part_colors(colors: Colors) -> tuple[str, str, str, str]:
    return colors.muted, colors.accent, colors.text, colors.raised


def parts(use: ContextUse) -> tuple[int, int, int, int]:
    return use.system, use.earlier, use.question, use.room


def named_parts(use: ContextUse) -> tuple[tuple[str, int], ...]:
    names = (tr("System prompt"), tr("Earlier turns"), tr("This question"), tr("Room for answers"))
    return tuple(zip(names, parts(use), strict=True))


def percent(use: ContextUse) -> str:
    return tr("{number} %", number=round(100 * use.share))


def meter_text(use: ContextUse) -> str:
    match use.level:
        case Level.FINE:
            return percent(use)
        case Level.NEARLY_FULL:
            return tr("Nearly full")
        case Level.FULL:
            return tr("Full")


def advice(use: ContextUse) -> str:
    """What to do; empty while there is nothing to do."""
    match use.level:
        case Level.FINE:
            return ""
        case Level.NEARLY_FULL:
            return tr("Start a new chat soon, or ask shorter questions.")
        case Level.FULL:
            return tr("Shorten the question, or start a new chat. Nothing is lost.")
