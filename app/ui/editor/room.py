"""The layout of a document's lines, with room below some of them for what is drawn over the text."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF
from PySide6.QtGui import QTextBlock, QTextDocument
from PySide6.QtWidgets import QPlainTextDocumentLayout


class RoomyLayout(QPlainTextDocumentLayout):
    """A block may be higher than its text. The text itself, and what can be undone, know nothing."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._rooms: dict[int, int] = {}

    def room_below(self, block: int) -> int:
        """In pixels, below the block of that number."""
        return self._rooms.get(block, 0)

    def set_rooms(self, rooms: Mapping[int, int]) -> None:
        """Room in pixels for each number of a block; all other blocks have none."""
        wanted = {block: room for block, room in rooms.items() if room > 0}
        if wanted != self._rooms:
            self._rooms = wanted
            self.documentSizeChanged.emit(self.documentSize())
            self.requestUpdate()

    def blockBoundingRect(self, block: QTextBlock) -> QRectF:
        box = super().blockBoundingRect(block)
        if self._rooms:
            box.setHeight(box.height() + self.room_below(block.blockNumber()))
        return box
