"""Where each piece of a half-finished canvas stands, and how it looks.

The text is laid out and shaped as a whole, so that scripts which join or stack their letters come
out right. A piece is then a stretch of its line: it decides how strong the line is painted there,
never how it is shaped. A stretch ends between graphemes; one that two pieces share goes to the
first.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from PySide6.QtCore import QLineF, QPointF, QRectF, QTextBoundaryFinder
from PySide6.QtGui import (
    QFont,
    QFontInfo,
    QGlyphRun,
    QTextBlock,
    QTextBlockFormat,
    QTextCursor,
    QTextDocument,
    QTextLine,
    QTextOption,
)

from app.state.text import clean, visible
from app.ui.text_view import configure, line_height, replace_from
from engine.messages import Channel, Draft, TokenState

UNDERLINED = (TokenState.ACCEPTED, TokenState.PROVISIONAL)
UNDERLINE_DISTANCE = 0.28  # below the baseline, of the font's size
OVERHANG = 1.5  # pixels that an f may reach into the space behind it
LEVELS = 4  # of confidence; more cannot be told apart
_LEVEL_OF = bytes(confidence * LEVELS // 256 for confidence in range(256))
_LINE_ENDS = str.maketrans("\n\u2028\u2029", "   ")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff]")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What decides how a piece is painted. `level` counts from 0, unsure, to LEVELS - 1, sure."""

    state: TokenState
    level: int


LOOKS = tuple(Look(state=state, level=level) for state in TokenState for level in range(LEVELS))
SETTLED = LOOKS[TokenState.SETTLED * LEVELS + LEVELS - 1]


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A range of the text with one look, in UTF-16 units, `end` exclusive."""

    start: int
    end: int
    look: Look
    indent: int = 0  # 1 if it begins with a space, which carries no underline


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line as shaped: draw `glyphs` at `origin`. `patches` are the boxes of each look in it.

    `underlined` has, for the looks that carry an underline, where it runs. Settled text is in none.
    """

    box: QRectF
    origin: QPointF
    glyphs: tuple[QGlyphRun, ...]
    patches: dict[Look, list[QRectF]]
    underlined: dict[Look, list[QLineF]]


class CanvasLayout:
    """Committed text followed by a draft, as lines. Only what changed is laid out anew.

    Of the draft it shows what is on `channel`. `height` is that of a line, in pixels, where it is
    not the one of running text.
    """

    def __init__(
        self, font: QFont, channel: Channel = Channel.ANSWER, height: int | None = None
    ) -> None:
        self._channel = channel
        self._document = QTextDocument()
        self._line_height = height or line_height(font)
        configure(self._document, font)
        set_line_height(self._document, self._line_height)
        self._underline = round(QFontInfo(font).pixelSize() * UNDERLINE_DISTANCE) + 0.5
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self._document.setDefaultTextOption(option)
        self._committed = ""
        self._committed_units = 0
        self._stretches: list[Stretch] = []
        self._blocks: list[list[Line]] = []

    @property
    def height(self) -> int:
        """In pixels, of the text as it is now."""
        return math.ceil(self._document.size().height())

    @property
    def text(self) -> str:
        return self._document.toPlainText()

    def set_width(self, width: int) -> None:
        """Wraps all lines anew, at `width` pixels."""
        self._document.setTextWidth(width)
        self._blocks.clear()
        self._measure(0)

    def show(self, committed: str, draft: Draft | None) -> None:
        """Replaces the draft, and whatever of the committed text is new."""
        if not committed.startswith(self._committed):
            self._go_back_to(committed if self._committed.startswith(committed) else "")
        tail, stretches = draft_text(draft, self._channel) if draft is not None else ("", [])
        fresh = visible(clean(committed[len(self._committed) :]))
        changed_from = self._committed_units
        replace_from(self._document, changed_from, fresh + tail)
        self._committed = committed
        self._committed_units = changed_from + units(fresh)
        self._stretches = stretches
        self._measure(changed_from)

    def lines(self, clip: QRectF) -> Iterator[Line]:
        """The lines that touch `clip`, from the top."""
        for block in self._blocks:
            for line in block:
                if line.box.intersects(clip):
                    yield line

    def _go_back_to(self, committed: str) -> None:
        """An earlier state of the committed text, as a replay wants it."""
        self._committed = committed
        self._committed_units = units(visible(clean(committed)))

    def _measure(self, changed_from: int) -> None:
        self._document.size()  # lays out
        block = self._document.findBlock(changed_from)
        if block.blockNumber() > len(self._blocks):
            block = self._document.begin()
        del self._blocks[block.blockNumber() :]
        while block.isValid():
            self._blocks.append(self._lines_of(block))
            block = block.next()

    def _lines_of(self, block: QTextBlock) -> list[Line]:
        layout = block.layout()
        origin, first = layout.position(), block.position()
        is_simple = not _RIGHT_TO_LEFT.search(block.text())
        lines = []
        for number in range(layout.lineCount()):
            line = layout.lineAt(number)
            top = origin.y() + number * self._line_height
            made = Line(
                box=QRectF(origin.x(), top, self._document.textWidth(), self._line_height),
                origin=origin,
                glyphs=tuple(line.glyphRuns()),
                patches={},
                underlined={},
            )
            baseline = origin.y() + line.y() + line.ascent()
            self._patch(made, line, first - self._committed_units, baseline, is_simple)
            lines.append(made)
        return lines

    def _patch(
        self, made: Line, line: QTextLine, offset: int, baseline: float, is_simple: bool
    ) -> None:
        """Fills in what the stretches of the draft cover of a line.

        `offset` is where the line's block begins, counted from the start of the draft.
        """
        line_start = line.textStart()
        line_end = line_start + line.textLength()
        top, height = made.box.top(), made.box.height()
        y = min(baseline + self._underline, made.box.bottom() - 0.5)  # in its line, at any size
        at = bisect_right(self._stretches, line_start + offset, key=_end_of)
        while at < len(self._stretches):
            stretch = self._stretches[at]
            at += 1
            start, end = max(stretch.start - offset, line_start), stretch.end - offset
            if start >= line_end:
                break
            if stretch.look is SETTLED:
                continue
            end = min(end, line_end)
            # in mixed directions a stretch may lie in several places: cut it into its letters
            for begin, stop in pairwise((start, end) if is_simple else range(start, end + 1)):
                left, right = sorted((_x(line, begin), _x(line, stop)))
                is_before_space = at < len(self._stretches) and self._stretches[at].indent
                width = right - left + (OVERHANG if is_simple and is_before_space else 0)
                boxes = made.patches.setdefault(stretch.look, [])
                boxes.append(QRectF(left, top, width, height))
                if stretch.look.state in UNDERLINED:
                    if begin + offset == stretch.start and stretch.indent and is_simple:
                        left = _x(line, begin + 1)
                    if right - left > OVERHANG:  # not below a space at the end of a line
                        underlines = made.underlined.setdefault(stretch.look, [])
                        underlines.append(QLineF(left, y, right, y))


def set_line_height(document: QTextDocument, height: int) -> None:
    """Of all lines of an empty document, in pixels."""
    block = QTextBlockFormat()
    block.setLineHeight(height, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
    QTextCursor(document).setBlockFormat(block)


def draft_text(draft: Draft, channel: Channel = Channel.ANSWER) -> tuple[str, list[Stretch]]:
    """The visible text of a draft on a channel, without what lies behind its end, and its looks.

    A line end that is only noise is shown as a space: it would move all that follows.
    """
    parts: list[str] = []
    stretches: list[Stretch] = []
    start = end = 0
    indent = 0
    last: Look | None = None
    for piece, level, state, where in zip(
        draft.pieces,
        draft.confidence.translate(_LEVEL_OF),
        draft.states,
        draft.channels,
        strict=True,
    ):
        if state == TokenState.BEYOND_END or where != channel or not piece:
            continue
        look = SETTLED if state == TokenState.SETTLED else LOOKS[state * LEVELS + level]
        if look is not last:
            if last is not None:
                stretches.append(Stretch(start=start, end=end, look=last, indent=indent))
            start, last, indent = end, look, int(piece[0] == " ")
        if not piece.isascii():
            piece = clean(piece)
        if state == TokenState.NOISE and not piece.isprintable():
            piece = piece.translate(_LINE_ENDS)
        parts.append(piece)
        end += units(piece)
    if last is not None:
        stretches.append(Stretch(start=start, end=end, look=last, indent=indent))
    text = visible("".join(parts))
    return text, stretches if text.isascii() else _between_graphemes(text, stretches)


def units(text: str) -> int:
    """The length of `text` in UTF-16 units, which is how Qt counts."""
    if text.isascii() or max(text) <= "\uffff":
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _between_graphemes(text: str, stretches: list[Stretch]) -> list[Stretch]:
    """Moves every end that lies inside a grapheme behind it."""
    finder = QTextBoundaryFinder(QTextBoundaryFinder.BoundaryType.Grapheme, text)
    moved: list[Stretch] = []
    start = 0
    for stretch in stretches:
        finder.setPosition(stretch.end)
        end = stretch.end if finder.isAtBoundary() else finder.toNextBoundary()
        if end > start:
            indent = stretch.indent if start == stretch.start else 0
            moved.append(Stretch(start=start, end=end, look=stretch.look, indent=indent))
            start = end
    return moved


def _end_of(stretch: Stretch) -> int:
    return stretch.end


def _x(line: QTextLine, position: int) -> float:
    """Where the cursor stands before the letter at `position`, in pixels."""
    x, _ = cast("tuple[float, int]", line.cursorToX(position))  # typed as object in PySide6
    return x
