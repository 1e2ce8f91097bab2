"""How documents were edited: what is kept of each accepted edit, for as long as nobody deletes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from app.state.editor.document import Document
from app.state.editor.journal import Journal
from app.state.editor.store import EditRecord, Store
from app.state.recording.codec import encode as encode_recording
from engine.messages import Recording

Edits = tuple[EditRecord, ...]


class EditLog:
    """Nothing here waits: answers come later, on the GUI thread."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def start(self, recording_days: int) -> None:
        """Right after the start: what was deleted in earlier runs, and older recordings, go."""
        before = time.time() - 86_400 * recording_days
        self._journal.ask(lambda store: store.forget_recordings(before), _nothing)
        self._journal.ask(Store.purge_edits, _nothing)

    def add(self, edit: EditRecord, recording: Recording | None) -> None:
        def add(store: Store) -> None:
            data = None if recording is None else encode_recording(recording)
            store.add_edit(edit, data)

        self._journal.ask(add, _nothing)

    def of(self, document: Document, on_answer: Callable[[Edits], object]) -> None:
        """The newest first."""
        key = document.key
        self._journal.ask(lambda store: store.edits(key), on_answer)

    def recording(self, number: int, on_answer: Callable[[bytes | None], object]) -> None:
        self._journal.ask(lambda store: store.recording(number), on_answer)

    def delete(
        self,
        document: Document,
        number: int | None,
        on_done: Callable[[tuple[int, ...]], object],
    ) -> None:
        """One edit, or all of the document. `on_done` is told which they were, for `undelete`."""
        key = document.key
        self._journal.ask(lambda store: store.delete_edits(key, number), on_done)

    def undelete(self, numbers: Sequence[int], on_done: Callable[[None], object]) -> None:
        self._journal.ask(lambda store: store.undelete_edits(numbers), on_done)

    def rename(self, old: str, new: str) -> None:
        """The edits of a document go with it when it gets a file."""
        self._journal.ask(lambda store: store.rename(old, new), _nothing)


def _nothing(_answer: None) -> None:
    pass
