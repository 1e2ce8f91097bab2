"""A plain text field that grows with its text and takes no more than it can lay out."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QMimeData, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QWidget

from app.settings import SendKey
from app.state.text import clean
from app.ui.theme import reading_font
from app.words import tr

TYPED_CHARACTERS = 10_000  # in the field at most; word wrap of far more would freeze the window
# A paste of more is no question: the largest context, 262,144 tokens of 15 bytes each, holds less.
PASTED_BYTES = 4_000_000
ENTER_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
ROWS = 8  # the field grows up to this, then scrolls


class Input(QPlainTextEdit):
    """A plain text field as high as its text.

    Signals:
        sent(): Enter was pressed (or Ctrl+Enter, where that is the key).
        recalled(int): 1 for the question before, -1 for the one after.
        paged(int): 1 for a page down, -1 for a page up, where the field itself has no pages.
        pasted(str): a paste too large for the field.
        refused(int): a paste of so many bytes, too large for any model. It was not read.
        focus_changed(bool)
    """

    sent = Signal()
    recalled = Signal(int)
    paged = Signal(int)
    pasted = Signal(str)
    refused = Signal(object)  # an int of Qt's ends at two billion
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.send_key = SendKey.ENTER
        self.is_recalling = False
        self.setFont(reading_font())
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabChangesFocus(True)
        self.setAccessibleName(tr("Message"))
        self.document().setDocumentMargin(4)
        option = self.document().defaultTextOption()
        option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)  # as each line is written
        self.document().setDefaultTextOption(option)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self.textChanged.connect(self._fit)
        self._fit()

    def insertFromMimeData(self, source: QMimeData) -> None:
        size = source.data("text/plain").size()  # to make a str of it takes ten times as long
        if size > PASTED_BYTES:
            self.refused.emit(size)
            return
        text = clean(source.text())
        if len(text) + self.document().characterCount() > TYPED_CHARACTERS:
            self.pasted.emit(text)
        else:
            self.insertPlainText(text)
            self.ensureCursorVisible()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._sends(event):
            self.sent.emit()
            return
        if event.key() in ENTER_KEYS:
            self.textCursor().insertBlock()  # Qt's own Shift+Enter makes no line of its own
            self.ensureCursorVisible()
            return
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
        if steps and not event.modifiers() and (self.is_recalling or not self.toPlainText()):
            self.recalled.emit(steps)
            return
        pages = {Qt.Key.Key_PageUp: -1, Qt.Key.Key_PageDown: 1}.get(Qt.Key(event.key()), 0)
        if pages and not event.modifiers() and not self._is_full():
            self.paged.emit(pages)
            return
        super().keyPressEvent(event)

    def _sends(self, event: QKeyEvent) -> bool:
        if event.key() not in ENTER_KEYS:
            return False
        held = event.modifiers()
        if self.send_key is SendKey.CTRL_ENTER:
            return bool(held & Qt.KeyboardModifier.ControlModifier)
        return not held & Qt.KeyboardModifier.ShiftModifier

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _is_full(self) -> bool:
        return self.document().size().height() > ROWS  # a plain document counts lines

    def _fit(self, *_: object) -> None:
        line = QFontMetricsF(self.font()).lineSpacing()
        rows = min(max(1.0, self.document().size().height()), ROWS)
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if self._is_full() else policy.ScrollBarAlwaysOff
        )
        self.setFixedHeight(math.ceil(rows * line + 2 * self.document().documentMargin() + 2))
