"""How a document has been edited: every accepted edit, before and after, and how it was written."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, QLocale, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
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
from app.ui.toast import Toast
from app.ui.widgets import flat_button, plain_label
from app.words import plural, tr

MARGIN = 16  # pixels
SIZE = (100, 60)  # letters


class EditHistory(QDialog):
    """Shows what `show_edits` is given; who built it keeps them.

    Signals:
        replay_requested(EditRecord): how was it written?
        reuse_requested(str): the same instruction once more.
        delete_requested(object): the number of an edit; None for all of them.
        undo_requested(): those that were deleted last are wanted back.
    """

    replay_requested = Signal(object)
    reuse_requested = Signal(str)
    delete_requested = Signal(object)
    undo_requested = Signal()

    def __init__(self, name: str, edits: tuple[EditRecord, ...], *, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("How “{name}” was edited", name=name))
        self._edits: tuple[EditRecord, ...] = ()
        self.list = PageNames()
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setAccessibleName(tr("Edits, the newest first"))
        self._about = plain_label(muted=True)
        self.before = TextView("", tr("Before"))
        self.after = TextView("", tr("After"))
        self.toast = Toast()
        self.watch = QPushButton(tr("Watch how it was written"))
        self.watch.clicked.connect(lambda: self.replay_requested.emit(self._current))
        self._reuse = QPushButton(tr("Use the instruction again"))
        self._reuse.clicked.connect(self._on_reuse)
        self._delete = QPushButton(tr("Delete"))
        self._delete.setToolTip(tr("Forget this edit. The text stays as it is (Del)"))
        self._delete.clicked.connect(self._on_delete)
        self._delete_all = flat_button(tr("Delete all"))
        self._delete_all.clicked.connect(lambda: self.delete_requested.emit(None))
        key = QShortcut(QKeySequence.StandardKey.Delete, self.list, self._on_delete)
        key.setContext(Qt.ShortcutContext.WidgetShortcut)
        self._build()
        letter = self.fontMetrics().averageCharWidth()
        self.list.setMinimumWidth(26 * letter)
        self.resize(round(SIZE[0] * letter), round(SIZE[1] * letter))
        self.list.currentRowChanged.connect(self._show)
        self.show_edits(edits)

    @property
    def _current(self) -> EditRecord | None:
        row = self.list.currentRow()
        return self._edits[row] if 0 <= row < len(self._edits) else None

    def show_edits(self, edits: tuple[EditRecord, ...]) -> None:
        """These are there now; the choice stays at its place."""
        row = min(max(0, self.list.currentRow()), len(edits) - 1)
        self._edits = edits
        self.list.clear()
        self.list.addItems([_line(edit) for edit in edits])
        self.list.setCurrentRow(row)
        self._delete_all.setEnabled(bool(edits))
        self._show(row)

    def tell_deleted(self, count: int) -> None:
        words = plural("The edit is forgotten.", "{count} edits are forgotten.", count)
        self.toast.tell(words, tr("Undo"), self.undo_requested.emit)

    def _on_reuse(self) -> None:
        if self._current is not None:
            self.reuse_requested.emit(self._current.instruction)

    def _on_delete(self) -> None:
        if self._current is not None:
            self.delete_requested.emit(self._current.number)

    def _build(self) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._about)
        for title, view in ((tr("Before"), self.before), (tr("After"), self.after)):
            column.addWidget(plain_label(title, muted=True))
            column.addWidget(view)
        column.addStretch(1)
        buttons = QHBoxLayout()
        buttons.addWidget(self._delete)
        buttons.addWidget(self._delete_all)
        buttons.addStretch(1)
        buttons.addWidget(self._reuse)
        buttons.addWidget(self.watch)
        right = QWidget()
        layout = QVBoxLayout(right)
        layout.setContentsMargins(MARGIN, 0, 0, 0)
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
        whole.addWidget(split, 1)
        whole.addWidget(self.toast)

    def _show(self, _row: int) -> None:
        edit = self._current
        self._delete.setEnabled(edit is not None)
        self.watch.setEnabled(edit is not None and edit.has_recording)
        self._reuse.setEnabled(edit is not None and bool(edit.instruction))
        if edit is None:
            self._about.setText(tr("Edits that you accept are kept here."))
            self.before.show_plain("")
            self.after.show_plain("")
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
    words = edit.instruction or plural("A gap filled", "{count} gaps filled", len(edit.before))
    time = QLocale().toString(when, QLocale.FormatType.ShortFormat)
    return f"{visible(words)}\n{time}"
