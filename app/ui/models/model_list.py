"""The models one can choose from: what is here, then what is on offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.ui.theme import Theme
from app.words import tr

EDGE = 10  # pixels around the words of a row
ROW = Qt.ItemDataRole.UserRole  # a `Row`; a heading has none


@dataclass(frozen=True, kw_only=True)
class Row:
    entry_id: str
    name: str
    about: str  # where it stands, or how its job goes
    percent: int | None = None  # of a job
    is_running: bool = False  # it is the loaded model
    is_recommended: bool = False

    @property
    def tag(self) -> str:
        if self.is_running:
            return tr("Loaded")
        return tr("Recommended") if self.is_recommended else ""


class ModelList(QListWidget):
    """Keeps what is chosen while the rows change.

    Signals:
        chosen(str): the id of a model.
    """

    chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Models"))
        self.setItemDelegate(_RowPainter(theme, self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self._groups: tuple[tuple[str, tuple[Row, ...]], ...] = ()
        self.currentItemChanged.connect(self._on_current)
        theme.changed.connect(self._on_theme_changed)

    @property
    def current_id(self) -> str:
        row = _row_of(self.currentItem())
        return "" if row is None else row.entry_id

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for _, rows in self._groups for row in rows)

    def show_rows(self, groups: Sequence[tuple[str, Sequence[Row]]]) -> None:
        """Headings with the rows below; a group without rows is left out."""
        kept = tuple((title, tuple(rows)) for title, rows in groups if rows)
        if kept == self._groups:
            return
        same = [row.entry_id for row in self.rows] == [r.entry_id for _, rows in kept for r in rows]
        same = same and [title for title, _ in self._groups] == [title for title, _ in kept]
        self._groups = kept
        if same:  # only their words are new
            items = (self.item(place) for place in range(self.count()))
            rows = iter(self.rows)
            for item in items:
                if _row_of(item) is not None:
                    _fill(item, next(rows))
            return
        chosen = self.current_id
        self.blockSignals(True)
        self.clear()
        for title, rows_of_group in kept:
            self._add_heading(title)
            for row in rows_of_group:
                item = QListWidgetItem()
                _fill(item, row)
                self.addItem(item)
        self.blockSignals(False)
        self.choose(chosen)

    def choose(self, entry_id: str) -> bool:
        """Whether it is in the list."""
        for place in range(self.count()):
            row = _row_of(self.item(place))
            if row is not None and row.entry_id == entry_id:
                self.setCurrentRow(place)
                return True
        return False

    def _add_heading(self, title: str) -> None:
        item = QListWidgetItem(title)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.addItem(item)

    def _on_current(self) -> None:
        if entry_id := self.current_id:
            self.chosen.emit(entry_id)

    def _on_theme_changed(self) -> None:
        self.doItemsLayout()
        self.viewport().update()


class _RowPainter(QStyledItemDelegate):
    """Two lines, a tag in the second, and a thin bar where something is done to the model."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        line = option.fontMetrics.height()
        row = index.data(ROW)
        return QSize(120, 2 * line + 2 * EDGE + 2 if row is not None else line + EDGE + 8)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        row = index.data(ROW)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(row, Row):
            self._paint_row(painter, option, row)
        else:
            painter.setFont(_bold(option.font))
            painter.setPen(QColor(self._theme.colors.muted))
            words = option.rect.adjusted(EDGE, 0, -EDGE, -2)
            painter.drawText(words, Qt.AlignmentFlag.AlignBottom, str(index.data()))
        painter.restore()

    def _paint_row(self, painter: QPainter, option: QStyleOptionViewItem, row: Row) -> None:
        colors, states = self._theme.colors, option.state
        is_chosen = bool(states & QStyle.StateFlag.State_Selected)
        if is_chosen or states & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.raised))
            painter.drawRoundedRect(option.rect.adjusted(0, 1, 0, -1), 7, 7)
        inside = option.rect.adjusted(EDGE, EDGE, -EDGE, -EDGE)
        top = QRect(inside.left(), inside.top(), inside.width(), option.fontMetrics.height())
        bottom = top.translated(0, top.height() + 2)
        painter.setPen(QColor(colors.accent if is_chosen else colors.text))
        _elided(painter, option, top, row.name, Qt.TextElideMode.ElideMiddle)
        painter.setPen(QColor(colors.muted))
        room = bottom.adjusted(0, 0, -self._paint_tag(painter, bottom, row), 0)
        _elided(painter, option, room, row.about)
        if row.percent is not None:
            ground = QRect(inside.left(), option.rect.bottom() - 5, inside.width(), 3)
            painter.fillRect(ground, QColor(colors.border))
            done = ground.width() * row.percent // 100
            painter.fillRect(ground.adjusted(0, 0, done - ground.width(), 0), QColor(colors.accent))

    def _paint_tag(self, painter: QPainter, line: QRect, row: Row) -> int:
        """Returns the width that the words cannot have."""
        if not row.tag:
            return 0
        pen, font = painter.pen(), painter.font()
        small = QFont(font)
        small.setPointSizeF(0.86 * font.pointSizeF())
        painter.setFont(small)
        width = painter.fontMetrics().horizontalAdvance(row.tag) + 14
        box = QRect(line.right() - width + 1, line.top(), width, line.height())
        painter.setPen(QColor(self._theme.colors.accent))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, row.tag)
        painter.setPen(pen)
        painter.setFont(font)
        return width + 8


def _fill(item: QListWidgetItem, row: Row) -> None:
    item.setData(ROW, row)
    words = ". ".join(part for part in (row.name, row.tag, row.about) if part)
    item.setData(Qt.ItemDataRole.AccessibleTextRole, words)
    item.setToolTip(words)


def _row_of(item: QListWidgetItem | None) -> Row | None:
    row = None if item is None else item.data(ROW)
    return row if isinstance(row, Row) else None


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    return bold


def _elided(
    painter: QPainter,
    option: QStyleOptionViewItem,
    room: QRect,
    words: str,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> None:
    short = option.fontMetrics.elidedText(words, mode, room.width())
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, short)
