"""How a document has been edited: every accepted edit, before and after, and how it was written."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QDateTime, QLocale, Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.state.editor.diff import hunks_of
from app.state.editor.store import EditRecord
from app.state.text import shown, visible
from app.ui.controls import PageNames, scrolled
from app.ui.text_view import TextView
from app.ui.widgets import plain_label
from app.words import plural, tr

MARGIN = 16  # pixels
SIZE = (100, 60)  # letters


class EditHistory(QDialog):
    """`replay` shows how an edit was written; `reuse` asks for the same once more."""

    def __init__(
        self,
        name: str,
        edits: tuple[EditRecord, ...],
        *,
        replay: Callable[[EditRecord], object],
        reuse: Callable[[str], object],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("How “{name}” was edited", name=name))
        self._edits = edits
        self.list = PageNames()
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName(tr("Edits, the newest first"))
        self.list.addItems([_line(edit) for edit in edits])
        self._about = plain_label(muted=True)
        self.before = TextView("", tr("Before"))
        self.after = TextView("", tr("After"))
        self.watch = QPushButton(tr("Watch how it was written"))
        self.watch.clicked.connect(lambda: replay(self._edits[self.list.currentRow()]))
        self._reuse = QPushButton(tr("Use the instruction again"))
        self._reuse.clicked.connect(lambda: reuse(self._edits[self.list.currentRow()].instruction))
        self._build()
        letter = self.fontMetrics().averageCharWidth()
        self.list.setMinimumWidth(26 * letter)
        self.resize(round(SIZE[0] * letter), round(SIZE[1] * letter))
        self.list.currentRowChanged.connect(self._show)
        self.list.setCurrentRow(0 if edits else -1)
        self._show(self.list.currentRow())

    def _build(self) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(MARGIN, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._about)
        for title, view in ((tr("Before"), self.before), (tr("After"), self.after)):
            column.addWidget(plain_label(title, muted=True))
            column.addWidget(view)
        column.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self._reuse)
        buttons.addWidget(self.watch)
        right = QWidget()
        layout = QVBoxLayout(right)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(page), 1)
        layout.addLayout(buttons)
        split = QSplitter()
        split.addWidget(self.list)
        split.addWidget(right)
        split.setSizes([280, 540])
        split.setChildrenCollapsible(False)
        split.setHandleWidth(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        whole.addWidget(split)

    def _show(self, row: int) -> None:
        edit = self._edits[row] if 0 <= row < len(self._edits) else None
        self.watch.setEnabled(edit is not None and edit.has_recording)
        self._reuse.setEnabled(edit is not None and bool(edit.instruction))
        if edit is None:
            self._about.setText(tr("Edits that you accept are kept here."))
            return
        count = sum(
            len(hunks_of(old, new)) for old, new in zip(edit.before, edit.after, strict=True)
        )
        changes = plural("{count} change", "{count} changes", count)
        self._about.setText(f"{tr('Seed {seed}', seed=edit.seed)} · {changes}")
        self.before.show_plain(shown("\n…\n".join(edit.before)))
        self.after.show_plain(shown("\n…\n".join(edit.after)))


def _line(edit: EditRecord) -> str:
    when = QDateTime.fromSecsSinceEpoch(int(edit.made))
    words = edit.instruction or tr("A gap filled")
    time = QLocale().toString(when, QLocale.FormatType.ShortFormat)
    return f"{visible(words)}\n{time}"
