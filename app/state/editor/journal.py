"""Keeps what is typed in documents on the disk, at most a quarter of a second behind.

Each change is written for itself, so that a long document costs no more than a short one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from app.state.editor.background import Background
from app.state.editor.changes import Change
from app.state.editor.document import Document
from app.state.editor.encoding import FileText
from app.state.editor.store import Store

log = logging.getLogger(__name__)

DELAY_MS = 150

T = TypeVar("T")


class Journal(QObject):
    """Follows documents from `follow` to `forget`. The store is used on the thread of `background`.

    Signals:
        failed(): what is typed cannot be kept at the moment. Once until it can.
    """

    failed = Signal()

    def __init__(self, data: Path, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._data = data
        self._background = background
        self._store: Store | None = None  # on the other thread only
        self._begun: set[str] = set()
        self._waiting: dict[str, list[Change]] = {}
        self._since: dict[str, list[Change]] = {}  # typed while the document is being written
        self._documents: dict[str, Document] = {}
        self._under_way: set[str] = set()  # one write of a document at a time keeps the order
        self._is_failing = False
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.flush)

    def ask(self, question: Callable[[Store], T], on_answer: Callable[[T], object]) -> None:
        """Whatever else the store knows. Faults are told as `failed`."""
        self._background.run(lambda: question(self._opened()), on_answer, self._on_failed)

    def follow(self, document: Document, *, is_kept: bool = False) -> None:
        """`is_kept` says that the store has the document as it is now."""
        self._documents[document.id] = document
        if is_kept:
            self._begun.add(document.id)
        document.edited.connect(partial(self._on_edited, document.id))

    def forget(self, document: Document) -> None:
        """Nobody wants its unsaved text any more."""
        self._documents.pop(document.id, None)
        self.settle(document.id)

    def saving(self, document: Document) -> None:
        """The text of this moment is being written to its file."""
        self._since[document.id] = []

    def saved(self, document: Document) -> None:
        """That text is in its file; what was typed since begins anew."""
        since = self._since.pop(document.id, [])
        self.settle(document.id)
        if since:
            self._waiting[document.id] = since
            self._timer.start()

    def not_saved(self, document_id: str) -> None:
        self._since.pop(document_id, None)

    def settle(self, document_id: str) -> None:
        """There is nothing of this document that is not in its file."""
        self._waiting.pop(document_id, None)
        if document_id in self._begun:
            self._begun.discard(document_id)
            self._background.run(lambda: self._opened().end(document_id), on_failed=self._on_failed)

    def flush(self) -> None:
        """Hands on what waits."""
        for document_id in self._waiting.keys() - self._under_way:
            self._hand_on(document_id)

    def close(self) -> None:
        """Hands on everything. It is on the disk when the background thread has ended."""
        for document_id in tuple(self._waiting):
            self._hand_on(document_id)
        self._background.run(lambda: self._store.close() if self._store is not None else None)

    def _on_edited(self, document_id: str, change: Change) -> None:
        self._waiting.setdefault(document_id, []).append(change)
        if document_id in self._since:
            self._since[document_id].append(change)
        if not self._timer.isActive():
            self._timer.start()

    def _hand_on(self, document_id: str) -> None:
        changes = self._waiting.pop(document_id)
        document = self._documents.get(document_id)
        if document is None:
            return
        base = None if document_id in self._begun else document.saved
        self._begun.add(document_id)
        self._under_way.add(document_id)
        self._background.run(
            partial(self._write, document_id, document.path, base, changes),
            lambda _nothing: self._on_written(document_id),
            partial(self._on_not_written, document_id, is_new=base is not None, changes=changes),
        )

    def _write(
        self, document_id: str, path: Path | None, base: FileText | None, changes: list[Change]
    ) -> None:
        store = self._opened()
        if base is not None:
            store.begin(document_id, path, base)
        store.append(document_id, changes)

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store(self._data)
        return self._store

    def _on_written(self, document_id: str) -> None:
        self._is_failing = False
        self._under_way.discard(document_id)
        if document_id in self._waiting:
            self._timer.start()

    def _on_not_written(
        self, document_id: str, error: Exception, *, is_new: bool, changes: list[Change]
    ) -> None:
        """They wait for the next change, in front of what came since."""
        self._under_way.discard(document_id)
        if document_id in self._documents and document_id in self._begun:
            self._waiting[document_id] = changes + self._waiting.get(document_id, [])
            if is_new:
                self._begun.discard(document_id)
        self._on_failed(error)

    def _on_failed(self, error: Exception) -> None:
        log.error("unsaved text is not kept: %s", error)
        if not self._is_failing:
            self._is_failing = True
            self.failed.emit()
