"""From the blocks of a page to a document that Qt lays out, a block at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextLayout,
    QTextLength,
    QTextTable,
    QTextTableFormat,
)

from app.state.markdown.blocks import (
    Align,
    AnyBlock,
    Code,
    Item,
    Page,
    Paragraph,
    Quote,
    Rule,
    Runs,
    Style,
    Table,
    plain_text,
)
from app.state.markdown.code import Kind, Span
from app.state.markdown.parse import is_right_to_left
from app.ui.canvas.layout import units
from app.ui.rich.look import Look
from app.ui.text_view import QuietDocument, configure

QUOTE_INDENT = 20
ITEM_INDENT = 26  # at least
MARKER_GAP = 9  # between a marker and its text
CODE_PADDING = 14
CELL_PADDING = 8
CODE_CHUNK = 60  # lines of code in one block of Qt: longer ones are slow
_FIXED = QTextBlockFormat.LineHeightTypes.FixedHeight.value
_ALIGNMENTS = {
    Align.START: Qt.AlignmentFlag.AlignLeft,
    Align.CENTER: Qt.AlignmentFlag.AlignHCenter,
    Align.END: Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignAbsolute,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A block of the page in the document: its first and last block there, and its margins."""

    block: AnyBlock
    first: int
    last: int
    left: int
    right: int
    started: tuple[Item, ...]  # whose marker stands before it


@dataclass(frozen=True, slots=True)
class Link:
    """Positions in UTF-16 units, `end` exclusive."""

    start: int
    end: int
    address: str


@dataclass
class Built:
    """The document, and what has to be known of it to draw and to copy."""

    document: QuietDocument
    look: Look
    places: list[Place] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    pills: list[tuple[int, int, int]] = field(default_factory=list)  # block, start, length: code
    tables: dict[int, QTextTable] = field(default_factory=dict)  # by the number of the place
    mirrored: set[int] = field(default_factory=set)  # quotes and items that stand on the right


class Builder:
    """Fills `built.document`. Take all of `steps`, with pauses if you like."""

    def __init__(self, page: Page, look: Look) -> None:
        self.built = Built(QuietDocument(), look)
        self._page = page
        self._look = look
        self._above = 0  # pixels between what stands there and the next block
        self._is_free = True  # the last block of the document is empty and to be used
        self._formats: dict[tuple[Style, str, int], QTextCharFormat] = {}
        self._code_formats = {kind: look.code_format(kind) for kind in Kind}
        self._seen: set[int] = set()  # quotes and items
        configure(self.built.document, look.font)
        self._cursor = QTextCursor(self.built.document)

    def steps(self) -> Iterator[None]:
        blocks = self._page.blocks
        for block, following in zip_longest(blocks, blocks[1:]):
            started = self._start(block)
            left, right = self._margins(block)
            first = self._number() + (not self._is_free)
            match block:
                case Paragraph():
                    self._add_paragraph(block, left, right)
                case Code():
                    self._add_code(block, left, right)
                case Table():
                    self._add_table(block, left, right, self._gap(following, block))
                case Rule():
                    self._new_block(self._format(left, right, self._above, self._look.line))
                    self._cursor.insertText("\u00a0")  # an empty block behind a table has no height
            last = self._number()
            self.built.places.append(Place(block, first, last, left, right, started))
            self._above = self._gap(following, block)
            yield
        self._make_room()

    def _gap(self, block: AnyBlock | None, above: AnyBlock) -> int:
        """Pixels between the last line of one block and the first line of the next."""
        if block is None:
            return 0
        below = CODE_PADDING if isinstance(above, Code) else 0
        return below + self._look.gap(block.gap) + self._head(block)

    def _head(self, block: AnyBlock) -> int:
        return self._look.header + CODE_PADDING // 2 if isinstance(block, Code) else 0

    def _make_room(self) -> None:
        """Qt drops the margin above the first block and below the last, which a program needs."""
        blocks = self._page.blocks
        frame = self.built.document.rootFrame()
        made = frame.frameFormat()
        made.setTopMargin(self._head(blocks[0]) if blocks else 0)
        made.setBottomMargin(CODE_PADDING if blocks and isinstance(blocks[-1], Code) else 0)
        frame.setFrameFormat(made)

    def _number(self) -> int:
        return self._cursor.blockNumber()

    def _start(self, block: AnyBlock) -> tuple[Item, ...]:
        """The items that begin here. The first words decide on which side quotes and items stand."""
        fresh = [each for each in block.inside if each.number not in self._seen]
        self._seen.update(each.number for each in fresh)
        if fresh and isinstance(block, Paragraph) and is_right_to_left(plain_text(block.runs)):
            self.built.mirrored.update(each.number for each in fresh)
        return tuple(each for each in fresh if isinstance(each, Item))

    def _margins(self, block: AnyBlock) -> tuple[int, int]:
        left = right = 0
        for each in block.inside:
            width = indent(each, self._look)
            if each.number in self.built.mirrored:
                right += width
            else:
                left += width
        return left, right

    def _format(self, left: int, right: int, gap: int, line: int) -> QTextBlockFormat:
        made = QTextBlockFormat()
        made.setLineHeight(line, _FIXED)
        made.setLeftMargin(left)
        made.setRightMargin(right)
        made.setTopMargin(gap)
        return made

    def _new_block(self, made: QTextBlockFormat) -> None:
        if self._is_free:
            self._cursor.setBlockFormat(made)
        else:
            self._cursor.insertBlock(made)
        self._is_free = False

    def _add_paragraph(self, block: Paragraph, left: int, right: int) -> None:
        line = self._look.line_of(block.level)
        self._new_block(self._format(left, right, self._above, line))
        self._write(block.runs, block.level, self._format(left, right, 0, line))

    def _write(self, runs: Runs, level: int, following: QTextBlockFormat | None) -> None:
        """Writes at the cursor. `following` is for the second line on, where it is another one."""
        for run in runs:
            words = self._words(run.style, run.link, level)
            text = run.text
            if following is not None and "\n" in text:
                head, text = text.split("\n", 1)
                self._insert(head, words, run.style, run.link)
                self._cursor.insertBlock(following)
                following = None
            self._insert(text, words, run.style, run.link)

    def _insert(self, text: str, words: QTextCharFormat, style: Style, link: str) -> None:
        start, block = self._cursor.position(), self._cursor.block()
        self._cursor.insertText(text, words)
        if link:
            self.built.links.append(Link(start, self._cursor.position(), link))
        if style & Style.CODE:
            number, at = block.blockNumber(), start - block.position()
            for line in text.split("\n"):  # code over two lines has two pills
                self.built.pills.append((number, at, units(line)))
                number, at = number + 1, 0

    def _words(self, style: Style, link: str, level: int) -> QTextCharFormat:
        key = style, link, level
        if key not in self._formats:
            self._formats[key] = self._look.words(style, link, level)
        return self._formats[key]

    def _add_code(self, block: Code, left: int, right: int) -> None:
        words = QTextCharFormat()
        words.setFont(self._look.code_font)
        lines = block.shown.split("\n")
        spans = deque(block.spans)
        at = 0  # where the chunk begins in the code, in UTF-16 units
        for first in range(0, len(lines), CODE_CHUNK):
            chunk = "\u2028".join(lines[first : first + CODE_CHUNK])
            above = 0 if first else self._above
            made = self._format(
                left + CODE_PADDING, right + CODE_PADDING, above, self._look.code_line
            )
            made.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
            self._new_block(made)
            self._cursor.setBlockCharFormat(words)
            self._cursor.insertText(chunk, words)
            length = units(chunk)
            self._cursor.block().layout().setFormats(self._colored(spans, at, at + length))
            at += length + 1

    def _colored(self, spans: deque[Span], start: int, end: int) -> list[QTextLayout.FormatRange]:
        """Takes from `spans` what lies before `end`. One that reaches beyond is cut in two."""
        ranges = []
        while spans and spans[0][0] < end:
            first, length, kind = spans.popleft()
            if first + length > end:
                spans.appendleft((end, first + length - end, kind))
            each = QTextLayout.FormatRange()
            each.start = first - start
            each.length = min(first + length, end) - first
            each.format = self._code_formats[kind]
            ranges.append(each)
            if first + length > end:
                break
        return ranges

    def _add_table(self, block: Table, left: int, right: int, below: int) -> None:
        if self._is_free:  # an empty block stays before the table
            self._cursor.setBlockFormat(self._format(0, 0, 0, 1))
        made = QTextTableFormat()
        made.setBorder(0)
        made.setCellSpacing(0)
        made.setCellPadding(CELL_PADDING)
        made.setLeftMargin(left)
        made.setRightMargin(right)
        made.setTopMargin(self._above)
        made.setBottomMargin(below)  # Qt drops the margin above what follows
        made.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
        # Qt does not mirror a table, so the columns are written in the other order
        is_mirrored = is_right_to_left(" ".join(plain_text(cell) for cell in block.rows[0]))
        widths = [QTextLength(QTextLength.Type.PercentageLength, each) for each in shares(block)]
        made.setColumnWidthConstraints(widths[::-1] if is_mirrored else widths)
        table = self._cursor.insertTable(len(block.rows), len(block.aligns), made)
        self.built.tables[len(self.built.places)] = table
        last = len(block.aligns) - 1
        for row, cells in enumerate(block.rows):
            for column, cell in enumerate(cells):
                at = last - column if is_mirrored else column
                self._cursor = table.cellAt(row, at).firstCursorPosition()
                words = self._format(0, 0, 0, self._look.line)
                words.setAlignment(_ALIGNMENTS[block.aligns[column]])
                if is_mirrored:
                    words.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
                self._cursor.setBlockFormat(words)
                self._write(bold(cell) if row == 0 else cell, 0, None)
        self._cursor.movePosition(QTextCursor.MoveOperation.End)
        self._is_free = True


def indent(each: Quote | Item, look: Look) -> int:
    """How far the text of a quote or item stands from its edge, in pixels."""
    if isinstance(each, Quote):
        return QUOTE_INDENT
    return max(ITEM_INDENT, look.width(each.widest) + MARKER_GAP + 4)


def bold(runs: Runs) -> Runs:
    return tuple(type(run)(run.text, run.style | Style.BOLD, run.link) for run in runs)


def shares(table: Table) -> list[float]:
    """How wide each column is, in per cent: by its longest text, yet none is starved."""
    longest = [
        max(len(line) for row in table.rows for line in plain_text(row[column]).split("\n"))
        for column in range(len(table.aligns))
    ]
    weights = [min(max(length, 6), 48) ** 0.75 for length in longest]
    return [100 * weight / sum(weights) for weight in weights]
