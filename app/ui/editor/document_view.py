"""One document with everything around it: its text, its gaps, what is found in it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtWidgets import QTextEdit, QVBoxLayout, QWidget

from app.bridge import EngineBridge
from app.settings import Settings
from app.state.editor.background import Background
from app.state.editor.changes import Range
from app.state.editor.document import Document
from app.state.editor.edit import EditSession, Phase
from app.state.editor.gap_list import GapList
from app.state.editor.gaps import Length
from app.state.editor.language import is_code
from app.ui.editor.colouring import Colouring
from app.ui.editor.editing import Editing, Surroundings
from app.ui.editor.find_bar import FindBar
from app.ui.editor.gap_bar import GapBar
from app.ui.editor.text_editor import TextEditor, plain_layout
from app.ui.rich.look import look_of
from app.ui.theme import reading_font
from app.words import tr

LONGEST_PASTE = 1_000_000  # units that are looked through for gaps
MOST_MARKED = 500  # places that are marked at a time


class DocumentView(QWidget):
    """Signals:
    caret_moved(): the caret or the selection is somewhere else.
    """

    caret_moved = Signal()

    def __init__(
        self,
        document: Document,
        bridge: EngineBridge,
        background: Background,
        around: Surroundings,
        is_reserved: Callable[[QKeyEvent], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.document = document
        self._around = around
        self._has_marks = True
        self.editor = TextEditor(document, around.theme, is_reserved, self)
        self.session = EditSession(bridge, document, self)
        self.gaps = GapList(document, self)
        self.gap_bar = GapBar(self.gaps)
        self.find_bar = FindBar(document, self.editor, around.theme)
        self.editing = Editing(document, self.editor, self.session, self.gaps, around)
        self._colouring = Colouring(document, self.editor, around.theme, background, self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.find_bar)
        layout.addWidget(self.editor, 1)
        layout.addWidget(self.gap_bar)
        self.setFocusProxy(self.editor)
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Another name, another look, or other settings."""
        settings: Settings = self._around.settings.value
        look = look_of(self._around.theme.colors)
        self.editor.set_look(look.code_font if is_code(self.document.language) else reading_font())
        self.editor.set_wrap(is_on=settings.wrap_lines)
        self.editor.setAccessibleName(self.document.name)
        self.editor.setReadOnly(not self.document.is_filled)
        self.editor.setUpdatesEnabled(self.document.is_filled)  # painted once, when all is there
        self._mark()

    def find_gaps(self) -> None:
        """Asks about all marks in the document."""
        if not self.gaps.look(Range(start=0, end=min(self.document.units, LONGEST_PASTE))):
            self._around.note(tr("There are no marks such as ____ or [[...]] in this text."))

    def drop_gap(self) -> None:
        if not self.editor.isReadOnly():
            self.gaps.drop(self.editor.selection)

    @property
    def gap_here(self) -> int | None:
        """The number of the gap at the caret."""
        here = self.editor.selection
        places = [gap.place for gap in self.gaps.gaps]
        return next((n for n, place in enumerate(places) if place.touches(here)), None)

    def set_gap_length(self, length: Length) -> None:
        if (number := self.gap_here) is not None:
            self.gaps.set_length(number, length)

    def remove_gap(self) -> None:
        if (number := self.gap_here) is not None:
            self.gaps.remove(number)

    @property
    def selected_text(self) -> str:
        return self.document.part(self.editor.selection)

    def let_go(self) -> None:
        """Of the document, which is deleted before this is."""
        self.editing.cancel()
        self._colouring.stop()
        self._has_marks = False
        self.editor.setExtraSelections([])  # they point into it
        empty = QTextDocument(self.editor)
        plain_layout(empty)
        self.editor.setDocument(empty)

    def escape(self) -> None:
        if self.editing.is_open:
            self.editing.cancel()
        elif not self.find_bar.isHidden():
            self.find_bar.close_bar()
        elif self.gaps.asked:
            self.gaps.dismiss()

    def _connect(self) -> None:
        self.editor.pasted.connect(self._on_pasted)
        self.editor.cursorPositionChanged.connect(self.caret_moved)
        self.editor.selectionChanged.connect(self.caret_moved)
        self.editor.cursorPositionChanged.connect(self._mark)
        self.find_bar.found.connect(self._mark)
        self.session.changed.connect(self._on_edit_changed)
        self.gaps.changed.connect(self._mark)
        self.gap_bar.fill_requested.connect(self.editing.fill)
        self.gap_bar.gap_chosen.connect(self._show_gap)
        self.document.filled.connect(self._on_filled)
        self.document.state_changed.connect(self._on_state_changed)
        self._around.theme.changed.connect(self.refresh)

    def _on_pasted(self, place: Range) -> None:
        if place.end - place.start <= LONGEST_PASTE:
            self.gaps.look(place)

    def _on_filled(self) -> None:
        self.editor.moveCursor(QTextCursor.MoveOperation.Start)
        self.refresh()

    def _on_state_changed(self) -> None:
        self.editor.setAccessibleName(self.document.name)
        self._colouring.refresh()

    def _on_edit_changed(self) -> None:
        self.gap_bar.setEnabled(self.session.phase is Phase.IDLE)  # one edit at a time

    def _show_gap(self, number: int) -> None:
        self.editor.select(self.gaps.gaps[number].place)
        self.editor.setFocus()

    def _mark(self) -> None:
        """The line one is in, the gaps, and what is found."""
        if not self._has_marks:
            return
        colors = self._around.theme.colors
        here = QTextEdit.ExtraSelection()
        here.format.setBackground(QColor(colors.raised))
        here.format.setProperty(QTextFormat.Property.FullWidthSelection, True)
        here.cursor = self.editor.textCursor()
        here.cursor.clearSelection()
        gap, asked, found = QTextCharFormat(), QTextCharFormat(), QTextCharFormat()
        gap.setBackground(_tint(colors.accent, 0.22))
        gap.setForeground(QColor(colors.text))
        asked.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DashUnderline)
        asked.setUnderlineColor(QColor(colors.accent))
        found.setBackground(_tint(colors.accent, 0.16))
        marks = [here]
        for places, look in (
            ([each.place for each in self.gaps.gaps], gap),
            ([each.place for each in self.gaps.asked], asked),
            (self._near(self.find_bar.places), found),
        ):
            marks += [self._selection(place, look) for place in places]
        self.editor.setExtraSelections(marks)

    def _near(self, places: list[Range]) -> list[Range]:
        """As many as are marked, those that follow the caret first."""
        here = self.editor.selection.start
        ahead = next((i for i, each in enumerate(places) if each.start >= here), 0)
        first = max(0, ahead - MOST_MARKED // 2)
        return places[first : first + MOST_MARKED]

    def _selection(self, place: Range, look: QTextCharFormat) -> QTextEdit.ExtraSelection:
        made = QTextEdit.ExtraSelection()
        made.format = look
        made.cursor = self.editor.textCursor()
        made.cursor.setPosition(place.start)
        made.cursor.setPosition(place.end, made.cursor.MoveMode.KeepAnchor)
        return made


def _tint(color: str, alpha: float) -> QColor:
    made = QColor(color)
    made.setAlphaF(alpha)
    return made
