"""What is selected of a finished answer, as text for another program: with bullets and boxes."""

from __future__ import annotations

from PySide6.QtGui import QTextBlock, QTextCursor

from app.state.markdown.blocks import Block, Gap, Item, Rule
from app.ui.rich.document import Built, Place


def selected_text(built: Built, selection: QTextCursor) -> str:
    """A block whose beginning is not selected has no bullet. Cells of a row are parted by tabs."""
    leads = _leads(built)
    start, end = selection.selectionStart(), selection.selectionEnd()
    block = built.document.findBlock(start)
    parts: list[str] = []
    while block.isValid() and block.position() <= end:
        between, lead = leads.get(block.blockNumber(), ("\n", ""))
        parts.append(between if parts else "")
        if block.position() >= start:
            parts.append(lead)
        parts.append(_part(block, start, end))
        block = block.next()
    return "".join(parts).strip("\n")


def _part(block: QTextBlock, start: int, end: int) -> str:
    cursor = QTextCursor(block)
    cursor.setPosition(max(start, block.position()))
    last = block.position() + block.length() - 1
    cursor.setPosition(min(end, last), QTextCursor.MoveMode.KeepAnchor)
    return cursor.selectedText().replace("\u2028", "\n").replace("\u2029", "\n")


def _leads(built: Built) -> dict[int, tuple[str, str]]:
    """For the blocks of the document: what parts each from the one before, and what leads it."""
    leads: dict[int, tuple[str, str]] = {}
    for number, place in enumerate(built.places):
        between = "\n" if place.block.gap is Gap.TIGHT else "\n\n"
        leads[place.first] = (between, _marks(place))
        if isinstance(place.block, Rule):
            leads[place.first] = (between, "---")
        table = built.tables.get(number)
        if table is not None:
            for row in range(table.rows()):
                for column in range(table.columns()):
                    cell = table.cellAt(row, column).firstCursorPosition().block().blockNumber()
                    leads[cell] = ("\t" if column else "\n" if row else between, "")
    return leads


def _marks(place: Place) -> str:
    return "".join(_mark(each, place) for each in _items(place.block))


def _items(block: Block) -> list[Item]:
    return [each for each in block.inside if isinstance(each, Item)]


def _mark(item: Item, place: Place) -> str:
    is_number = item.marker[0].isdigit()
    mark = f"{item.marker if is_number else '-'} "
    if item not in place.started:
        return " " * len(mark)
    box = {None: "", True: "[x] ", False: "[ ] "}[item.is_done]
    return mark + box
