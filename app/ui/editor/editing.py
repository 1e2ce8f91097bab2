"""Editing one document with the model: from the key to the change, in front of the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QPoint, QRect, Signal
from PySide6.QtWidgets import QWidget

from app.settings import SettingsStore
from app.state.editor.changes import Change, Range
from app.state.editor.document import Document
from app.state.editor.edit import EditSession, Phase
from app.state.editor.gap_list import GapList
from app.state.editor.offer import Choice
from app.state.editor.order import Order, Place
from app.state.editor.quick import Quick, kind_of, remembered
from app.ui.editor.edit_bar import EditBar
from app.ui.editor.overlay import Overlay
from app.ui.editor.text_editor import TextEditor
from app.ui.theme import Theme
from app.words import tr
from engine.messages import EditKind, Strength


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the editor needs from around it."""

    theme: Theme
    settings: SettingsStore
    is_still: Callable[[], bool]
    wake_model: Callable[[], object]  # a model is needed: load one if none is there
    note: Callable[[str], object]  # one plain sentence for the user


class Editing(QObject):
    """Everything a key or a button can do to the edit of one document.

    Signals:
        ended(): the keyboard belongs to the text again.
    """

    ended = Signal()

    def __init__(
        self,
        document: Document,
        editor: TextEditor,
        session: EditSession,
        gaps: GapList,
        around: Surroundings,
    ) -> None:
        super().__init__(editor)
        self._document = document
        self._editor = editor
        self._around = around
        self.session = session
        self._gaps = gaps
        self._asked: Range | None = None  # what the open prompt is about
        self.overlay = Overlay(editor, document, session, around.theme)
        self.bar = EditBar(around.theme, editor)
        self._connect()

    @property
    def is_open(self) -> bool:
        """Whether Escape would let something go."""
        return self.session.phase is not Phase.IDLE or not self.bar.isHidden()

    @property
    def is_offered(self) -> bool:
        return self.session.phase is Phase.OFFERED

    # --- what commands do -------------------------------------------------------------------------

    def ask(self) -> None:
        """Opens the bar for what is selected, or for the caret; while an offer is open, for that."""
        if self.session.phase is Phase.RUNNING:
            self._around.note(tr("An edit is under way here. Stop it first, with Esc."))
            return
        if self.session.phase is Phase.IDLE:
            self._asked = self._editor.selection
        has_text = self._asked is None or self._asked.start < self._asked.end
        settings = self._around.settings.value
        self.bar.set_earlier(settings.edit_instructions)
        words = tr("What to change") if has_text else tr("What to write here (may stay empty)")
        self.bar.ask(words, has_text=has_text, saved=settings.kept_instructions)
        self._place_bar()

    def run(self, instruction: str, kind: EditKind | None = None) -> None:
        """Does to the asked range what is said there."""
        if self.is_offered:
            self._remember(instruction)
            self.overlay.current = 0
            self.session.again(instruction, kind or kind_of(instruction), self.bar.strength)
        elif self._asked is not None:
            is_caret = self._asked.start == self._asked.end
            if not is_caret and not instruction:
                return
            self._remember(instruction)
            chosen = EditKind.INFILL if is_caret else kind or kind_of(instruction)
            self._begin(chosen, (Place(range=self._asked),), instruction)

    def repeat(self) -> None:
        """The last instruction, for what is selected now."""
        earlier = self._around.settings.value.edit_instructions
        if not earlier or self._editor.selection.start == self._editor.selection.end:
            self.ask()
        elif self.session.phase is Phase.IDLE:
            self._asked = self._editor.selection
            self.run(earlier[0])

    def insert_here(self) -> None:
        here = self._editor.textCursor().position()
        self._begin(EditKind.INFILL, (Place(range=Range(start=here, end=here)),), "")

    def continue_text(self) -> None:
        end = self._document.units
        self._editor.select(Range(start=end, end=end))
        self._begin(EditKind.INFILL, (Place(range=Range(start=end, end=end)),), "")

    def fill(self) -> None:
        """All gaps together."""
        places = tuple(
            Place(range=gap.place, hint=gap.hint, tokens=gap.length.tokens)
            for gap in self._gaps.gaps
        )
        if places:
            self._show_first(places)
            self._begin(EditKind.INFILL, places, "")

    def accept(self) -> None:
        self.session.accept()

    def choose(self, choice: Choice) -> None:
        """Decides the current hunk and goes on to the next one."""
        self.session.choose(self.overlay.current, choice)

    def step_hunk(self, by: int) -> None:
        offer = self.session.offer
        if offer is not None and offer.hunks:
            self.overlay.set_current((self.overlay.current + by) % len(offer.hunks))

    def step_alternative(self, by: int) -> None:
        self.overlay.current = 0
        self.session.show(self.session.shown + by)

    def again(self) -> None:
        self.overlay.current = 0
        self.session.again()

    def cancel(self) -> None:
        """One press lets all of it go. Half-typed instructions stay in the field."""
        self._asked = None
        self.session.cancel()
        self._close_bar()

    # --- what happens -----------------------------------------------------------------------------

    def _connect(self) -> None:
        bar, session = self.bar, self.session
        bar.run_requested.connect(self.run)
        bar.quick_requested.connect(self._on_quick)
        bar.keep_requested.connect(self._keep)
        bar.cancel_requested.connect(self.cancel)
        bar.accept_requested.connect(self.accept)
        bar.accept_hunk_requested.connect(lambda: self.choose(Choice.ACCEPTED))
        bar.reject_hunk_requested.connect(lambda: self.choose(Choice.REJECTED))
        bar.again_requested.connect(self.again)
        bar.refine_requested.connect(self.ask)
        bar.step_requested.connect(self.step_alternative)
        session.changed.connect(self._on_changed)
        session.drafted.connect(self._on_drafted)
        session.noted.connect(self._around.note)
        self.overlay.hunk_clicked.connect(self.overlay.set_current)
        self.overlay.placed.connect(self._place_bar)
        self._editor.moved.connect(self._place_bar)
        self._document.edited.connect(self._on_edited)

    def _begin(self, kind: EditKind, places: tuple[Place, ...], instruction: str) -> None:
        if self._editor.isReadOnly():
            return  # its text is still on its way
        if self.session.phase is not Phase.IDLE:
            self._around.note(tr("Another edit is open here. Accept or discard it first."))
            return
        self._around.wake_model()
        self.overlay.is_still = self._around.is_still()
        self.overlay.current = 0
        cursor = self._editor.textCursor()
        cursor.clearSelection()  # what is typed next must not take the place of the text
        self._editor.setTextCursor(cursor)
        strength = self.bar.strength if kind is EditKind.REWRITE else Strength.FULL
        self.session.begin(
            Order(kind=kind, places=places, instruction=instruction, strength=strength)
        )

    def _show_first(self, places: tuple[Place, ...]) -> None:
        """Brings it into view, where it is not."""
        cursor = self._editor.textCursor()
        cursor.setPosition(places[0].range.start)
        self._editor.setTextCursor(cursor)

    def _on_quick(self, action: Quick) -> None:
        self.run(action.words, action.kind)

    def _on_changed(self) -> None:
        match self.session.phase:
            case Phase.RUNNING:
                self.bar.show_progress(self.session)
                self._give_back_keyboard()
            case Phase.OFFERED:
                self.bar.show_offer(self.session)
            case Phase.IDLE:
                self._asked = None
                self._close_bar()
        self._place_bar()

    def _on_drafted(self) -> None:
        if self.bar.row == "running":
            self.bar.show_progress(self.session)

    def _on_edited(self, change: Change) -> None:
        if self._asked is not None and self.session.phase is Phase.IDLE:
            self._asked = self._asked.after(change)
            if self._asked is None:
                self._close_bar()

    def _close_bar(self) -> None:
        had_focus = self.bar.isAncestorOf(self.bar.window().focusWidget() or self._editor)
        self.bar.hide()
        if had_focus:
            self._give_back_keyboard()
        self.ended.emit()

    def _give_back_keyboard(self) -> None:
        focus: QWidget | None = self.bar.window().focusWidget()
        if focus is None or self.bar.isAncestorOf(focus):
            self._editor.setFocus()

    def _place_bar(self) -> None:
        if self.bar.isHidden():
            return
        viewport = self._editor.viewport().geometry()
        text = self.overlay.area
        if text.isEmpty():
            text = self._selected_area()
        self.bar.place(text.translated(viewport.topLeft()), viewport)

    def _selected_area(self) -> QRect:
        cursor = self._editor.textCursor()
        place = self._asked or self._editor.selection
        cursor.setPosition(min(place.start, self._document.units))
        first = self._editor.cursorRect(cursor)
        cursor.setPosition(min(place.end, self._document.units))
        last = self._editor.cursorRect(cursor)
        return QRect(QPoint(4, first.top()), last.bottomRight()).normalized()

    def _remember(self, instruction: str) -> None:
        if instruction:
            earlier = self._around.settings.value.edit_instructions
            self._around.settings.change(edit_instructions=remembered(earlier, instruction))

    def _keep(self, instruction: str) -> None:
        """Among the buttons of the bar; a second time takes it away again."""
        kept = self._around.settings.value.kept_instructions
        if instruction in kept:
            left = tuple(each for each in kept if each != instruction)
            self._around.settings.change(kept_instructions=left)
        elif instruction:
            self._around.settings.change(kept_instructions=(*kept, instruction)[-5:])
        self.ask()
