"""One document as one edits it: plain text with line numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFont,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlock,
    QTextDocument,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QPlainTextDocumentLayout,
    QPlainTextEdit,
    QWidget,
)

from app.state.editor.changes import Range, units
from app.state.editor.document import Document
from app.state.text import clean
from app.ui.editor.gutter import Gutter
from app.ui.editor.room import set_room_below
from app.ui.theme import SCROLL_BAR_WIDTH, Theme


def plain_layout(document: QTextDocument) -> None:
    """The layout of plain text, before there is any."""
    document.setDocumentLayout(QPlainTextDocumentLayout(document))


class TextEditor(QPlainTextEdit):
    """Leaves the keys of the editor's commands to them, whatever a text field does with them.

    Signals:
        file_dropped(Path)
        pasted(Range): where what was pasted stands now.
        moved(): what is in view, or where it stands, is something else.
        zoomed(int): one step larger (1) or smaller (-1) was asked for with the wheel.
        menu_requested(QPoint): at that place of the screen.
    """

    file_dropped = Signal(object)
    pasted = Signal(object)
    moved = Signal()
    zoomed = Signal(int)
    menu_requested = Signal(QPoint)

    def __init__(
        self,
        document: Document,
        theme: Theme,
        is_reserved: Callable[[QKeyEvent], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._is_reserved = is_reserved
        self.setObjectName("document")
        self.setDocument(document.text_document)
        self.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        # of its own: where the look changes and it does not, no line is wrapped anew
        self.verticalScrollBar().setStyleSheet(
            f"QScrollBar:vertical {{ width: {SCROLL_BAR_WIDTH}px; }}"
        )
        self.gutter = Gutter(self, theme)
        self.blockCountChanged.connect(lambda _count: self._fit_gutter())
        self.updateRequest.connect(self._on_update)
        self._fit_gutter()

    @property
    def selection(self) -> Range:
        """What is selected; the caret where nothing is."""
        cursor = self.textCursor()
        return Range(start=cursor.selectionStart(), end=cursor.selectionEnd())

    def select(self, place: Range) -> None:
        """Selects a range and brings it into view."""
        cursor = self.textCursor()
        cursor.setPosition(place.start)
        cursor.setPosition(place.end, cursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)

    def set_look(self, font: QFont) -> None:
        if font == self.document().defaultFont():
            return  # a long document takes its time to be measured anew
        self.setFont(font)
        self.document().setDefaultFont(font)
        self._fit_gutter()
        self.moved.emit()

    @property
    def is_wrapping(self) -> bool:
        return self.wordWrapMode() is not QTextOption.WrapMode.NoWrap

    def set_wrap(self, *, is_on: bool) -> None:
        # not by the mode for lines: Qt would go through all of a long document for that, twice
        if is_on is not self.is_wrapping:
            mode = QTextOption.WrapMode
            self.setWordWrapMode(mode.WrapAtWordBoundaryOrAnywhere if is_on else mode.NoWrap)
            self.moved.emit()

    def ask_for_menu(self) -> None:
        """At the caret."""
        self.menu_requested.emit(self.viewport().mapToGlobal(self.cursorRect().bottomLeft()))

    def lines_in_view(self) -> tuple[QTextBlock, float]:
        """The first block in view, and how far below the top of the viewport it begins."""
        block = self.firstVisibleBlock()
        return block, self.blockBoundingGeometry(block).translated(self.contentOffset()).top()

    def height_of(self, block: QTextBlock) -> float:
        """With the room below its text."""
        return self.blockBoundingRect(block).height()

    def make_room(self, rooms: Iterable[tuple[QTextBlock, int]]) -> None:
        """So many pixels below each of these blocks, until they are laid out anew."""
        changed = [set_room_below(block, room) for block, room in rooms]
        if any(changed):
            layout = self.document().documentLayout()
            layout.documentSizeChanged.emit(layout.documentSize())
            layout.update.emit()

    # --- Qt ---------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        is_ours = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if is_ours and isinstance(event, QKeyEvent) and self._is_reserved(event):
            event.ignore()  # so that the command gets it
            return False
        return super().event(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.ApplicationFontChange):
            # `set_look` alone chooses the font: Qt would measure all lines anew at each style sheet
            QAbstractScrollArea.changeEvent(self, event)
        else:
            super().changeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        area = self.contentsRect()
        self.gutter.setGeometry(
            QRect(area.left(), area.top(), self.gutter.needed_width, area.height())
        )
        self.moved.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoomed.emit(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:
            super().wheelEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            self.ask_for_menu()
            return
        clicked = self.cursorForPosition(self.viewport().mapFromGlobal(event.globalPos()))
        chosen = self.selection
        if not chosen.start <= clicked.position() <= chosen.end:
            self.setTextCursor(clicked)  # "here" is where one has clicked
        self.menu_requested.emit(event.globalPos())

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return bool(files_of(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if files := files_of(source):
            for path in files:
                self.file_dropped.emit(path)
        elif source.hasText() and not self.isReadOnly():
            start = self.selection.start
            text = clean(source.text()).replace("\r\n", "\n")
            self.insertPlainText(text)
            self.ensureCursorVisible()
            self.pasted.emit(Range(start=start, end=start + units(text)))

    def _on_update(self, area: QRect, by: int) -> None:
        if by:
            self.gutter.scroll(0, by)
        else:
            self.gutter.update(0, area.y(), self.gutter.width(), area.height())
        self.moved.emit()

    def _fit_gutter(self) -> None:
        self.setViewportMargins(self.gutter.needed_width, 0, 0, 0)
        area = self.contentsRect()
        self.gutter.setGeometry(
            QRect(area.left(), area.top(), self.gutter.needed_width, area.height())
        )

    def paint_gutter(self, painter: QPainter, event: QPaintEvent) -> None:
        """For the gutter, which knows the colours."""
        block, top = self.lines_in_view()
        while block.isValid() and top <= event.rect().bottom():
            height = self.height_of(block)
            if block.isVisible() and top + height >= event.rect().top():
                self.gutter.paint_number(painter, block.blockNumber(), round(top))
            top += height
            block = block.next()


def files_of(source: QMimeData) -> list[Path]:
    """The files that are dropped or pasted, and not their names."""
    if not source.hasUrls():
        return []
    return [Path(url.toLocalFile()) for url in source.urls() if url.isLocalFile()]
