"""The ways between the chat and the editor, and what is kept of a document's edits."""

from __future__ import annotations

from pathlib import Path

from app.state.editor.store import EditRecord
from app.ui.chat.composer import Composer
from app.ui.dialogs import Dialogs
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

    def open_file(self, path: str) -> None:
        self._places.show_place(EDITOR)
        self._editor.documents.open(Path(path))

    def to_chat(self, text: str) -> None:
        """Into the field where one types, to be asked about."""
        self._places.show_place(CHAT)
        self._composer.put_before(text)

    def edit_history(self) -> None:
        """All accepted edits of the shown document."""
        view = self._editor.view
        if view is None:
            return
        document = view.document

        def reuse(instruction: str) -> None:
            view.editing.ask()
            view.editing.bar.field.setText(instruction)

        def show(edits: tuple[EditRecord, ...]) -> None:
            EditHistory(
                document.name, edits, replay=self._replay, reuse=reuse, parent=self._editor
            ).show()

        self._editor.documents.edits(document, show)

    def _replay(self, edit: EditRecord) -> None:
        def show(data: bytes | None) -> None:
            if data is None:
                self._editor.toast.tell(tr("The recording of this edit is no longer kept."))
            else:
                is_still = self._editor.around.is_still()
                self._dialogs.replay(data, is_still=is_still, candidate=edit.candidate)

        self._editor.documents.recording(edit.number, show)

    def _on_place(self, place: int) -> None:
        if place == EDITOR:
            self._editor.focus()
        else:
            self._composer.focus()
