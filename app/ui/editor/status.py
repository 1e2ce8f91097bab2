"""One line about the shown document: where one is, and how its file is written."""

from __future__ import annotations

from app.state.editor.document import Document
from app.state.editor.language import MARKDOWN
from app.state.markdown.code import language_name
from app.ui.editor.text_editor import TextEditor
from app.words import number, plural, tr

_ENDINGS = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}
_CODECS = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "latin-1": "Latin-1",
}


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
