"""Controls of the panels and dialogs: a label, what it does in a quiet line, and the control."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QShowEvent, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.ui.widgets import plain_label


class _QuietWheel(QObject):
    """Passes the wheel on to what scrolls around a control that nobody has chosen."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        is_wheel = isinstance(event, QWheelEvent)
        if is_wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


def quiet_wheel(control: QWidget) -> None:
    """Scrolling past a control does not change it."""
    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    control.installEventFilter(_QuietWheel(control))


def tidy_spin(spin: QAbstractSpinBox) -> QAbstractSpinBox:
    """Takes numbers when they are finished, leaves the wheel alone, and has room on the left,
    which a stylesheet cannot give to a spin box.
    """
    spin.setKeyboardTracking(False)
    spin.lineEdit().setTextMargins(8, 0, 0, 0)
    quiet_wheel(spin)
    return spin


class PageNames(QListWidget):
    """The pages of a dialog. Lays its rows out again when their look arrives: Qt measures them
    before."""

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.doItemsLayout()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.doItemsLayout()


def choice(options: Sequence[tuple[object, str]]) -> QComboBox:
    """A combo box of values with their names."""
    box = QComboBox()
    for value, name in options:
        box.addItem(name, value)
    quiet_wheel(box)
    return box


def setting_row(label: str, why: str, control: QWidget) -> QWidget:
    """The words on the left, the control on the right."""
    row = QWidget()
    name = plain_label(label)
    name.setBuddy(control)
    control.setAccessibleName(label)
    control.setAccessibleDescription(why)
    words = QVBoxLayout()
    words.setSpacing(2)
    words.addWidget(name)
    if why:
        words.addWidget(plain_label(why, muted=True))
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(24)
    layout.addLayout(words, 1)
    layout.addWidget(control, 0, Qt.AlignmentFlag.AlignTop)
    return row


def heading(text: str) -> QLabel:
    label = plain_label(text, wrap=False)
    label.setProperty("strong", True)
    return label


def rule() -> QFrame:
    """A thin line between groups."""
    line = QFrame()
    line.setObjectName("rule")
    line.setFixedHeight(1)
    return line


def scrolled(content: QWidget) -> QScrollArea:
    """`content` at the area's width, in view wherever the focus goes."""
    area = QScrollArea()
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area
