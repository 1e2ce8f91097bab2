"""Asks for files, and what to do with text that is not saved. No dialog blocks the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.state.editor.document import Document
from app.state.editor.documents import Documents
from app.words import tr


class FileDialogs:
    """Opens them over `window`."""

    def __init__(self, window: QWidget, documents: Documents) -> None:
        self._window = window
        self._documents = documents
        self._folder = QStandardPaths.writableLocation(
            QStandardPaths.StandardLocation.DocumentsLocation
        )

    def open_files(self, on_chosen: Callable[[Path], object]) -> QFileDialog:
        dialog = self._dialog(tr("Open"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)

        def on_selected(paths: list[str]) -> None:
            for path in paths:
                self._folder = str(Path(path).parent)
                on_chosen(Path(path))

        dialog.filesSelected.connect(on_selected)
        dialog.open()
        return dialog

    def save_as(self, document: Document, *, closes: bool = False) -> QFileDialog:
        """`closes` removes the document when it is saved."""
        dialog = self._dialog(tr("Save as"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        if document.path is not None:
            dialog.setDirectory(str(document.path.parent))
            dialog.selectFile(document.path.name)
        else:
            dialog.setDefaultSuffix("txt")
            dialog.selectFile(document.name)

        def on_selected(path: str) -> None:
            self._folder = str(Path(path).parent)
            self._save(document, Path(path), closes=closes)

        dialog.fileSelected.connect(on_selected)
        dialog.open()
        return dialog

    def ask_to_close(self, document: Document) -> QMessageBox:
        """Before text is lost that is not saved."""
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(tr("Close"))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(tr("Save the changes in “{name}”?", name=document.name))
        box.setInformativeText(tr("Otherwise they are lost."))
        save = box.addButton(tr("Save"), QMessageBox.ButtonRole.AcceptRole)
        lose = box.addButton(tr("Do not save"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(save)
        save.clicked.connect(lambda: self._save_and_close(document))
        lose.clicked.connect(lambda: self._documents.remove(document))
        box.open()
        return box

    def _save_and_close(self, document: Document) -> None:
        if document.path is None or not document.can_write:
            self.save_as(document, closes=True)
        else:
            self._save(document, document.path, closes=True)

    def _save(self, document: Document, path: Path, *, closes: bool) -> None:
        def close() -> None:
            if closes and not document.is_modified:
                self._documents.remove(document)

        self._documents.save(document, path, close)

    def _dialog(self, title: str) -> QFileDialog:
        dialog = QFileDialog(self._window, title, self._folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog
