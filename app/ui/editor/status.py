"""One line below the text: where one is in it, how its file is written, and which model is there."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.state.editor.document import Document
from app.state.editor.language import MARKDOWN
from app.state.markdown.code import language_name
from app.ui.editor.text_editor import TextEditor
from app.ui.widgets import OneLine
from app.words import number, plural, tr

_ENDINGS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}
_CODECS = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "latin-1": "Latin-1",
}


class StatusRow(QWidget):
    """What there is to say of the document on the left, of the model on the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.here, self.model = OneLine(), OneLine()
        self.model.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(24)
        for label, share in ((self.here, 3), (self.model, 1)):
            label.setProperty("muted", True)
            row.addWidget(label, share)


def describe(document: Document, editor: TextEditor) -> str:
    cursor, file = editor.textCursor(), document.saved
    chosen = abs(cursor.selectionEnd() - cursor.selectionStart())
    parts = [
        tr(
            "Line {line}, column {column}",
            line=number(cursor.blockNumber() + 1),
            column=number(cursor.positionInBlock() + 1),
        )
    ]
    if chosen:
        parts.append(plural("{count} character selected", "{count} characters selected", chosen))
    parts.append(
        _CODECS[file.codec] + (tr(" with BOM") if file.bom and file.codec == "utf-8" else "")
    )
    parts.append(tr("mixed line endings") if file.mixed else _ENDINGS.get(file.newline, "LF"))
    language = document.language
    parts.append(
        "Markdown" if language == MARKDOWN else language_name(language) or tr("plain text")
    )
    if not document.can_write:
        parts.append(tr("read only"))
    return " · ".join(parts)
