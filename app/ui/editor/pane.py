"""The editor: documents in tabs, and what can be said about the one that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QTextCursor
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from app.bridge import EngineBridge
from app.settings import SettingsStore
from app.state.commands import Command
from app.state.editor.background import Background
from app.state.editor.document import Document
from app.state.editor.documents import Documents
from app.state.editor.store import EditRecord
from app.state.text import visible
from app.ui.editor.context_menu import open_context_menu
from app.ui.editor.disk_bar import DiskBar
from app.ui.editor.document_view import DocumentView
from app.ui.editor.editing import Surroundings
from app.ui.editor.empty import EmptyEditor
from app.ui.editor.file_dialogs import FileDialogs
from app.ui.editor.reopening import Reopening
from app.ui.editor.status import StatusRow, describe
from app.ui.editor.tabs import Tabs
from app.ui.editor.text_editor import files_of
from app.ui.notice import Notice
from app.ui.theme import Theme
from app.ui.toast import Toast
from app.ui.widgets import IconButton
from app.words import tr
from engine.messages import Recording

MOST_RECENT = 12


class EditorPane(QWidget):
    """Signals:
    menu_requested(QMenu): it is about to open; fill it.
    """

    menu_requested = Signal(object)

    def __init__(
        self,
        documents: Documents,
        bridge: EngineBridge,
        settings: SettingsStore,
        theme: Theme,
        *,
        is_still: Callable[[], bool],
        wake_model: Callable[[], object],
        is_reserved: Callable[[QKeyEvent], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.documents = documents
        self.commands: Sequence[Command] = ()  # of the editor; the window makes them
        self.settings = settings
        self._bridge = bridge
        self._is_reserved = is_reserved
        self._background = Background("redraft-colours", self)
        self.toast = Toast()
        self.notice = Notice()
        self.around = Surroundings(
            theme=theme,
            settings=settings,
            is_still=is_still,
            wake_model=wake_model,
            note=self.toast.tell,
        )
        self.dialogs = FileDialogs(self, documents)
        self.tabs = Tabs()
        self.disk_bar = DiskBar()
        self._row = StatusRow()
        self.status, self.model = self._row.here, self._row.model
        self.empty = EmptyEditor(theme)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._views: dict[str, DocumentView] = {}
        self._more = IconButton(theme, "more", tr("Everything else (Ctrl+Shift+P)"))
        self._build(theme)
        self._connect()
        self.reopening = Reopening(documents, self.tabs, self.view_of, self.toast.tell, self)
        self.setAcceptDrops(True)
        self._on_current_changed()

    @property
    def view(self) -> DocumentView | None:
        """The document that is shown."""
        current = self._stack.currentWidget()
        return current if isinstance(current, DocumentView) else None

    @property
    def document(self) -> Document | None:
        return None if self.view is None else self.view.document

    def view_of(self, document: Document) -> DocumentView:
        return self._views[document.id]

    # --- what commands do -------------------------------------------------------------------------

    def new(self, text: str = "", language: str = "") -> Document:
        """An empty document, or one with a text from elsewhere."""
        document = self.documents.new(text, language)
        self.view_of(document).editor.moveCursor(QTextCursor.MoveOperation.Start)
        self.show_document(document)
        return document

    def new_document(self) -> None:
        self.new()

    def open(self) -> None:
        self.dialogs.open_files(self.documents.open)

    def save(self) -> None:
        document = self.document
        if document is None:
            return
        if not document.can_write:
            self.toast.tell(tr("“{name}” may be read, but not changed.", name=document.name))
            self.save_as()
        elif document.path is None:
            self.save_as()
        else:
            self.documents.save(document)

    def save_as(self) -> None:
        if (document := self.document) is not None:
            self.dialogs.save_as(document)

    def close_current(self) -> None:
        if (document := self.document) is not None:
            self.close_document(document)

    def close_document(self, document: Document) -> None:
        """Asks first, where something would be lost."""
        if document.is_modified and not (document.path is None and document.is_empty):
            self.dialogs.ask_to_close(document)
        else:
            self.documents.remove(document)

    def step_tab(self, by: int) -> None:
        self.tabs.step(by)

    def escape(self) -> None:
        if self.view is not None:
            self.view.escape()

    def show_document(self, document: Document) -> None:
        self.tabs.choose(document.id)
        self._on_current_changed()

    def focus(self) -> None:
        if self.view is not None:
            self.view.editor.setFocus()
        else:
            self.empty.focus()

    def let_go(self) -> None:
        """Before the application ends: of its thread, and of documents that others delete."""
        self._background.close()
        for view in self._views.values():
            view.let_go()

    # --- Qt ---------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if files_of(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for path in files_of(event.mimeData()):
            self.documents.open(path)
        event.acceptProposedAction()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.documents.look_at_all()

    # --- building ---------------------------------------------------------------------------------

    def _build(self, theme: Theme) -> None:
        new = IconButton(theme, "new", tr("New document (Ctrl+N)"))
        open_ = IconButton(theme, "open", tr("Open a file (Ctrl+O)"))
        new.clicked.connect(self.new_document)
        open_.clicked.connect(self.open)
        menu = QMenu(self._more)
        menu.aboutToShow.connect(lambda: self.menu_requested.emit(menu))
        self._more.setMenu(menu)
        self._more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        top = QHBoxLayout()
        top.setContentsMargins(12, 8, 12, 0)
        top.setSpacing(4)
        top.addWidget(self.tabs)
        top.addStretch(1)
        for button in (new, open_, self._more):
            top.addWidget(button)
        column = QVBoxLayout()
        column.setContentsMargins(12, 0, 12, 10)
        column.setSpacing(6)
        for part in (self.notice, self.disk_bar, self.toast):
            column.addWidget(part)
        column.addWidget(self._stack, 1)
        column.addWidget(self._row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addLayout(column, 1)

    def _connect(self) -> None:
        documents = self.documents
        documents.added.connect(self._on_added)
        documents.removed.connect(self._on_removed)
        documents.shown.connect(self.show_document)
        documents.opened.connect(self._on_opened)
        documents.failed.connect(lambda error: self.notice.tell(error.message, error.remedy))
        documents.noticed.connect(self.toast.tell)
        documents.disk_changed.connect(self._on_disk_changed)
        documents.saved.connect(self._on_saved)
        self.tabs.chosen.connect(lambda _id: self._on_current_changed())
        self.tabs.close_requested.connect(
            lambda document_id: self.close_document(self._views[document_id].document)
        )
        self.disk_bar.load_requested.connect(self._on_load_requested)
        self.empty.new_requested.connect(self.new_document)
        self.empty.open_requested.connect(self.open)
        self.empty.recent_requested.connect(lambda path: documents.open(Path(path)))
        self.settings.changed.connect(lambda _settings: self._on_settings())

    # --- what happens -----------------------------------------------------------------------------

    def _on_added(self, document: Document) -> None:
        view = DocumentView(
            document, self._bridge, self._background, self.around, self._is_reserved
        )
        self._views[document.id] = view
        self._stack.addWidget(view)
        view.caret_moved.connect(self._say)
        view.caret_moved.connect(self.reopening.touch)
        view.editor.menu_requested.connect(partial(self._open_menu, view))
        view.editor.file_dropped.connect(self.documents.open)
        view.editor.zoomed.connect(self._zoom)
        view.session.accepted.connect(self._on_accepted)
        document.state_changed.connect(lambda: self._on_state_changed(document))
        self.tabs.add(document.id, document.name)
        self._on_current_changed()

    def _on_accepted(self, edit: EditRecord, recording: Recording | None) -> None:
        is_kept = self.settings.value.keep_recordings
        self.documents.edit_log.add(edit, recording if is_kept else None)

    def _on_removed(self, document: Document) -> None:
        view = self._views.pop(document.id)
        view.let_go()  # who knows which of the two is deleted first
        self._stack.removeWidget(view)
        view.hide()
        view.deleteLater()
        self.disk_bar.forget(document.id)
        self.tabs.remove(document.id)
        self._on_current_changed()

    def _on_state_changed(self, document: Document) -> None:
        self.tabs.rename(document.id, document.name, is_modified=document.is_modified)
        self._say()

    def _on_current_changed(self) -> None:
        view = self._views.get(self.tabs.current)
        self._stack.setCurrentWidget(view if view is not None else self.empty)
        self.tabs.setVisible(bool(self._views))
        self.empty.show_recent(self.settings.value.recent_files)
        self.disk_bar.show_for(self.document)
        self._say()
        if view is not None and self.isVisible():
            view.editor.setFocus()

    def _on_opened(self, path: Path) -> None:
        earlier = self.settings.value.recent_files
        recent = (str(path), *(each for each in earlier if each != str(path)))
        self.settings.change(recent_files=recent[:MOST_RECENT])

    def _on_saved(self, document: Document) -> None:
        self.disk_bar.forget(document.id)
        self.disk_bar.show_for(self.document)
        self.notice.hide()
        self._views[document.id].refresh()
        self._on_state_changed(document)

    def _on_disk_changed(self, document: Document) -> None:
        self.disk_bar.note(document)
        self.disk_bar.show_for(self.document)

    def _on_load_requested(self) -> None:
        if (document := self.document) is not None:
            self.documents.reload(document)

    def _on_settings(self) -> None:
        for view in self._views.values():
            view.refresh()

    def _open_menu(self, view: DocumentView, at: QPoint) -> None:
        open_context_menu(view, self.commands, at)

    def _zoom(self, by: int) -> None:
        from app.ui.window_commands import resize_text

        resize_text(self.settings, by)

    def _say(self) -> None:
        view = self.view
        self.status.setText("" if view is None else visible(describe(view.document, view.editor)))
