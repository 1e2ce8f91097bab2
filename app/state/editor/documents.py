"""All open documents: which there are, how they come from files and get back into them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, Signal
from PySide6.QtGui import QTextDocument

from app.state.conversation import new_id
from app.state.editor import files
from app.state.editor.background import Background
from app.state.editor.document import Document, Reading
from app.state.editor.edit_log import EditLog
from app.state.editor.encoding import FileText
from app.state.editor.files import FileError, OpenedFile, Stamp, Written
from app.state.editor.journal import Journal
from app.state.editor.kept_tabs import KeptTabs
from app.state.editor.store import Draft, Store
from app.state.text import clean, visible
from app.words import tr


class Documents(QObject):
    """No call waits for the disk. `close` before deletion.

    Signals:
        added(Document): its text may still be on its way, see `Document.filled`.
        shown(Document): somebody asked for it, and it is open already.
        removed(Document)
        saved(Document)
        opened(Path): a file was read or written: it belongs to the recent ones.
        disk_changed(Document): another program has changed its file, or removed it.
        failed(FileError): what was asked for did not work.
        noticed(str): one plain sentence about something that did.
        closing(): the last moment to say which are open now.
    """

    added = Signal(object)
    shown = Signal(object)
    removed = Signal(object)
    saved = Signal(object)
    opened = Signal(object)
    disk_changed = Signal(object)
    failed = Signal(object)
    noticed = Signal(str)
    closing = Signal()

    def __init__(
        self,
        data: Path,
        prepare: Callable[[QTextDocument], object],
        parent: QObject | None = None,
    ) -> None:
        """`prepare` gives a new QTextDocument the layout of the views."""
        super().__init__(parent)
        self._prepare = prepare
        self._all: list[Document] = []
        self._numbers = 0
        self._is_closed = False
        self._reading: dict[str, Reading] = {}  # what is on its way to be saved
        self._background = Background("redraft-documents", self)
        self._journal = Journal(data, self._background, self)
        self._journal.failed.connect(self._on_journal_failed)
        self.edit_log = EditLog(self._journal)
        self.tabs = KeptTabs(self._journal, self)
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(lambda path: self._look_at(Path(path)))

    @property
    def all(self) -> tuple[Document, ...]:
        return tuple(self._all)

    def start(self, recording_days: int) -> None:
        """Offers again what was typed in earlier runs and not saved. Older recordings go."""
        self._journal.ask(Store.drafts, self._on_drafts)
        self.tabs.start()
        self.edit_log.start(recording_days)

    def new(self, text: str = "", language: str = "") -> Document:
        """A document without a file. `text` is something that is not saved yet."""
        document = self._make(new_id(), FileText(), language=language)
        document.fill("", at_once=True)
        if text:
            document.text_document.setPlainText(clean(text))
            document.text_document.clearUndoRedoStacks()
            document.mark_modified()
        return document

    def open(self, path: Path) -> None:
        path = path.absolute()
        for document in self._all:
            if document.path == path:
                self.shown.emit(document)
                return
        self._background.run(lambda: files.read(path), self._on_read, self._on_failed)

    def save(
        self,
        document: Document,
        path: Path | None = None,
        on_saved: Callable[[], object] = lambda: None,
    ) -> None:
        """To its file, or to another one that becomes its file."""
        target = (path or document.path or Path()).absolute()
        if any(each.path == target and each is not document for each in self._all):
            self.failed.emit(
                FileError(
                    tr("“{name}” is open in another tab.", name=visible(target.name)),
                    tr("Save your text under another name."),
                )
            )
            return
        reading = document.read(
            lambda text, revision: self._write(document, target, text, revision, on_saved)
        )
        if not reading.is_done:
            self._reading[document.id] = reading

    def reload(self, document: Document) -> None:
        """Takes the text of the file. One step to undo."""
        path = document.path
        if path is not None:
            self._background.run(
                lambda: files.read(path), partial(self._on_reloaded, document), self._on_failed
            )

    def remove(self, document: Document) -> None:
        """Closes it. What is not saved is forgotten."""
        if document in self._all:
            self._all.remove(document)
            self._reading.pop(document.id, None)
            self._journal.forget(document)
            self._watch()
            self.removed.emit(document)
            document.deleteLater()

    def look_at_all(self) -> None:
        """Whether other programs have changed the files, for systems that do not tell."""
        for document in self._all:
            if document.path is not None:
                self._look_at(document.path)

    def flush(self) -> None:
        self._journal.flush()

    def close(self) -> None:
        """What is not saved is on the disk when this returns, and offered again at the next start."""
        if not self._is_closed:
            self.closing.emit()
            self._is_closed = True
            for reading in tuple(self._reading.values()):
                reading.finish()
            self._journal.close()
            self._background.close()

    # --- what happens -----------------------------------------------------------------------------

    def _make(
        self,
        document_id: str,
        file: FileText,
        path: Path | None = None,
        *,
        language: str = "",
        is_kept: bool = False,
    ) -> Document:
        """`is_kept` says that the journal has its text, and that it is not saved."""
        document = Document(document_id, file, path, self, language=language)
        self._prepare(document.text_document)
        if path is None:
            self._numbers += 1
            document.number = self._numbers
        on_filled = self._on_draft_filled if is_kept else self._journal.follow
        document.filled.connect(partial(on_filled, document))
        document.state_changed.connect(partial(self._on_state_changed, document))
        self._all.append(document)
        self.added.emit(document)
        self._watch()
        return document

    def _on_read(self, found: OpenedFile) -> None:
        for document in self._all:
            if document.path == found.path:  # asked for twice
                self.shown.emit(document)
                return
        document = self._make(new_id(), found.file, found.path)
        document.stamp, document.can_write = found.stamp, found.can_write
        document.fill(found.file.text)
        self.opened.emit(found.path)

    def _on_drafts(self, drafts: tuple[Draft, ...]) -> None:
        for draft in drafts:
            self._make(draft.id, draft.file, draft.path, is_kept=True).fill(draft.text)
        if drafts:
            self.noticed.emit(tr("What you had not saved is here again."))

    def _on_draft_filled(self, document: Document) -> None:
        document.mark_modified()
        self._journal.follow(document, is_kept=True)
        if document.path is not None:
            self._compare(document, document.path)

    def _compare(self, document: Document, path: Path) -> None:
        """Whether the file is still what this text began with."""

        def on_read(found: OpenedFile) -> None:
            if document not in self._all:
                return
            document.stamp, document.can_write = found.stamp, found.can_write
            if found.file != document.saved:
                self.disk_changed.emit(document)

        self._background.run(
            lambda: files.read(path), on_read, lambda _error: self._on_gone(document)
        )

    def _on_gone(self, document: Document) -> None:
        if document in self._all:
            self.disk_changed.emit(document)

    def _on_written(self, document: Document, path: Path, revision: int, written: Written) -> None:
        old_key = document.key
        document.path, document.stamp, document.can_write = path, written.stamp, True
        document.mark_saved(written.file, revision)
        self._journal.saved(document)
        if document.key != old_key:
            self.edit_log.rename(old_key, document.key)
        self._watch()
        if written.is_other_encoding:
            self.noticed.emit(tr("Saved as UTF-8: the old encoding lacks some of its letters."))
        self.opened.emit(path)
        self.saved.emit(document)

    def _write(
        self,
        document: Document,
        path: Path,
        text: str,
        revision: int,
        on_saved: Callable[[], object],
    ) -> None:
        """Brings the text of this moment to the disk."""
        self._reading.pop(document.id, None)
        self._journal.saving(document)

        def on_failed(error: Exception) -> None:
            self._journal.not_saved(document.id)
            self._on_failed(error)

        def on_written(written: Written) -> None:
            if document in self._all:
                self._on_written(document, path, revision, written)
                on_saved()

        like = document.saved
        self._background.run(lambda: files.write_text(path, text, like), on_written, on_failed)

    def _on_reloaded(self, document: Document, found: OpenedFile) -> None:
        if document not in self._all:
            return
        document.stamp, document.can_write = found.stamp, found.can_write
        document.replace_all(found.file.text)
        document.mark_saved(found.file, document.text_document.revision())
        self._journal.settle(document.id)

    def _on_state_changed(self, document: Document) -> None:
        if not document.is_modified and document.is_filled:
            self._journal.settle(document.id)

    def _look_at(self, path: Path) -> None:
        document = next((each for each in self._all if each.path == path), None)
        if document is None:
            return

        def on_stamp(stamp: Stamp | None) -> None:
            if document in self._all and document.path == path and stamp != document.stamp:
                document.stamp = stamp
                self.disk_changed.emit(document)
            self._watch()  # a file that is replaced is no longer watched

        self._background.run(lambda: files.stamp_of(path), on_stamp)

    def _watch(self) -> None:
        wanted = {str(each.path) for each in self._all if each.path is not None}
        watched = set(self._watcher.files())
        if watched - wanted:
            self._watcher.removePaths(sorted(watched - wanted))
        if wanted - watched:
            self._watcher.addPaths(sorted(wanted - watched))

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, FileError):
            error = FileError(tr("Something went wrong with this file."), str(error))
        self.failed.emit(error)

    def _on_journal_failed(self) -> None:
        self.failed.emit(
            FileError(
                tr("What you type in documents cannot be kept safe at the moment."),
                tr("Save your documents. Make sure that the disk has room."),
            )
        )
