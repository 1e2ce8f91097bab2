"""The talk: exchanges below each other. Follows the end unless the user has scrolled away."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.state.conversation import Message, Messages
from app.ui.message_view import ExchangeView
from app.ui.theme import SCROLL_BAR_WIDTH, Theme
from app.ui.widgets import in_column, restyle
from engine.messages import Draft

NEAR_END = 4  # pixels


class ChatView(QScrollArea):
    """Shows a conversation.

    The last exchange is given the height of the window, so that a new question stands at the top
    and its answer has room: nothing moves while it is written.

    Signals:
        retry_requested()
        edit_requested()
    """

    retry_requested = Signal()
    edit_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._exchanges: list[ExchangeView] = []
        self._rows: list[QWidget] = []
        self._follows = True
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._page = QWidget()
        self._column = QVBoxLayout(self._page)
        # as wide as the scroll bar, which always has its room: so the column never moves sideways
        self._column.setContentsMargins(SCROLL_BAR_WIDTH, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self.setWidget(self._page)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._on_range_changed)
        bar.valueChanged.connect(self._on_scrolled)
        bar.setProperty("idle", True)

    @property
    def exchanges(self) -> tuple[ExchangeView, ...]:
        return tuple(self._exchanges)

    def show_conversation(self, messages: Messages) -> None:
        """Replaces everything."""
        while self._exchanges:
            self.remove_last()
        for question, answer in zip(messages[::2], messages[1::2], strict=True):
            self.add(question, answer)

    def add(self, question: Message, answer: Message) -> None:
        if self._exchanges:
            self._exchanges[-1].hide_actions()
            self._exchanges[-1].give_room(0)
        view = ExchangeView(question, self._theme)
        view.retry_requested.connect(self.retry_requested)
        view.edit_requested.connect(self.edit_requested)
        view.show_answer(answer)
        self._exchanges.append(view)
        self._rows.append(in_column(view))
        self._column.insertWidget(self._column.count() - 1, self._rows[-1])
        self._follows = True
        self._give_room()

    def remove_last(self) -> None:
        self._exchanges.pop()
        row = self._rows.pop()
        self._column.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._give_room()

    def show_answer(self, answer: Message) -> None:
        """The last answer is another one now."""
        self._exchanges[-1].show_answer(answer)

    def show_hint(self, text: str) -> None:
        """What happens before the first draft of the open answer."""
        self._exchanges[-1].show_hint(text)

    def show_draft(self, draft: Draft) -> None:
        self._exchanges[-1].show_draft(draft)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._give_room()

    def _give_room(self) -> None:
        if self._exchanges:
            self._exchanges[-1].give_room(self.viewport().height())

    def _on_range_changed(self, _minimum: int, maximum: int) -> None:
        bar = self.verticalScrollBar()
        if bar.property("idle") != (maximum == 0):
            bar.setProperty("idle", maximum == 0)
            restyle(bar)
        if self._follows:
            self.verticalScrollBar().setValue(maximum)

    def _on_scrolled(self, value: int) -> None:
        self._follows = value >= self.verticalScrollBar().maximum() - NEAR_END
