"""The chats on the left: a field that searches them, and the list, newest first."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from app.state.history.rows import ChatSummary
from app.state.history.search import Hit
from app.state.text import is_blank
from app.ui.chat.rows import ChatRowDelegate, ChatRows, Item
from app.ui.theme import Theme
from app.ui.widgets import IconButton, plain_label
from app.words import tr

SEARCH_DELAY_MS = 60

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class _Search:
    query: str = ""
    hits: tuple[Hit, ...] | None = None  # None: not answered yet


class ChatList(QWidget):
    """Signals:
    chosen(str): a chat.
    message_chosen(str, str): a chat and a message in it, from a search.
    new_requested(), search_requested(str)
    search_ended(): what was searched for last is no longer wanted.
    rename_requested(str, str): a chat and its title; delete_requested(str); export_requested(str).
    """

    chosen = Signal(str)
    message_chosen = Signal(str, str)
    new_requested = Signal()
    search_requested = Signal(str)
    search_ended = Signal()
    rename_requested = Signal(str, str)
    delete_requested = Signal(str)
    export_requested = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._summaries: tuple[ChatSummary, ...] = ()
        self._current = ""
        self._search = _Search()
        self._field = _Field()
        self._new = IconButton(theme, "new", tr("New chat (Ctrl+N)"))
        self._view = _View()
        self._model = ChatRows(self)
        self._nothing = plain_label(muted=True)
        self._timer = QTimer(self, singleShot=True, interval=SEARCH_DELAY_MS)
        self._build(theme)
        self._connect()
        self._refresh()

    @property
    def titles(self) -> tuple[str, ...]:
        indexes = (self._model.index(place) for place in range(self._model.rowCount()))
        return tuple(str(index.data()) for index in indexes)

    @property
    def view(self) -> QListView:
        return self._view

    def show_chats(self, summaries: tuple[ChatSummary, ...]) -> None:
        self._summaries = summaries
        self._refresh()
        if self._search.query and not self._timer.isActive():
            self._timer.start()  # what is found may be another thing now

    def show_busy(self, chat_ids: frozenset[str]) -> None:
        self._model.busy = chat_ids
        self._view.viewport().update()

    def show_current(self, chat_id: str) -> None:
        if chat_id != self._current:
            self._current = chat_id
            self._mark_current()

    def show_hits(self, hits: tuple[Hit, ...]) -> None:
        """The answer to `search_requested`."""
        if self._search.query:
            self._search = _Search(self._search.query, hits)
            self._refresh()

    def focus_search(self) -> None:
        self._field.setFocus()
        self._field.selectAll()

    def begin_rename(self, chat_id: str) -> None:
        """Opens the field in the row of the chat. A search that hides the row ends."""
        if not self._model.chat(chat_id).isValid():
            self._field.clear()
        index = self._model.chat(chat_id)
        if index.isValid():
            self._view.setCurrentIndex(index)
            self._view.edit(index)

    def menu_for(self, index: Index) -> QMenu:
        """What can be done with the chat of a row."""
        chat_id, _ = self._model.keys[index.row()]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(tr("Rename"), lambda: self.begin_rename(chat_id))
        menu.addAction(tr("Export…"), lambda: self.export_requested.emit(chat_id))
        menu.addSeparator()
        menu.addAction(tr("Delete"), lambda: self.delete_requested.emit(chat_id))
        return menu

    def _build(self, theme: Theme) -> None:
        self._field.setPlaceholderText(tr("Search chats"))
        self._field.setAccessibleName(tr("Search chats"))
        self._field.setClearButtonEnabled(True)
        self._view.setModel(self._model)
        self._view.setItemDelegate(ChatRowDelegate(theme, self._view))
        self._view.setAccessibleName(tr("Chats"))
        self._view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        top = QHBoxLayout()
        top.setSpacing(6)
        top.addWidget(self._field, 1)
        top.addWidget(self._new)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 10, 10, 10)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self._nothing)
        layout.addWidget(self._view, 1)

    def _connect(self) -> None:
        self._field.textChanged.connect(self._on_typed)
        self._field.left.connect(self._enter_list)
        self._timer.timeout.connect(lambda: self.search_requested.emit(self._search.query))
        self._new.clicked.connect(self.new_requested)
        self._model.renamed.connect(self.rename_requested)
        self._view.clicked.connect(self._choose)
        self._view.activated.connect(self._choose)
        self._view.removed.connect(self._delete)
        self._view.left.connect(self._mark_current)
        self._view.edited.connect(self._refresh)
        self._view.customContextMenuRequested.connect(self._open_menu)

    def _refresh(self) -> None:
        """Shows what is known now, and leaves one where one was in the list."""
        if self._view.is_editing:  # the title that is being typed would be lost
            return
        hits = self._search.hits
        items: tuple[Item, ...] = self._summaries
        if hits is not None:
            known = {summary.id for summary in self._summaries}
            items = tuple(hit for hit in hits if hit.chat_id in known)
        self._nothing.setText(
            tr("Your chats will be listed here.") if hits is None else tr("Nothing found.")
        )
        self._nothing.setVisible(not items)
        here, bar = self._view.currentIndex(), self._view.verticalScrollBar()
        key, place, above = self._model.key(here), here.row(), bar.value()
        is_search = not self._view.uniformItemSizes()
        if is_search is (hits is None):  # from the one to the other
            self._view.setUniformItemSizes(hits is None)
            key, above = None, 0
        if not self._model.show(items):
            return
        found = self._model.place(key)
        if not found.isValid() and key is not None and self._view.hasFocus():
            found = self._model.index(min(place, len(items) - 1))  # its row is gone
        if not found.isValid():
            self._mark_current()
        else:
            self._view.setCurrentIndex(found)
        if key is not None or hits is not None:
            self._view.doItemsLayout()
            bar.setValue(above)

    def _mark_current(self) -> None:
        index = self._model.chat(self._current)
        if not index.isValid():
            self._view.clearSelection()
        self._view.setCurrentIndex(index)

    def _on_typed(self, text: str) -> None:
        self.search_ended.emit()
        if is_blank(text):
            self._timer.stop()
            self._search = _Search()
            self._refresh()
        else:
            self._search = _Search(text, self._search.hits)
            self._timer.start()

    def _enter_list(self) -> None:
        """From the field to the first row; Enter opens it."""
        if self._search.query and self._model.rowCount():
            self._view.setCurrentIndex(self._model.index(0))
        self._view.setFocus()

    def _choose(self, index: Index) -> None:
        chat_id, message_id = self._model.keys[index.row()]
        if message_id:
            self.message_chosen.emit(chat_id, message_id)
        else:
            self.chosen.emit(chat_id)

    def _delete(self, index: Index) -> None:
        self.delete_requested.emit(self._model.keys[index.row()][0])

    def _open_menu(self, point: QPoint) -> None:
        index = self._view.indexAt(point)
        if index.isValid():
            self.menu_for(index).popup(self._view.viewport().mapToGlobal(point))


class _Field(QLineEdit):
    """Escape empties it, Enter and Down go on to the list.

    Signals:
        left()
    """

    left = Signal()

    def event(self, event: QEvent) -> bool:
        is_asked_for = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if event.type() == QEvent.Type.ShortcutOverride and is_asked_for and self.text():
            event.accept()  # in the window Escape stops an answer
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Escape if self.text():
                self.clear()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Down:
                self.left.emit()
            case _:
                super().keyPressEvent(event)


class _View(QListView):
    """Enter opens, F2 renames, Delete removes.

    Signals:
        removed(QModelIndex)
        left(): the keyboard is elsewhere now.
        edited(): the field in a row is closed.
    """

    removed = Signal(object)
    left = Signal()
    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QListView.EditTrigger.EditKeyPressed)

    @property
    def is_editing(self) -> bool:
        return self.state() is QListView.State.EditingState

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        super().closeEditor(editor, hint)
        self.edited.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self.activated.emit(index)
        elif event.key() == Qt.Key.Key_Delete and index.isValid():
            self.removed.emit(index)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        elsewhere = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)
        if not self.is_editing and event.reason() not in elsewhere:
            self.left.emit()
