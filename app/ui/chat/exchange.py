"""One exchange: what the user asked, and the answer below it."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSpacerItem, QVBoxLayout, QWidget

from app.state.conversation import Conversation, Message
from app.ui.canvas.canvas import Canvas
from app.ui.chat.answer import AnswerView
from app.ui.chat.question import QuestionView
from app.ui.chat.surroundings import Surroundings
from app.ui.theme import TEXT_WIDTH


class ExchangeView(QWidget):
    """A question and its answer. Keeps its height when an answer ends shorter than its noise."""

    def __init__(
        self, question: Message, around: Surroundings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setMaximumWidth(TEXT_WIDTH)
        self.question = QuestionView(question, around)
        self.answer = AnswerView(around)
        self._room = 0
        self._kept = 0  # the height as the answer ended
        self._strut = QSpacerItem(0, 0)
        talk = QVBoxLayout()
        talk.setContentsMargins(0, 20, 0, 8)
        talk.setSpacing(12)
        talk.addWidget(self.question)
        talk.addWidget(self.answer)
        talk.addStretch(1)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)
        self._layout.addLayout(talk, 1)
        self._layout.addSpacerItem(self._strut)

    @property
    def canvas(self) -> Canvas | None:
        """The live canvas, while the answer is being written."""
        return self.answer.canvas

    def give_room(self, height: int) -> None:
        """Keeps at least `height` pixels, so that an answer can grow without moving anything."""
        self._room = height
        if height == 0:
            self._kept = 0
        self._support()

    def show_answer(
        self, answer: Message, conversation: Conversation, *, can_continue: bool
    ) -> None:
        if self.canvas is not None and not answer.is_open:
            self._kept = self._height_to_keep(self.canvas)
            self._support()
        if answer.parent is not None:
            self.question.show_variants(conversation.variants(answer.parent))
        variants = conversation.variants(answer.id)
        self.answer.show_answer(answer, variants, can_continue=can_continue)

    def set_busy(self, is_busy: bool) -> None:
        self.question.set_busy(is_busy)
        self.answer.set_busy(is_busy)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width() and self._kept:
            self._kept = 0  # it was the height of other lines
            self._support()

    def _height_to_keep(self, canvas: Canvas) -> int:
        """All of it, unless the end of the page would then show nothing of the answer."""
        emptied = canvas.height() - canvas.text_height
        return self.height() if emptied < self._room // 2 else 0

    def _support(self) -> None:
        height = max(self._room, self._kept)
        if height != self._strut.sizeHint().height():
            self._strut.changeSize(0, height)
            self._layout.invalidate()
