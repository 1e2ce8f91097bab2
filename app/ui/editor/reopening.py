"""The files that were open in the last run are open in this one, where one was in each of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from app.state.editor.document import Document
from app.state.editor.documents import Documents
from app.state.editor.kept_tabs import OldTabs
from app.state.editor.store import Tab
from app.state.text import visible
from app.ui.editor.document_view import DocumentView
from app.ui.editor.tabs import Tabs
from app.words import plural

DELAY_MS = 1_000


class Reopening(QObject):
    """`note` tells the user of files that are gone. Build it behind what makes the views."""

    def __init__(
        self,
        documents: Documents,
        tabs: Tabs,
        view_of: Callable[[Document], DocumentView],
        note: Callable[[str], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._documents = documents
        self._tabs = tabs
        self._view_of = view_of
        self._note = note
        self._is_known = False  # before that nothing is kept: it would take the place of the old
        self._waiting: dict[str, Tab] = {}  # on their way from the disk
        self._shown = ""
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.keep)
        documents.tabs.known.connect(self._on_known)
        documents.added.connect(self._on_added)
        documents.removed.connect(lambda _document: self.touch())
        documents.saved.connect(lambda _document: self.touch())
        documents.closing.connect(self.keep)
        tabs.currentChanged.connect(lambda _number: self.touch())
        tabs.tabMoved.connect(lambda _from, _to: self.touch())

    def touch(self) -> None:
        """One is somewhere else now."""
        if not self._timer.isActive():
            self._timer.start()

    def keep(self) -> None:
        """What is open now, for the next start."""
        if not self._is_known:
            return
        ids = {document.id: document for document in self._documents.all}
        here = [self._tab_of(ids[each]) for each in self._tabs.ids if each in ids]
        self._documents.tabs.keep((*here, *self._waiting.values()))

    def _tab_of(self, document: Document) -> Tab:
        if document.key in self._waiting:  # its text is not all there yet
            return self._waiting[document.key]
        editor = self._view_of(document).editor
        return Tab(
            document=document.key,
            caret=editor.textCursor().position(),
            top=editor.firstVisibleBlock().blockNumber(),
            is_shown=document.id == self._tabs.current,
        )

    def _on_known(self, old: OldTabs) -> None:
        self._is_known = True
        self._shown = next((each.document for each in old.tabs if each.is_shown), "")
        is_open = {document.key: document for document in self._documents.all}
        for tab in old.tabs:
            if tab.document in is_open:
                self._place(is_open[tab.document], tab)
            elif Path(tab.document).is_absolute() and tab.document not in old.gone:
                self._waiting[tab.document] = tab
                self._documents.open(Path(tab.document))
        if self._shown in is_open:
            self._tabs.choose(is_open[self._shown].id)
        self._tell(sorted(Path(each).name for each in old.gone if each not in is_open))

    def _on_added(self, document: Document) -> None:
        tab = self._waiting.get(document.key)
        if tab is None:
            self.touch()
            return
        self._place(document, tab)
        shown = [each.id for each in self._documents.all if each.key == self._shown]
        if shown:
            self._tabs.choose(shown[0])

    def _place(self, document: Document, tab: Tab) -> None:
        if document.is_filled:
            self._show(document, tab)
        else:
            document.filled.connect(partial(self._show, document, tab))

    def _show(self, document: Document, tab: Tab) -> None:
        """Where one was in it."""
        self._waiting.pop(tab.document, None)
        editor = self._view_of(document).editor
        cursor = editor.textCursor()
        cursor.setPosition(min(tab.caret, document.units))
        editor.setTextCursor(cursor)
        top = document.text_document.findBlockByNumber(tab.top)
        if top.isValid():
            editor.verticalScrollBar().setValue(top.firstLineNumber())

    def _tell(self, gone: list[str]) -> None:
        if gone:
            words = plural(
                "“{name}” was open and is not there any more.",
                "{count} files that were open are not there any more, “{name}” for one.",
                len(gone),
                name=visible(gone[0]),
            )
            self._note(words)
