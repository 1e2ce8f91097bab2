"""One exchange: what the user asked, and the answer, from noise to ordinary text."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.state.conversation import Message
from app.state.progress import reason_text, usage_text
from app.state.text import is_blank, shown
from app.ui.canvas import Canvas
from app.ui.text_view import TextView
from app.ui.theme import TEXT_WIDTH, Theme
from app.ui.widgets import plain_label
from engine.messages import Draft, EngineError, ErrorKind

BUBBLE_WIDTH = 560
BUBBLE_PADDING = (16, 10, 16, 10)


class ExchangeView(QWidget):
    """A question and its answer below it.

    Signals:
        retry_requested()
        edit_requested()
    """

    retry_requested = Signal()
    edit_requested = Signal()

    def __init__(self, question: Message, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMaximumWidth(TEXT_WIDTH)
        self._theme = theme
        self._answer: QWidget | None = None
        self._footer: QWidget | None = None
        self._canvas: Canvas | None = None
        self._actions: list[QPushButton] = []
        self._body = QVBoxLayout()
        self._body.setSpacing(10)
        self._strut = QWidget()
        self._build(question)

    @property
    def canvas(self) -> Canvas | None:
        """The live canvas, while the answer is being written."""
        return self._canvas

    def give_room(self, height: int) -> None:
        """Keeps at least `height` pixels, so that an answer can grow without moving anything."""
        self._strut.setMinimumHeight(height)

    def show_answer(self, answer: Message) -> None:
        """Shows what has settled so far; when the answer is closed, all of it as ordinary text."""
        if answer.is_open:
            self._live_canvas().show_committed(answer.text)
        else:
            self._settle(answer)

    def show_hint(self, text: str) -> None:
        """What happens before the first draft."""
        self._live_canvas().show_hint(text)

    def show_draft(self, draft: Draft) -> None:
        self._live_canvas().show_draft(draft)

    def hide_actions(self) -> None:
        """Only the last exchange can be tried again."""
        for button in self._actions:
            button.hide()

    def _build(self, question: Message) -> None:
        talk = QVBoxLayout()
        talk.setContentsMargins(0, 20, 0, 8)
        talk.setSpacing(20)
        talk.addWidget(_bubble(question.text), 0, Qt.AlignmentFlag.AlignRight)
        talk.addLayout(self._body)
        talk.addStretch(1)
        self._strut.setFixedWidth(0)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(talk, 1)
        layout.addWidget(self._strut)

    def _live_canvas(self) -> Canvas:
        if self._canvas is None:
            self._drop_answer()
            self._canvas = Canvas(self._theme)
            self._answer = self._canvas
            self._body.addWidget(self._canvas)
        return self._canvas

    def _settle(self, answer: Message) -> None:
        if self._canvas is not None:  # an answer that ends shorter than its noise moves nothing
            self._strut.setMinimumHeight(max(self._strut.minimumHeight(), self.height()))
        self._drop_answer()
        if not is_blank(answer.text):
            self._answer = TextView(shown(answer.text), "Answer")
            self._body.addWidget(self._answer)
        self._footer = self._build_footer(answer)
        if self._footer is not None:
            self._body.addWidget(self._footer)

    def _drop_answer(self) -> None:
        for widget in (self._answer, self._footer):
            if widget is not None:
                self._body.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
        self._answer = self._footer = self._canvas = None
        self._actions.clear()

    def _build_footer(self, answer: Message) -> QWidget | None:
        if answer.error is not None:
            return self._build_error(answer.error)
        lines = [reason_text(answer.reason)] if answer.reason is not None else []
        if is_blank(answer.text) and not any(lines):
            lines.append("The model answered with nothing.")
        if answer.usage is not None:
            lines.append(usage_text(answer.usage))
        text = "\n".join(line for line in lines if line)
        return plain_label(text, muted=True) if text else None

    def _build_error(self, error: EngineError) -> QFrame:
        frame = QFrame()
        frame.setObjectName("error")
        message, remedy = plain_label(error.message), plain_label(error.remedy)
        message.setObjectName("message")
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(6)
        layout.addWidget(message)
        layout.addWidget(remedy)
        row = QHBoxLayout()
        row.setContentsMargins(0, 6, 0, 0)
        if error.kind not in (ErrorKind.PROMPT_TOO_LONG, ErrorKind.PROMPT_EMPTY):
            row.addWidget(self._action("Try again", self.retry_requested))
        row.addWidget(self._action("Edit the message", self.edit_requested))
        row.addStretch(1)
        layout.addLayout(row)
        return frame

    def _action(self, text: str, wanted: SignalInstance) -> QPushButton:
        button = QPushButton(text)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(wanted)
        self._actions.append(button)
        return button


def _bubble(text: str) -> QFrame:
    frame = QFrame()
    frame.setObjectName("bubble")
    frame.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    view = TextView(shown(text), "Your message", frame)
    view.fit(BUBBLE_WIDTH - BUBBLE_PADDING[0] - BUBBLE_PADDING[2])
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(*BUBBLE_PADDING)
    layout.addWidget(view)
    return frame
