"""What the user said, on the right; it can be copied, and said in other words."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.state.conversation import Message
from app.state.text import SHOWN_COST, shown
from app.ui.chat.copy_button import copy_button
from app.ui.chat.input import TYPED_CHARACTERS
from app.ui.chat.question_editor import QuestionEditor
from app.ui.chat.surroundings import Surroundings
from app.ui.chat.variants import Variants
from app.ui.text_view import TextView
from app.ui.widgets import IconButton, drop
from app.words import tr

BUBBLE_WIDTH = 560
BUBBLE_PADDING = (16, 10, 16, 10)


class QuestionView(QWidget):
    """A bubble with its actions below."""

    def __init__(
        self, question: Message, around: Surroundings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._around = around
        self._question = question
        self._editor: QuestionEditor | None = None
        self.setMinimumWidth(1)  # the bubble follows the width of the window, not the other way
        self._bubble = QFrame()
        self._bubble.setObjectName("bubble")
        self._bubble.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._text = TextView("", tr("Your message"), self._bubble)
        self._is_laid_out = False  # once it is known how wide it may be
        inside = QVBoxLayout(self._bubble)
        inside.setContentsMargins(*BUBBLE_PADDING)
        inside.addWidget(self._text)
        self._variants = Variants(around.theme, around.actions.show_variant)
        self._edit = IconButton(around.theme, "edit", tr("Edit and ask again"), size=16)
        self._tools = self._build_tools()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self._layout.addWidget(self._bubble, 0, Qt.AlignmentFlag.AlignRight)
        self._layout.addWidget(self._tools)
        around.theme.changed.connect(self._on_theme_changed)

    @property
    def message_id(self) -> str:
        return self._question.id

    @property
    def editor(self) -> QuestionEditor | None:
        """The field in the bubble's place, while the question is edited."""
        return self._editor

    @property
    def typed(self) -> str | None:
        """What stands in the editor, where it is another text than the question."""
        if self._editor is None or self._editor.text == self._question.text:
            return None
        return self._editor.text

    def show_variants(self, ids: tuple[str, ...]) -> None:
        self._variants.show_variants(ids, self._question.id)

    def set_busy(self, is_busy: bool) -> None:
        self._variants.set_busy(is_busy)
        if self._editor is not None and not is_busy:
            self._editor.tell("")  # what it had to say was that it must wait

    def begin_edit(self, typed: str | None = None) -> None:
        """Opens the editor, with the question or with what was `typed` in it before."""
        if self._editor is not None:
            self._editor.focus()
        elif len(self._question.text) <= TYPED_CHARACTERS:
            text = self._question.text if typed is None else typed
            self._editor = QuestionEditor(text, self._around)
            self._editor.sent.connect(self._on_sent)
            self._editor.cancelled.connect(self._on_cancelled)
            self._layout.insertWidget(0, self._editor)
            self._bubble.hide()
            self._tools.hide()
            self._editor.show()
            if typed is None:
                self._editor.focus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def _fit(self) -> None:
        room = min(BUBBLE_WIDTH, self.width())
        widest = room - BUBBLE_PADDING[0] - BUBBLE_PADDING[2]
        if self._is_laid_out:
            self._text.fit(widest)
        else:
            self._text.show_fitted(shown(self._question.text, SHOWN_COST), widest)
            self._is_laid_out = True

    def _build_tools(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        copy = copy_button(self._around.theme, tr("Copy the message"), self._question.text)
        self._edit.clicked.connect(self._on_edit)
        layout.addStretch(1)
        for part in (self._variants, copy, self._edit):
            layout.addWidget(part)
        if len(self._question.text) > TYPED_CHARACTERS:
            self._edit.hide()  # such a text is no longer one to edit in a field
        return row

    def _on_edit(self) -> None:
        self.begin_edit()

    def _on_sent(self) -> None:
        editor, self._editor = self._editor, None  # while it is sent it is no longer being edited
        if editor is None:
            return
        if self._around.actions.edit(self._question.id, editor.text):
            self._close(editor)
        else:
            self._editor = editor
            editor.say_why_not()

    def _on_cancelled(self) -> None:
        editor, self._editor = self._editor, None
        if editor is not None:
            self._close(editor)
            self._edit.setFocus()

    def _close(self, editor: QuestionEditor) -> None:
        self._bubble.show()
        self._tools.show()
        self._layout.removeWidget(editor)
        drop(editor)

    def _on_theme_changed(self) -> None:
        self._is_laid_out = False
        self._fit()
