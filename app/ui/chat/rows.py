"""The rows of the chat list: what they say and how they are painted."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QSize,
    QStringListModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QPainter, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import (
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.state.history.rows import TITLE_CHARACTERS, ChatSummary
from app.state.history.search import Hit
from app.state.text import visible
from app.ui.theme import Theme
from app.words import tr

Index = QModelIndex | QPersistentModelIndex
Item = ChatSummary | Hit
Key = tuple[str, str]  # a chat, and a message in it or nothing

DOT = 3.5  # radius, pixels
LEAD = 12  # characters before the first match: a row is narrow


@dataclass(frozen=True, kw_only=True)
class ChatRow:
    title: str
    snippet: str = ""  # of a message that a search found
    ranges: tuple[tuple[int, int], ...] = ()  # of the words found in the snippet, in code points
    is_busy: bool = False


def key_of(item: Item) -> Key:
    if isinstance(item, Hit):
        return item.chat_id, item.message_id or ""
    return item.id, ""


def row_of(item: Item, busy: frozenset[str]) -> ChatRow:
    title = _name(item.title) or tr("New chat")
    is_busy = key_of(item)[0] in busy
    if isinstance(item, ChatSummary) or item.message_id is None:  # a title says it all
        return ChatRow(title=title, is_busy=is_busy)
    cut = max(0, item.ranges[0][0] - LEAD) if item.ranges else 0
    start = item.snippet.find(" ", cut, cut + LEAD) + 1 if cut else 0
    lead = "…" if start else ""
    shift = len(lead) - start
    return ChatRow(
        title=title,
        snippet=lead + item.snippet[start:],
        ranges=tuple((first + shift, last + shift) for first, last in item.ranges),
        is_busy=is_busy,
    )


def _words(item: Item) -> object:
    """All of it that a row shows."""
    return (item.title, item.snippet, item.ranges) if isinstance(item, Hit) else item.title


def _name(title: str) -> str:
    return visible(title).replace("\n", " ").strip()


class ChatRows(QStringListModel):
    """Chats, or what a search found. A row is made when it is looked at: there may be thousands.

    Of QStringListModel only the counting is used: a view counts the rows for each row it places,
    and asking Python 10,000 times would be felt.

    Signals:
        renamed(str, str): a chat, and the title that was typed for it.
    """

    renamed = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items: tuple[Item, ...] = ()
        self._keys: list[Key] = []
        self.busy: frozenset[str] = frozenset()  # chats that are being answered

    @property
    def keys(self) -> list[Key]:
        return self._keys

    def show(self, items: tuple[Item, ...]) -> bool:
        """Whether they are other rows. Where only their words are new, everything stays in place."""
        keys = [key_of(item) for item in items]
        if keys != self._keys:
            self._items, self._keys = items, keys
            self.setStringList([chat_id for chat_id, _ in keys])
            return True
        old, self._items = self._items, items
        for place, (item, before) in enumerate(zip(items, old, strict=True)):
            if _words(item) != _words(before):
                self.dataChanged.emit(self.index(place), self.index(place))
        return False

    def key(self, index: Index) -> Key | None:
        return self._keys[index.row()] if index.isValid() else None

    def place(self, key: Key | None) -> QModelIndex:
        """Where it is now; not valid if it is not here."""
        return self.index(self._keys.index(key)) if key in self._keys else QModelIndex()

    def chat(self, chat_id: str) -> QModelIndex:
        """The first row of a chat; not valid if it has none."""
        found = (place for place, key in enumerate(self._keys) if key[0] == chat_id)
        return self.index(next(found, -1))

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        item = self._items[index.row()]
        match role:
            case Qt.ItemDataRole.UserRole:
                return row_of(item, self.busy)
            case Qt.ItemDataRole.DisplayRole:
                return row_of(item, self.busy).title
            case Qt.ItemDataRole.EditRole:
                return _name(item.title)
            case Qt.ItemDataRole.AccessibleTextRole:
                row = row_of(item, self.busy)
                busy = tr("being answered") if row.is_busy else ""
                return ", ".join(part for part in (row.title, row.snippet, busy) if part)
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        item, title = self._items[index.row()], str(value).strip()
        if title == _name(item.title):
            return False
        self.renamed.emit(key_of(item)[0], title)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        flag = Qt.ItemFlag
        return flag.ItemIsSelectable | flag.ItemIsEnabled | flag.ItemIsEditable


class ChatRowDelegate(QStyledItemDelegate):
    """The title, for a search a line of what was found, and a dot while the chat is answered."""

    def __init__(self, theme: Theme, parent: QListView) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        row: ChatRow = index.data(Qt.ItemDataRole.UserRole)
        lines = 2 if row.snippet else 1
        height = lines * option.fontMetrics.lineSpacing() + round(16 * self._theme.scale)
        return QSize(100, height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row: ChatRow = index.data(Qt.ItemDataRole.UserRole)
        colors, state = self._theme.colors, option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        is_chosen = bool(state & QStyle.StateFlag.State_Selected)
        if is_chosen or state & QStyle.StateFlag.State_MouseOver:
            shade = QColor(colors.raised)
            shade.setAlphaF(1.0 if is_chosen else 0.5)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(shade)
            painter.drawRoundedRect(option.rect.adjusted(0, 1, 0, -1), 8, 8)
        if is_chosen and state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QColor(colors.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(option.rect.adjusted(1, 2, -1, -2), 7, 7)
        room = option.rect.adjusted(10, 0, -10, 0)
        if row.is_busy:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent))
            painter.drawEllipse(QPointF(room.right() - DOT, room.center().y() + 0.5), DOT, DOT)
            room.setRight(room.right() - 16)
        self._write(painter, option, row, room)
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        field = QLineEdit(parent)
        field.setAccessibleName(tr("Title of the chat"))
        field.setMaxLength(TITLE_CHARACTERS)
        return field

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        editor.setGeometry(option.rect.adjusted(0, 1, 0, -1))

    def _write(
        self, painter: QPainter, option: QStyleOptionViewItem, row: ChatRow, room: QRect
    ) -> None:
        painter.setFont(QFont(option.font))
        title_room = QRect(room)
        if row.snippet:
            half = room.height() // 2
            title_room.setHeight(half + 3)
            below = QRect(room.left(), room.top() + half - 3, room.width(), half)
            self._write_snippet(painter, option, row, below)
        painter.setPen(QColor(self._theme.colors.text))
        title = option.fontMetrics.elidedText(
            row.title, Qt.TextElideMode.ElideRight, title_room.width()
        )
        painter.drawText(title_room, Qt.AlignmentFlag.AlignVCenter, title)

    def _write_snippet(
        self, painter: QPainter, option: QStyleOptionViewItem, row: ChatRow, room: QRect
    ) -> None:
        """What was found stands out against what is around it."""
        colors, metrics = self._theme.colors, option.fontMetrics
        text = metrics.elidedText(row.snippet, Qt.TextElideMode.ElideRight, room.width())
        layout = QTextLayout(text, QFont(option.font))
        alignment = QTextOption(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignAbsolute)
        alignment.setWrapMode(QTextOption.WrapMode.NoWrap)
        layout.setTextOption(alignment)
        layout.setFormats([_found(row.snippet, each, colors.text) for each in row.ranges])
        layout.beginLayout()
        line = layout.createLine()
        line.setLineWidth(room.width())
        layout.endLayout()
        painter.setPen(QColor(colors.muted))
        layout.draw(painter, QPointF(room.left(), room.center().y() - line.height() / 2))


def _found(text: str, between: tuple[int, int], color: str) -> QTextLayout.FormatRange:
    """Qt counts UTF-16 units."""
    part = QTextLayout.FormatRange()
    part.start = len(text[: between[0]].encode("utf-16-le")) // 2
    part.length = len(text[between[0] : between[1]].encode("utf-16-le")) // 2
    form = QTextCharFormat()
    form.setForeground(QColor(color))
    form.setFontWeight(QFont.Weight.DemiBold)
    part.format = form
    return part
