"""Ordinary text that can be selected, laid out exactly as the canvas lays out its own."""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import (
    QFocusEvent,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QImage,
    QResizeEvent,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit, QWidget

from app.ui.theme import LINE_HEIGHT, reading_font


def line_height(font: QFont) -> int:
    """The distance between two lines of running text, in pixels."""
    pixels = round(QFontInfo(font).pixelSize() * LINE_HEIGHT)
    return max(pixels, math.ceil(QFontMetricsF(font).height()))


def configure(document: QTextDocument, font: QFont) -> None:
    """Sets up an empty document for running text: font, line height, no margins, no undo."""
    document.setUndoRedoEnabled(False)
    document.setDocumentMargin(0)
    document.setDefaultFont(font)
    block = QTextBlockFormat()
    block.setLineHeight(line_height(font), QTextBlockFormat.LineHeightTypes.FixedHeight.value)
    QTextCursor(document).setBlockFormat(block)


def replace_from(document: QTextDocument, position: int, text: str) -> None:
    """Puts plain `text` in place of all that follows `position` (in UTF-16 units)."""
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    cursor.setPosition(position)
    cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
    cursor.insertText(text)
    cursor.endEditBlock()


class QuietDocument(QTextDocument):
    """Loads nothing, whatever stands in it."""

    def loadResource(self, kind: int, name: QUrl | str) -> QImage:
        return QImage()  # None or empty bytes would let Qt open the file itself


class TextView(QTextEdit):
    """Read-only plain text, as high as it needs to be at its width. Loads nothing, ever."""

    def __init__(self, text: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setAcceptDrops(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # all of it is always in view: a caret line taller than its text must not scroll it
        for bar in (self.verticalScrollBar(), self.horizontalScrollBar()):
            bar.rangeChanged.connect(lambda _low, _high, bar=bar: bar.setRange(0, 0))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setTabChangesFocus(True)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(name)
        if text:
            self.show_plain(text)

    def show_plain(self, text: str) -> None:
        """Replaces everything by plain text, in the font that is chosen now."""
        document = QuietDocument()
        configure(document, reading_font())
        replace_from(document, 0, text)
        self.take(document)

    def take(self, document: QTextDocument) -> None:
        """Shows another document and owns it from now on."""
        document.setParent(self)
        self.setDocument(document)
        self._fit_height(self.width())

    def loadResource(self, kind: int, name: QUrl | str) -> QImage:
        return QImage()

    def show_fitted(self, text: str, widest: int) -> None:
        """`show_plain` and `fit` at once: a long text is laid out only once."""
        self.setFixedWidth(max(1, widest))
        self.show_plain(text)
        self.fit(widest)

    def fit(self, widest: int) -> None:
        """Makes the view as narrow as its text, and at most `widest` pixels."""
        self.setFixedWidth(max(1, widest))  # first: the text is laid out anew at the view's width
        document = self.document()
        if document.textWidth() != widest:
            document.setTextWidth(widest)
        one_each = document.blockCount() * document.firstBlock().blockFormat().lineHeight()
        is_wrapped = document.size().height() > one_each + 0.5
        natural = widest if is_wrapped else math.ceil(document.idealWidth()) + 1
        self.setFixedWidth(max(1, min(natural, widest)))
        self._fit_height(self.width())

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit_height(event.size().width())

    def focusInEvent(self, event: QFocusEvent) -> None:
        by_keyboard = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        )
        self.setCursorWidth(1 if by_keyboard else 0)  # who clicked has no use for a caret here
        super().focusInEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls, not the message

    def _fit_height(self, width: int) -> None:
        if self.document().textWidth() != width:  # setting it lays out anew in any case
            self.document().setTextWidth(width)
        self.setFixedHeight(max(1, math.ceil(self.document().size().height())))
