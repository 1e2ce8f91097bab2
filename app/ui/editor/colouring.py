"""Colours the words of a document that are in view; which ones is found out on another thread."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QTextCharFormat, QTextLayout

from app.state.editor.background import Background
from app.state.editor.changes import Range
from app.state.editor.document import Document
from app.state.editor.language import coloured
from app.state.markdown.code import Kind, Span
from app.ui.editor.text_editor import TextEditor
from app.ui.rich.look import look_of
from app.ui.theme import Theme

DELAY_MS = 60
BEFORE = 20_000  # units above the view that are read with it: what begins there may end in it
AFTER = 4_000


class Colouring(QObject):
    """Of one document. The grammar reads from some way above the view, never all of a long text."""

    def __init__(
        self,
        document: Document,
        editor: TextEditor,
        theme: Theme,
        background: Background,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._editor = editor
        self._theme = theme
        self._background = background
        self._asked: tuple[int, int, str] | None = None  # revision, first line, language
        self._is_busy = False
        self._is_over = False
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self._ask)
        editor.moved.connect(self._wait)
        document.edited.connect(lambda _change: self._wait())
        document.filled.connect(self._wait)
        theme.changed.connect(self.refresh)

    def stop(self) -> None:
        """The document is about to be deleted."""
        self._is_over = True
        self._timer.stop()

    def refresh(self) -> None:
        """Another look, or another language."""
        self._asked = None
        self._wait()

    def _wait(self) -> None:
        if not self._timer.isActive() and not self._is_over:
            self._timer.start()

    def _ask(self) -> None:
        document, language = self._document, self._document.language
        first = self._editor.firstVisibleBlock()
        now = (document.text_document.revision(), first.blockNumber(), language)
        is_plain = not language and (self._asked is None or not self._asked[2])
        if self._is_busy or now == self._asked or is_plain or not document.is_filled:
            return
        self._asked = now
        start = document.text_document.findBlock(max(0, first.position() - BEFORE)).position()
        end = min(document.units, first.position() + AFTER + self._in_view())
        text = document.part(Range(start=start, end=end))
        self._is_busy = True
        self._background.run(
            lambda: coloured(text, language),
            partial(self._show, now, start, first.position(), end),
            lambda _error: self._rest(),
        )

    def _in_view(self) -> int:
        """About how many units the view can hold."""
        metrics = self._editor.fontMetrics()
        size = self._editor.viewport().size()
        letters = size.width() // max(1, metrics.averageCharWidth())
        return letters * (size.height() // max(1, metrics.height()))

    def _rest(self) -> None:
        self._is_busy = False

    def _show(
        self, asked: tuple[int, int, str], offset: int, top: int, end: int, spans: tuple[Span, ...]
    ) -> None:
        self._is_busy = False
        if self._is_over:
            return
        document = self._document.text_document
        if asked[0] != document.revision():
            self._wait()
            return
        look = look_of(self._theme.colors)
        formats = {kind: look.code_format(kind) for kind in Kind}
        found = [(offset + start, offset + start + length, kind) for start, length, kind in spans]
        block = document.findBlock(top)
        first, at = block.position(), 0
        while block.isValid() and block.position() < end:
            begin, stop = block.position(), block.position() + block.length()
            while at < len(found) and found[at][1] <= begin:
                at += 1
            ranges, here = [], at
            while here < len(found) and found[here][0] < stop:
                start, finish, kind = found[here]
                ranges.append(
                    _range(max(start, begin) - begin, min(finish, stop) - begin, formats[kind])
                )
                here += 1
            block.layout().setFormats(ranges)
            block = block.next()
        document.markContentsDirty(first, max(0, min(end, self._document.units) - first))
        self._wait()  # what has come into view meanwhile


def _range(start: int, end: int, look: QTextCharFormat) -> QTextLayout.FormatRange:
    made = QTextLayout.FormatRange()
    made.start, made.length, made.format = start, end - start, look
    return made
