"""What stands behind and beside the words of a finished answer: surfaces, bars, bullets, lines.

Shapes are worked out once for a width and are then only drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QPainter,
    QPen,
    QTextBlock,
    QTextLine,
    QTextTable,
)

from app.state.markdown.blocks import Code, Item, Quote, Rule
from app.state.markdown.parse import BULLETS
from app.ui.rich.document import CELL_PADDING, CODE_PADDING, MARKER_GAP, Built, Place, indent

RADIUS = 10
BAR = 3
PILL_RADIUS = 5
BULLET = 5.5
BOX = 15  # pixels of the box before a task


@dataclass(frozen=True, slots=True)
class Shape:
    box: QRectF
    draw: Callable[[QPainter, QRectF], None]


def shapes(built: Built) -> Iterator[Shape]:
    """All of them, where they stand in the document as it is laid out now."""
    yield from _surfaces(built)
    yield from _bars(built)
    yield from _markers(built)
    yield from _lines(built)
    yield from _pills(built)


def code_box(built: Built, place: Place) -> QRectF:
    """The surface of a program, with its header."""
    top = _box(built, place.first).top() - built.look.header - CODE_PADDING // 2
    bottom = _bottom(built, place.last) + CODE_PADDING
    return _across(built, place, top, bottom - top)


def _surfaces(built: Built) -> Iterator[Shape]:
    colors = built.look.colors

    def draw(painter: QPainter, box: QRectF) -> None:
        painter.setPen(QPen(QColor(colors.border), 1))
        painter.setBrush(QColor(colors.surface))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)

    for place in built.places:
        if isinstance(place.block, Code):
            yield Shape(code_box(built, place), draw)


def _bars(built: Built) -> Iterator[Shape]:
    """One bar for each quote, from its first block to its last."""
    color = QColor(built.look.colors.border)

    def draw(painter: QPainter, box: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(box, BAR / 2, BAR / 2)

    ends: dict[int, tuple[float, float, float]] = {}  # by quote: where it stands, top and bottom
    for place in built.places:
        left = 0.0
        right = built.document.textWidth()
        for each in place.block.inside:
            is_mirrored = each.number in built.mirrored
            if isinstance(each, Quote):
                x = right - BAR if is_mirrored else left
                top, bottom = _reach(built, place)
                _, first, _ = ends.get(each.number, (x, top, bottom))
                ends[each.number] = (x, first, bottom)
            if is_mirrored:
                right -= indent(each, built.look)
            else:
                left += indent(each, built.look)
    for x, top, bottom in ends.values():
        yield Shape(QRectF(x, top, BAR, bottom - top), draw)


def _reach(built: Built, place: Place) -> tuple[float, float]:
    if isinstance(place.block, Code):
        box = code_box(built, place)
        return box.top(), box.bottom()
    return _box(built, place.first).top(), _bottom(built, place.last)


def _markers(built: Built) -> Iterator[Shape]:
    look = built.look
    ascent = QFontMetricsF(look.font).ascent()
    for place in built.places:
        if not place.started:
            continue
        line = _line(built, place.first)
        baseline = _box(built, place.first).top() + (
            line.y() + line.ascent() if line is not None else ascent
        )
        top = baseline - ascent
        outer = {False: 0.0, True: 0.0}  # what lies between the marker's room and the edge
        for each in place.block.inside:
            is_mirrored = each.number in built.mirrored
            width = indent(each, look)
            if isinstance(each, Item) and each in place.started:
                x = outer[is_mirrored]
                x = built.document.textWidth() - x - width if is_mirrored else x
                yield _marker(built, each, QRectF(x, top, width, look.line))
            outer[is_mirrored] += width


def _marker(built: Built, item: Item, room: QRectF) -> Shape:
    look = built.look
    is_mirrored = item.number in built.mirrored
    side = Qt.AlignmentFlag.AlignLeft if is_mirrored else Qt.AlignmentFlag.AlignRight
    inner = (
        room.adjusted(MARKER_GAP, 0, 0, 0) if is_mirrored else room.adjusted(0, 0, -MARKER_GAP, 0)
    )
    middle = room.top() + QFontMetricsF(look.font).ascent() * 0.64
    if item.is_done is None:

        def draw(painter: QPainter, box: QRectF) -> None:
            painter.setPen(QColor(look.colors.muted))
            if item.marker in BULLETS:
                _draw_bullet(painter, inner, middle, item, is_mirrored)
                return
            painter.setFont(look.font)
            flags = side | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextDontClip
            painter.drawText(inner, flags, item.marker)

        return Shape(room, draw)
    x = inner.left() if is_mirrored else inner.right() - BOX
    box = QRectF(round(x), round(middle - BOX / 2), BOX, BOX)
    return Shape(box, lambda painter, box: _draw_task(painter, box, built, bool(item.is_done)))


def _draw_bullet(
    painter: QPainter, room: QRectF, middle: float, item: Item, mirrored: bool
) -> None:
    """A disc, a ring, a square: all of one size, whatever the font has."""
    color = painter.pen().color()
    x = room.left() + BULLET if mirrored else room.right() - BULLET
    box = QRectF(x - BULLET / 2, middle - BULLET / 2, BULLET, BULLET)
    is_ring = item.marker == BULLETS[1]
    painter.setPen(QPen(color, 1.2) if is_ring else Qt.PenStyle.NoPen)
    painter.setBrush(Qt.BrushStyle.NoBrush if is_ring else color)
    if item.marker == BULLETS[2]:
        painter.drawRoundedRect(box, 1, 1)
    else:
        painter.drawEllipse(box)


def _draw_task(painter: QPainter, box: QRectF, built: Built, is_done: bool) -> None:
    colors = built.look.colors
    box = box.adjusted(0.5, 0.5, -0.5, -0.5)
    painter.setPen(QPen(QColor(colors.accent if is_done else colors.muted), 1.2))
    painter.setBrush(QColor(colors.accent) if is_done else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box, 4, 4)
    if is_done:
        pen = QPen(QColor(colors.on_accent), 1.8)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPolyline(
            [box.topLeft() + QPointF(*at) for at in ((3.4, 7.2), (6, 9.8), (10.6, 4.4))]
        )


def _lines(built: Built) -> Iterator[Shape]:
    """Rules, and the lines between the rows of a table."""
    colors = built.look.colors

    def faint(painter: QPainter, box: QRectF) -> None:
        painter.fillRect(box, QColor(colors.border))

    def strong(painter: QPainter, box: QRectF) -> None:
        painter.fillRect(box, QColor(colors.muted))

    for number, place in enumerate(built.places):
        if isinstance(place.block, Rule):
            middle = _box(built, place.first).top() + built.look.line // 2
            yield Shape(_across(built, place, middle, 1), faint)
        elif (table := built.tables.get(number)) is not None:
            for row in range(1, table.rows()):
                top = _row_top(built, table, row) - CELL_PADDING
                yield Shape(_across(built, place, round(top) - 1, 1), strong if row == 1 else faint)


def _row_top(built: Built, table: QTextTable, row: int) -> float:
    layout = built.document.documentLayout()
    return min(
        layout.blockBoundingRect(table.cellAt(row, column).firstCursorPosition().block()).top()
        for column in range(table.columns())
    )


def _pills(built: Built) -> Iterator[Shape]:
    """Behind code in the middle of a sentence, on every line that it takes."""
    colors = built.look.colors

    def draw(painter: QPainter, box: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.raised))
        painter.drawRoundedRect(box, PILL_RADIUS, PILL_RADIUS)

    for number, start, length in built.pills:
        block = built.document.findBlockByNumber(number)
        origin = _box(built, number).topLeft()
        layout = block.layout()
        for at in range(layout.lineCount()):
            line = layout.lineAt(at)
            first = max(start, line.textStart())
            end = min(start + length, line.textStart() + line.textLength())
            if first >= end:
                continue
            left, right = sorted((_x(line, first), _x(line, end)))
            height = line.ascent() + line.descent()
            top = origin.y() + line.y()
            yield Shape(QRectF(origin.x() + left - 2, top + 1, right - left + 4, height - 1), draw)


def _across(built: Built, place: Place, top: float, height: float) -> QRectF:
    width = built.document.textWidth() - place.left - place.right
    return QRectF(place.left, top, width, height)


def _block(built: Built, number: int) -> QTextBlock:
    return built.document.findBlockByNumber(number)


def _box(built: Built, number: int) -> QRectF:
    """Where a block of the document stands, without its margins above and below."""
    return built.document.documentLayout().blockBoundingRect(_block(built, number))


def _bottom(built: Built, number: int) -> float:
    """Where the last line of a block ends; Qt's own box ends with its letters."""
    block = _block(built, number)
    lines = max(1, block.layout().lineCount())
    return _box(built, number).top() + lines * block.blockFormat().lineHeight()


def _line(built: Built, number: int) -> QTextLine | None:
    layout = _block(built, number).layout()
    return layout.lineAt(0) if layout.lineCount() else None


def _x(line: QTextLine, position: int) -> float:
    x, _ = cast("tuple[float, int]", line.cursorToX(position))  # typed as object in PySide6
    return x
