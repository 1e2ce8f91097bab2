"""The ways between the chat and the editor, and what is kept of a document's edits."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from shiboken6 import isValid

from app.state.editor.edit_log import Edits
from app.state.editor.store import EditRecord
from app.ui.chat.composer import Composer
from app.ui.dialogs import Dialogs
from app.ui.editor.document_view import DocumentView
from app.ui.editor.history import EditHistory
from app.ui.editor.pane import EditorPane
from app.ui.places import CHAT, EDITOR, Places
from app.words import tr


class Crossing:
    def __init__(
        self, places: Places, editor: EditorPane, composer: Composer, dialogs: Dialogs
    ) -> None:
        self._places = places
        self._editor = editor
        self._composer = composer
        self._dialogs = dialogs
        places.changed.connect(self._on_place)

    def open_text(self, text: str, language: str) -> None:
        """In the editor, as a document that is not saved."""
        self._places.show_place(EDITOR)
        self._editor.new(text, language.lower())

    def open_file(self, path: str | Path) -> None:
        self._places.show_place(EDITOR)
        self._editor.documents.open(Path(path))

    def to_chat(self, text: str) -> None:
        """Into the field where one types, to be asked about."""
        self._places.show_place(CHAT)
        self._composer.put_before(text)

    def edit_history(self) -> None:
        """All accepted edits of the shown document."""
        if (view := self._editor.view) is not None:
            self._editor.documents.edit_log.of(view.document, partial(self._show_history, view))

    def _show_history(self, view: DocumentView, edits: Edits) -> None:
        document, log = view.document, self._editor.documents.edit_log
        dialog = EditHistory(document.name, edits, parent=self._editor)
        deleted: list[tuple[int, ...]] = []

        def show_again() -> None:
            log.of(document, lambda left: dialog.show_edits(left) if isValid(dialog) else None)

        def on_deleted(numbers: tuple[int, ...]) -> None:
            deleted.append(numbers)
            if isValid(dialog):
                dialog.tell_deleted(len(numbers))
            show_again()

        def reuse(instruction: str) -> None:
            if isValid(view):  # the document may have been closed meanwhile
                view.editing.ask()
                view.editing.bar.field.setText(instruction)

        dialog.replay_requested.connect(self._replay)
        dialog.reuse_requested.connect(reuse)
        dialog.delete_requested.connect(lambda number: log.delete(document, number, on_deleted))
        dialog.undo_requested.connect(
            lambda: log.undelete(deleted.pop(), lambda _nothing: show_again())
        )
        dialog.show()

    def _replay(self, edit: EditRecord) -> None:
        def show(data: bytes | None) -> None:
            if data is None:
                self._editor.toast.tell(tr("The recording of this edit is no longer kept."))
            else:
                self._dialogs.replay(data, is_still=self._editor.around.is_still(), edit=edit)

        self._editor.documents.edit_log.recording(edit.number, show)

    def _on_place(self, place: int) -> None:
        if place == EDITOR:
            self._editor.focus()
        else:
            self._composer.focus()
