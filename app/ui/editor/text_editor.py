"""One document as one edits it."""

from __future__ import annotations

from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QPlainTextDocumentLayout


def plain_layout(document: QTextDocument) -> None:
    """The layout of plain text, before there is any."""
    document.setDocumentLayout(QPlainTextDocumentLayout(document))
