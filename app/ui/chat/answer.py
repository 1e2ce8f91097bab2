"""An answer, from noise to ordinary rich text, with what can be done with it."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.state.conversation import Message
from app.state.editor.language import MARKDOWN
from app.state.progress import usage_details, usage_text
from app.state.text import is_blank
from app.ui.announce import announce
from app.ui.canvas.canvas import Canvas
from app.ui.canvas.legend import Legend
from app.ui.chat.copy_button import copy_button
from app.ui.chat.endings import note, spoken
from app.ui.chat.surroundings import Surroundings
from app.ui.chat.thought import ThoughtView
from app.ui.chat.variants import Variants
from app.ui.rich.view import RichView
from app.ui.widgets import IconButton, OneLine, drop, focus_named, focused_name, plain_label
from app.words import tr, tr_engine
from engine.messages import Channel, Draft, EngineError, ErrorKind, TokenState

UNREPEATABLE = (ErrorKind.PROMPT_TOO_LONG, ErrorKind.PROMPT_EMPTY)
VISIBLE = frozenset(TokenState) - {TokenState.BEYOND_END}
SURE = frozenset((TokenState.ACCEPTED, TokenState.SETTLED))
NEWCOMER_ANSWERS = 3  # after so many one knows how to read the canvas


class AnswerView(QWidget):
    """Shows one answer at a time: open as a canvas, closed as text with a footer."""

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self._answer: Message | None = None
        self._has_begun = False  # the answer itself, after the thought
        self._is_busy = False
        self._thought: ThoughtView | None = None
        self._canvas: Canvas | None = None
        self._legend: Legend | None = None
        self._text: RichView | None = None
        self._footer: QWidget | None = None
        self._variants: Variants | None = None
        self._asking: list[QPushButton | IconButton] = []  # what asks the model for something
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(10)

    @property
    def canvas(self) -> Canvas | None:
        """The live canvas, while the answer is being written."""
        return self._canvas

    @property
    def thought(self) -> ThoughtView | None:
        return self._thought

    @property
    def text(self) -> RichView | None:
        return self._text

    @property
    def legend(self) -> Legend | None:
        """How to read the canvas, for who is new."""
        return self._legend

    def show_answer(
        self, answer: Message, variants: tuple[str, ...], *, can_continue: bool
    ) -> None:
        """What has settled so far; when the answer is closed, all of it as ordinary text."""
        old, self._answer = self._answer, answer
        if old is not None and (old.id, old.was_empty) != (answer.id, answer.was_empty):
            self._clear()
        elif old is not None and answer.is_open and not old.is_open:
            self._has_begun = False
        if answer.is_open:
            self._show_open(answer)
            return
        was_written = self._canvas is not None
        if answer != old:
            self._settle(answer)
        if was_written:
            announce(self, spoken(answer))
        self._show_footer(answer, variants, can_continue=can_continue)

    def show_hint(self, text: str) -> None:
        """What happens before the first draft."""
        self._live_canvas().show_hint(text)

    def show_draft(self, draft: Draft) -> None:
        """The newest step. As long as the model thinks, its thought alone is shown."""
        if not self._has_begun and self._begins(draft):
            self._begin()
        if not self._has_begun and _has(draft, Channel.THOUGHT):
            self._thought_view().show_draft(draft)
            draft = replace(draft, pieces=(), confidence=b"", states=b"", channels=b"")
        self._live_canvas().show_draft(draft)
        if self._legend is None and self._around.settings.value.answers_made < NEWCOMER_ANSWERS:
            self._legend = Legend(self._around.theme, self)
            self._legend.set_still(self._around.is_still)
            self._layout.addWidget(self._legend)

    def set_still(self, is_still: bool) -> None:
        for part in (self._canvas, self._thought, self._legend):
            if part is not None:
                part.set_still(is_still)

    def set_busy(self, is_busy: bool) -> None:
        """While an answer is written, this one or another, the model can be asked for nothing."""
        self._is_busy = is_busy
        for button in self._asking:
            button.setEnabled(not is_busy)
        if self._variants is not None:
            self._variants.set_busy(is_busy)

    def _begins(self, draft: Draft) -> bool:
        """Whether the thought has ended and the answer can be seen from now on."""
        if _has(draft, Channel.THOUGHT):
            return _has(draft, Channel.ANSWER, SURE)
        return self._thought is not None and _has(draft, Channel.ANSWER)

    def _begin(self) -> None:
        """The thought folds, once; nothing above the answer changes its height afterwards."""
        self._has_begun = True
        answer = self._answer
        if self._thought is not None and answer is not None:
            if answer.thought:
                self._thought.settle(answer.thought, answer.thought_seconds)
            else:
                self._thought.fold()

    def _show_open(self, answer: Message) -> None:
        if answer.text and not self._has_begun:
            self._begin()
        if answer.thought and not self._has_begun:
            self._thought_view().show_committed(answer.thought)
        elif answer.thought:
            self._thought_view().settle(answer.thought, answer.thought_seconds)
        self._live_canvas().show_committed(answer.text)

    def _live_canvas(self) -> Canvas:
        if self._canvas is None:
            self._drop(self._text)
            self._drop_footer()
            self._text = None
            self._canvas = Canvas(self._around.theme)
            self._canvas.set_still(self._around.is_still)
            self._layout.addWidget(self._canvas)
            announce(self, tr("The answer is being written"))
        return self._canvas

    def _thought_view(self) -> ThoughtView:
        if self._thought is None:
            self._thought = ThoughtView(self._around.theme, is_still=self._around.is_still)
            self._layout.insertWidget(0, self._thought)
        return self._thought

    def _settle(self, answer: Message) -> None:
        self._drop(self._canvas, self._legend, self._text)
        self._canvas = self._legend = self._text = None
        if answer.thought:
            self._thought_view().settle(answer.thought, answer.thought_seconds)
        else:
            self._drop(self._thought)
            self._thought = None
        if not is_blank(answer.text):
            around = self._around
            self._text = RichView(
                around.theme, around.preparer, answer.text, tr("Answer"), slices=around.slices
            )
            self._text.link_activated.connect(around.actions.open_link)
            self._text.code_chosen.connect(
                lambda code: around.actions.open_text(code.text, code.language)
            )
            self._layout.addWidget(self._text)

    def _clear(self) -> None:
        """Another answer is shown, or the same from its beginning."""
        self._drop(self._thought, self._canvas, self._legend, self._text)
        self._thought = self._canvas = self._legend = self._text = None
        self._has_begun = False
        # the footer stays until the next one: it may have the focus

    def _drop(self, *widgets: QWidget | None) -> None:
        for widget in widgets:
            if widget is not None:
                self._layout.removeWidget(widget)
                drop(widget)

    def _drop_footer(self) -> None:
        self._drop(self._footer)
        self._footer = self._variants = None
        self._asking = []

    def _show_footer(
        self, answer: Message, variants: tuple[str, ...], *, can_continue: bool
    ) -> None:
        focused = focused_name(self._footer)
        self._drop_footer()
        self._footer = QWidget()
        column = QVBoxLayout(self._footer)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        if answer.error is not None:
            column.addWidget(self._error(answer, answer.error))
        elif words := note(answer):
            row = QHBoxLayout()
            row.addWidget(plain_label(words, muted=True), 1)
            if can_continue:
                row.addWidget(self._continue_button())
            column.addLayout(row)
        column.addLayout(self._tools(answer, variants))
        self._layout.addWidget(self._footer)
        self.set_busy(self._is_busy)
        if self.isVisible():
            self._footer.show()  # now: it may get the focus
        focus_named(self._footer, focused)

    def _continue_button(self) -> QPushButton:
        go_on = QPushButton(tr("Continue"))
        go_on.setToolTip(tr("Let the model write on from here (Ctrl+G)"))
        go_on.setCursor(Qt.CursorShape.PointingHandCursor)
        go_on.clicked.connect(self._around.actions.go_on)
        self._asking.append(go_on)
        return go_on

    def _tools(self, answer: Message, variants: tuple[str, ...]) -> QHBoxLayout:
        around, actions = self._around, self._around.actions
        layout = QHBoxLayout()
        layout.setSpacing(2)
        self._variants = Variants(around.theme, actions.show_variant, self._footer)
        layout.addWidget(self._variants)
        self._variants.show_variants(variants, answer.id)
        if answer.text:
            layout.addWidget(copy_button(around.theme, tr("Copy the answer"), answer.text))
            edit = IconButton(around.theme, "document", tr("Open it in the editor"), size=16)
            edit.clicked.connect(lambda: actions.open_text(answer.text, MARKDOWN))
            layout.addWidget(edit)
        if answer.error is None:  # an error has a button of its own for it
            again = IconButton(around.theme, "again", tr("Answer again"), size=16)
            again.clicked.connect(lambda: actions.regenerate(answer.id))
            self._asking.append(again)
            layout.addWidget(again)
        if answer.has_recording:
            watch = IconButton(around.theme, "watch", tr("Watch how it was written"), size=16)
            watch.clicked.connect(lambda: actions.replay(answer.id))
            layout.addWidget(watch)
        if answer.usage is not None and around.settings.value.show_figures:
            figures = OneLine()
            figures.setProperty("muted", True)
            figures.setText(usage_text(answer.usage))
            figures.setToolTip(usage_details(answer.usage))
            figures.setAccessibleDescription(usage_details(answer.usage))
            layout.addSpacing(8)
            layout.addWidget(figures, 1)
        else:
            layout.addStretch(1)
        return layout

    def _error(self, answer: Message, error: EngineError) -> QFrame:
        frame = QFrame()
        frame.setObjectName("error")
        message, remedy = (
            plain_label(tr_engine(error.message)),
            plain_label(tr_engine(error.remedy)),
        )
        message.setObjectName("message")
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(6)
        layout.addWidget(message)
        layout.addWidget(remedy)
        actions, question = self._around.actions, answer.parent
        row = QHBoxLayout()
        row.setContentsMargins(0, 6, 0, 0)
        if error.kind not in UNREPEATABLE:
            again = QPushButton(tr("Try again"))
            self._asking.append(again)
            again.clicked.connect(lambda: actions.regenerate(answer.id))
            row.addWidget(again)
        if question is not None:
            edit = QPushButton(tr("Edit the message"))
            self._asking.append(edit)
            edit.clicked.connect(lambda: actions.take_back(question))
            row.addWidget(edit)
        row.addStretch(1)
        layout.addLayout(row)
        return frame


def _has(draft: Draft, channel: Channel, states: frozenset[TokenState] = VISIBLE) -> bool:
    """Whether the draft shows a word on the channel, in one of these states."""
    return any(
        place == channel and state in states and piece.strip()
        for place, state, piece in zip(draft.channels, draft.states, draft.pieces, strict=True)
    )
