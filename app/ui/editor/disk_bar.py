"""Says that another program has changed the file of the shown document, and asks what holds."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from app.state.editor.document import Document
from app.ui.widgets import flat_button, plain_label
from app.words import tr


class DiskBar(QFrame):
    """Remembers it for each document until something is chosen.

    Signals:
        load_requested(): the text of the file shall hold.
    """

    load_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._changed: set[str] = set()
        self._shown = ""
        self._words = plain_label()
        self._load = QPushButton(tr("Load the file"))
        self._load.clicked.connect(self._on_load)
        keep = flat_button(tr("Keep this text"))
        keep.clicked.connect(self._on_keep)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 10, 8)
        row.addWidget(self._words, 1)
        row.addWidget(self._load)
        row.addWidget(keep)
        self.hide()

    @property
    def words(self) -> str:
        return self._words.text()

    def note(self, document: Document) -> None:
        self._changed.add(document.id)

    def forget(self, document_id: str) -> None:
        self._changed.discard(document_id)
        if self._shown == document_id:
            self.hide()

    def show_for(self, document: Document | None) -> None:
        """What there is to say about the document that is shown now."""
        self._shown = document.id if document is not None else ""
        if document is None or document.id not in self._changed:
            self.hide()
            return
        is_gone = document.stamp is None
        self._words.setText(
            tr("The file of “{name}” is gone. Save it to have it back.", name=document.name)
            if is_gone
            else tr("Another program has changed the file “{name}”.", name=document.name)
        )
        self._load.setVisible(not is_gone)
        self.show()

    def _on_load(self) -> None:
        self.forget(self._shown)
        self.load_requested.emit()

    def _on_keep(self) -> None:
        self.forget(self._shown)
