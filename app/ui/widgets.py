"""Small parts that several views use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.ui.theme import TEXT_WIDTH, Theme


def plain_label(text: str = "", *, muted: bool = False, wrap: bool = True) -> QLabel:
    """A label that shows its text as it is, whatever it looks like."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    label.setProperty("muted", muted)
    label.setText(text)
    return label


class OneLine(QLabel):
    """A label that shortens its text to the room it has, so that it never moves what is around."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        short = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, self.width()
        )
        painter.setPen(self.palette().windowText().color())
        painter.drawText(self.rect(), self.alignment(), short)
        painter.end()


def flat_button(text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName("flat")
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    return button


class IconButton(QToolButton):
    """A quiet button with only an icon; `name` is its tool tip and what a screen reader says."""

    def __init__(self, theme: Theme, icon: str, name: str, *, size: int = 18) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self._size = size
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.set_name(name)
        theme.changed.connect(self._dress)
        self._dress()

    def set_icon(self, icon: str) -> None:
        self._icon = icon
        self._dress()

    def set_name(self, name: str) -> None:
        self.setToolTip(name)
        self.setAccessibleName(name.split(" (")[0])

    def _dress(self) -> None:
        size = round(self._size * self._theme.scale)
        self.setIconSize(QSize(size, size))
        self.setIcon(self._theme.icon(self._icon, self._theme.colors.muted, size))


def restyle(widget: QWidget) -> None:
    """Applies the stylesheet again after a property it looks at has changed."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def in_column(widget: QWidget, margin: int = 24) -> QWidget:
    """A row that keeps `widget` in the middle and at most as wide as text should be."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(margin, 0, margin, 0)
    layout.setSpacing(0)
    widget.setMaximumWidth(TEXT_WIDTH)
    widget.setSizePolicy(QSizePolicy.Policy.Expanding, widget.sizePolicy().verticalPolicy())
    layout.addStretch(1)
    layout.addWidget(widget, 1000)
    layout.addStretch(1)
    return row


def tab_stops(part: QWidget) -> list[QWidget]:
    """All on `part` that Tab should stop at, in the order in which one reads."""
    policy, window = Qt.FocusPolicy, part.window()
    tabbed = (policy.TabFocus, policy.StrongFocus, policy.WheelFocus)
    stops = [
        each
        for each in part.findChildren(QWidget)
        if each.focusPolicy() in tabbed and each.window() is window
    ]
    places = {each: each.mapTo(part, QPoint(0, 0)) for each in stops}
    return sorted(stops, key=lambda each: (places[each].y(), places[each].x()))


def order_tabs(parts: Sequence[QWidget]) -> None:
    """Lets Tab go through one part after the other, whatever was built first."""
    for one, other in pairwise(stop for part in parts for stop in tab_stops(part)):
        QWidget.setTabOrder(one, other)


def focused_name(part: QWidget | None) -> str:
    """The name of the control on `part` that has the focus; empty if none has."""
    focus = QApplication.focusWidget()
    is_here = part is not None and focus is not None and part.isAncestorOf(focus)
    return focus.accessibleName() if is_here and focus is not None else ""


def drop(part: QWidget) -> None:
    """Hides a part and deletes it. Nobody has the focus then if it was in there.

    Qt would hand the focus on to whatever comes next, and scroll there.
    """
    focus = QApplication.focusWidget()
    if focus is not None and (focus is part or part.isAncestorOf(focus)):
        focus.clearFocus()
    part.hide()
    part.deleteLater()


def focus_named(part: QWidget, name: str) -> None:
    """Gives the focus to the control of this name, so that one can go on with the keyboard."""
    for each in part.findChildren(QWidget):
        if name and each.accessibleName() == name and each.isEnabled() and each.isVisible():
            each.setFocus(Qt.FocusReason.OtherFocusReason)
            return
