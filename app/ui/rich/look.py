"""Fonts, sizes and colours of a finished answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontInfo, QFontMetricsF, QTextCharFormat

from app.state.markdown.blocks import Gap, Style
from app.state.markdown.code import Kind
from app.ui.text_view import line_height
from app.ui.theme import Colors, interface_font, reading_font

CODE_FAMILIES = (
    "JetBrains Mono",
    "Cascadia Mono",
    "SF Mono",
    "Menlo",
    "Consolas",
    "Noto Sans Mono",
    "DejaVu Sans Mono",
)
HEADING_SIZES = (1.5, 1.3, 1.15, 1.05, 1.0, 1.0)
HEADING_LINE = 1.3  # of the size of the heading
CODE_SIZE = 0.9
CODE_LINE = 1.5

# The colours of code, in the order of `Kind`: on `surface` each has a contrast of 4.5 to 1 or more.
_LIGHT_CODE = (
    "#8A2BA8",  # keyword
    "#1D4FB8",  # name
    "#0B6B74",  # type
    "#2C6E2F",  # text
    "#A04A00",  # number
    "#666C78",  # comment
    "#2C6E2F",  # added
    "#A82A1B",  # removed
)
_DARK_CODE = (
    "#D5A6FF",
    "#8FB8FF",
    "#6FD3DB",
    "#9FD89B",
    "#F2B27A",
    "#949BA8",
    "#9FD89B",
    "#FF9D8F",
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Sizes are in pixels."""

    colors: Colors
    font: QFont
    code_font: QFont
    line: int
    code_line: int
    header: int  # above a program: its language and a button

    def width(self, text: str) -> int:
        return math.ceil(QFontMetricsF(self.font).horizontalAdvance(text))

    @property
    def code_colors(self) -> tuple[str, ...]:
        return _DARK_CODE if QColor(self.colors.surface).lightnessF() < 0.5 else _LIGHT_CODE

    def gap(self, gap: Gap) -> int:
        """FULL is exactly one empty line, so that nothing moves when plain text becomes rich."""
        return {
            Gap.NONE: 0,
            Gap.TIGHT: round(self.line / 6),
            Gap.HALF: round(self.line / 2),
            Gap.FULL: self.line,
        }[gap]

    def text_font(self, level: int = 0) -> QFont:
        """Of running text, or of a heading of `level` 1 to 6."""
        font = QFont(self.font)
        if level:
            font.setPointSizeF(self.font.pointSizeF() * HEADING_SIZES[level - 1])
            font.setWeight(QFont.Weight.DemiBold)
        return font

    def line_of(self, level: int) -> int:
        if not level:
            return self.line
        font = self.text_font(level)
        return max(round(QFontInfo(font).pixelSize() * HEADING_LINE), self.line)

    def words(self, style: Style, link: str, level: int = 0) -> QTextCharFormat:
        """How a run is written."""
        made = QTextCharFormat()
        font = self.text_font(level)
        if style & Style.CODE:
            font.setFamilies(self.code_font.families())
            font.setPointSizeF(font.pointSizeF() * CODE_SIZE)
        if style & Style.BOLD:
            font.setWeight(QFont.Weight.Bold if level else QFont.Weight.DemiBold)
        font.setItalic(bool(style & Style.ITALIC))
        font.setStrikeOut(bool(style & Style.STRUCK))
        if link:
            font.setUnderline(True)
            made.setForeground(QColor(self.colors.accent))
            made.setAnchor(True)
            made.setAnchorHref(link)
        made.setFont(font)
        return made

    def code_format(self, kind: Kind) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setForeground(QColor(self.code_colors[kind]))
        return made


def look_of(colors: Colors) -> Look:
    """With the fonts that are chosen now."""
    font = reading_font()
    code_font = _code_font(font)
    code_line = round(QFontInfo(code_font).pixelSize() * CODE_LINE)
    return Look(
        colors=colors,
        font=font,
        code_font=code_font,
        line=line_height(font),
        code_line=code_line,
        header=round(QFontMetricsF(interface_font()).height()) + 18,
    )


def _code_font(font: QFont) -> QFont:
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    installed = set(QFontDatabase.families())
    found = [family for family in CODE_FAMILIES if family in installed]
    made = QFont(system)
    made.setFamilies([*found[:1], system.family(), font.families()[0]])
    made.setPointSizeF(font.pointSizeF() * CODE_SIZE)
    made.setStyleHint(QFont.StyleHint.Monospace)
    return made
