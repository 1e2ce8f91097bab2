"""How sure a word looks. The less the model is sure, the fainter and the more broken the mark.

Noise is faint and bare. A provisional word is stronger, with dots below it that stand closer the
more sure it is. An accepted word has full ink and a thin line, settled text is plain. So each state
differs from the next in strength and in shape, and none by colour alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.ui.canvas.layout import LEVELS, Line, Look
from app.ui.theme import Colors
from engine.messages import TokenState

# opacity of the least and of the most confident token; noise stays faint, so that it never strobes
OPACITY = {
    TokenState.NOISE: (0.25, 0.40),
    TokenState.PROVISIONAL: (0.52, 0.80),
    TokenState.ACCEPTED: (0.92, 1.0),
    TokenState.SETTLED: (1.0, 1.0),
    TokenState.PINNED: (1.0, 1.0),
    TokenState.BEYOND_END: (0.0, 0.0),
}
GAPS = (5.0, 4.0, 3.0, 2.0)  # pixels between two dots, for each level of a provisional word


def opacity(look: Look) -> float:
    least, most = OPACITY[look.state]
    return least + (most - least) * look.level / (LEVELS - 1)


def paint_lines(painter: QPainter, lines: Iterable[Line], colors: Colors) -> None:
    """Paints each line once, at full strength, then veils what is not sure with the background.

    On a plain background a veil of it looks the same as painting the text less opaque, for emoji
    too, and it takes a rectangle where that takes a text run of its own.
    """
    veils: dict[Look, list[QRectF]] = defaultdict(list)
    marks: dict[Look, list[QLineF]] = defaultdict(list)
    painter.setPen(QColor(colors.text))
    for line in lines:
        for glyphs in line.glyphs:
            painter.drawGlyphRun(line.origin, glyphs)
        for look, boxes in line.patches.items():
            veils[look] += boxes
        for look, places in line.underlined.items():
            marks[look] += places
    painter.setPen(Qt.PenStyle.NoPen)
    for look, boxes in veils.items():
        painter.setBrush(veil(look, colors))
        painter.drawRects(boxes)
    for look, places in marks.items():
        painter.setPen(mark(look, colors))
        painter.drawLines(places)


def veil(look: Look, colors: Colors) -> QColor:
    """What is laid over a piece: the background, or for pinned text a tint."""
    if look.state is TokenState.PINNED:
        return _with_alpha(colors.accent, 0.16)
    return _with_alpha(colors.window, 1 - opacity(look))


def mark(look: Look, colors: Colors) -> QPen:
    """What runs below a piece."""
    if look.state is TokenState.ACCEPTED:
        return QPen(_with_alpha(colors.accent, 0.4), 1.0)
    pen = QPen(_with_alpha(colors.text, 0.62), 1.0)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setDashPattern([1.0, GAPS[look.level]])
    return pen


def _with_alpha(color: str, alpha: float) -> QColor:
    made = QColor(color)
    made.setAlphaF(alpha)
    return made
