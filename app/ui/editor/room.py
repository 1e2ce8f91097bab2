"""Room below lines of a document, for what is drawn over the text and needs more than it.

The last line of a block is moved down. Nobody sees it: it lies below what is drawn over it. A line
that is laid out anew is back in its place, so whoever wants the room asks for it again.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF
from PySide6.QtGui import QTextBlock


def room_below(block: QTextBlock) -> int:
    """In pixels. The block must have been laid out."""
    last = block.layout().lineCount() - 1
    return round(block.layout().lineAt(last).y() - _usual_top(block)) if last >= 0 else 0


def set_room_below(block: QTextBlock, room: int) -> bool:
    """Returns whether anything is another one now; then the view must be told."""
    if block.layout().lineCount() == 0 or room_below(block) == room:
        return False
    line = block.layout().lineAt(block.layout().lineCount() - 1)
    line.setPosition(QPointF(line.x(), _usual_top(block) + room))
    return True


def line_top(block: QTextBlock, at: int) -> float:
    """Of the line with the letter `at` of a block, below the block's top, in pixels."""
    line = block.layout().lineForTextPosition(at)
    if not line.isValid():
        return 0.0
    is_last = line.lineNumber() == block.layout().lineCount() - 1
    return _usual_top(block) if is_last else line.y()


def _usual_top(block: QTextBlock) -> float:
    """Of the last line, below the top of its block."""
    last = block.layout().lineCount() - 1
    if last == 0:
        return 0.0
    before = block.layout().lineAt(last - 1)
    return before.y() + before.height()
