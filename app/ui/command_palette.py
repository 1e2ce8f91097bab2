"""Type a few letters, press Enter: every command and every chat by name, without the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.state.commands import Command, matching
from app.state.text import visible
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import plural, tr

WIDTH = 560
SHOWN = 100  # rows at most: nobody reads on, and thousands of chats would take their time
ROWS = 9  # high

Provider = Callable[[], Sequence[Command]]
Index = QModelIndex | QPersistentModelIndex


class CommandPalette(QDialog):
    """Asks every provider anew each time it opens, so what it offers is always of now.

    Signals:
        used(str): the id of the command that runs next. Whoever owns the settings remembers it.
    """

    used = Signal(str)

    def __init__(self, theme: Theme, providers: Sequence[Provider], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("popup")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)  # around round corners
        self.setWindowTitle(tr("Commands"))
        self._theme = theme
        self._providers = tuple(providers)
        self._commands: list[Command] = []
        self._recent: Sequence[str] = ()
        self._rows = Rows(self)
        self._field = QLineEdit()
        self._field.setPlaceholderText(tr("Find a command or a chat"))
        self._field.setAccessibleName(tr("Find a command or a chat"))
        self._field.textChanged.connect(self._search)
        self._field.installEventFilter(self)
        self._list = QListView()
        self._list.setModel(self._rows)
        self._list.setItemDelegate(RowDelegate(theme, self._list))
        self._list.setAccessibleName(tr("Commands"))
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the field keeps it, and steers the list
        self._list.setUniformItemSizes(True)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.clicked.connect(self._run)
        self._nothing = plain_label(tr("Nothing has that name"), muted=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(6)
        layout.addWidget(self._field)
        layout.addWidget(self._nothing)
        layout.addWidget(self._list, 1)

    def open_with(self, recent: Sequence[str] = ()) -> None:
        """Shows itself empty, with the `recent` commands (ids, latest first) on top."""
        self._recent = tuple(recent)
        self._commands = [
            command
            for provider in self._providers
            for command in provider()
            if command.is_enabled()
        ]
        self._field.clear()
        self._search("")
        self._place()
        self.open()
        self._field.setFocus()

    @property
    def titles(self) -> list[str]:
        """What is offered, from the top."""
        return [command.title for command in self._rows.commands]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._steer(event)
        return super().eventFilter(watched, event)

    def _steer(self, event: QKeyEvent) -> bool:
        """Whether the key moved in the list or ran something; else the field has it."""
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: ROWS - 1,
            Qt.Key.Key_PageUp: 1 - ROWS,
        }
        key = Qt.Key(event.key())
        if key in steps:
            self._move(steps[key], wrap=abs(steps[key]) == 1)
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._run(self._list.currentIndex())
            return True
        return False

    def _move(self, by: int, *, wrap: bool) -> None:
        count = len(self._rows.commands)
        if count:
            row = self._list.currentIndex().row() + by
            self._choose(row % count if wrap else min(max(0, row), count - 1))

    def _choose(self, row: int) -> None:
        index = self._rows.index(row)
        self._list.setCurrentIndex(index)
        self._list.scrollTo(index)
        # a screen reader stays with the field, so the field says what Enter would do
        self._field.setAccessibleDescription(str(index.data(Qt.ItemDataRole.AccessibleTextRole)))

    def _search(self, query: str) -> None:
        found = matching(query, self._commands, self._recent)[:SHOWN]
        self._rows.show(found)
        self._nothing.setVisible(not found)
        self._list.setVisible(bool(found))
        if found:
            self._choose(0)
        else:
            self._field.setAccessibleDescription(self._nothing.text())
        self._list.setToolTip(plural("{count} match", "{count} matches", len(found)))

    def _run(self, index: Index) -> None:
        if not index.isValid():
            return
        command = self._rows.commands[index.row()]
        self.accept()
        if command.is_enabled():  # it may have changed while this was open
            self.used.emit(command.id)
            command.run()

    def _place(self) -> None:
        parent = self.parentWidget()
        window = parent.window() if parent is not None else self
        width = min(round(WIDTH * self._theme.scale), window.width() - 32)
        height = self._field.sizeHint().height() + 40 + ROWS * self._list.sizeHintForRow(0)
        self.resize(width, min(max(height, 200), window.height() - 32))
        corner = window.mapToGlobal(window.rect().topLeft())
        self.move(corner.x() + (window.width() - self.width()) // 2, corner.y() + 56)


class Rows(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.commands: list[Command] = []

    def show(self, commands: list[Command]) -> None:
        self.beginResetModel()
        self.commands = commands
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.commands)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        command = self.commands[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return visible(command.title)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            parts = (visible(command.title), command.group, command.shortcut)
            return ", ".join(part for part in parts if part)
        if role == Qt.ItemDataRole.UserRole:
            return command
        return None


class RowDelegate(QStyledItemDelegate):
    """The title on the left, its kind and its shortcut on the right."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, option.fontMetrics.height() + round(14 * self._theme.scale))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        command: Command = index.data(Qt.ItemDataRole.UserRole)
        colors = self._theme.colors
        is_chosen = index == self.parent_view.currentIndex()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if is_chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent))
            painter.drawRoundedRect(option.rect.adjusted(1, 1, -1, -1), 6, 6)
        painter.setFont(QFont(option.font))
        room = option.rect.adjusted(12, 0, -12, 0)
        quiet = " · ".join(part for part in (command.group, command.shortcut) if part)
        quiet_width = option.fontMetrics.horizontalAdvance(quiet)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(QColor(colors.on_accent if is_chosen else colors.muted))
        painter.drawText(room, middle | Qt.AlignmentFlag.AlignRight, quiet)
        left = QRect(room.left(), room.top(), room.width() - quiet_width - 16, room.height())
        painter.setPen(QColor(colors.on_accent if is_chosen else colors.text))
        title = option.fontMetrics.elidedText(
            str(index.data()).replace("\n", " "), Qt.TextElideMode.ElideRight, left.width()
        )
        painter.drawText(left, middle | Qt.AlignmentFlag.AlignLeft, title)
        painter.restore()

    @property
    def parent_view(self) -> QListView:
        view = self.parent()
        assert isinstance(view, QListView)
        return view


def remembered(recent: Sequence[str], used: str, most: int) -> tuple[str, ...]:
    """`recent` with `used` on top."""
    return (used, *(each for each in recent if each != used))[:most]
