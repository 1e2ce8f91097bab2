"""The window: builds the parts and says, in one table, which of them talk to each other."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QPaintEvent, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.state.autosave import Autosave
from app.state.chat import ChatSession
from app.state.engine_status import EngineState, EngineStatus, Phase
from app.state.progress import Progress, progress_text
from app.state.restore import Unsent
from app.ui.chat_view import ChatView
from app.ui.composer import Composer
from app.ui.empty_state import EmptyState
from app.ui.notice import Notice
from app.ui.status_line import StatusLine
from app.ui.theme import Theme, interface_font
from app.ui.widgets import flat_button, in_column, plain_label
from engine.messages import ErrorKind

PLACEHOLDERS = {
    Phase.IDLE: "Write a message",
    Phase.LOADING: "Write a message. It is answered as soon as the model is ready",
    Phase.READY: "Write a message",
    Phase.FAILED: "Write a message. It is kept until a model is ready",
}


class MainWindow(QWidget):
    """Signals:
    first_painted(): the window is on the screen.
    closing(): the user closes it; whoever owns the engine ends it now.
    """

    first_painted = Signal()
    closing = Signal()

    def __init__(
        self,
        *,
        session: ChatSession,
        status: EngineStatus,
        unsent: Unsent,
        theme: Theme,
    ) -> None:
        super().__init__()
        self._session = session
        self._status = status
        self._conversation_save: Autosave | None = None
        self._unsent_save: Autosave | None = None
        self._was_painted = False
        self.empty_state = EmptyState()
        self.chat = ChatView(theme)
        self.composer = Composer(theme)
        self.notice = Notice()
        self.status_line = StatusLine()
        self._new_chat = flat_button("New chat")
        self._stack = QStackedWidget()
        self._build(theme)
        self._connect()
        self.chat.show_conversation(session.messages)
        self.composer.set_unsent(unsent)
        self._on_engine_changed(status.state)
        self._choose_page()

    def keep(self, conversation: Autosave, unsent: Autosave) -> None:
        """From now on whatever changes is saved there.

        What moves from one file to the other is written where it goes before it is removed where it
        was: whenever Redraft is killed, a text is in one of them.
        """
        self._conversation_save, self._unsent_save = conversation, unsent
        self._session.exchange_added.connect(conversation.save_now)
        for changed in (
            self._session.exchange_removed,
            self._session.message_changed,
            self._session.cleared,
        ):
            changed.connect(conversation.touch)
        self.composer.changed.connect(unsent.touch)
        for save in (conversation, unsent):
            save.failed.connect(self._on_save_failed)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.hide()  # at once, whatever the engine still has to finish
        self.closing.emit()
        super().closeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._was_painted:
            self._was_painted = True
            QTimer.singleShot(0, self.first_painted.emit)

    def _build(self, theme: Theme) -> None:
        self.setWindowTitle("Redraft")
        self.setWindowIcon(theme.icon("redraft", "", 64))
        self.resize(980, 760)
        self.setMinimumSize(480, 420)
        self._stack.addWidget(in_column(self.empty_state))
        self._stack.addWidget(self.chat)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 12)
        layout.setSpacing(8)
        layout.addLayout(self._header())
        layout.addWidget(self._stack, 1)
        for part in (self.notice, self.composer, self.status_line):
            layout.addWidget(in_column(part))
        self.composer.focus()

    def _header(self) -> QHBoxLayout:
        title = plain_label("Redraft", wrap=False)
        font = interface_font()
        font.setWeight(font.Weight.DemiBold)
        font.setPointSizeF(12)
        title.setFont(font)
        self._new_chat.setToolTip("Begin a new conversation (Ctrl+N). This one is kept on disk")
        header = QHBoxLayout()
        header.setContentsMargins(20, 10, 16, 0)
        header.addWidget(title)
        header.addStretch(1)
        header.addWidget(self._new_chat)
        return header

    def _connect(self) -> None:
        session, composer = self._session, self.composer
        composer.send_requested.connect(self._send)
        composer.stop_requested.connect(session.stop)
        self.empty_state.suggested.connect(self._on_suggested)
        self.chat.retry_requested.connect(self._retry)
        self.chat.edit_requested.connect(self._edit_last)
        self.notice.retry_requested.connect(self._status.load)
        self._new_chat.clicked.connect(self._begin_anew)
        self._status.changed.connect(self._on_engine_changed)
        session.exchange_added.connect(self._on_exchange_added)
        session.exchange_removed.connect(self._on_exchange_removed)
        session.message_changed.connect(self._on_message_changed)
        session.draft_changed.connect(self.chat.show_draft)
        session.progress_changed.connect(self._on_progress)
        session.busy_changed.connect(self._on_busy_changed)
        session.cleared.connect(self._on_cleared)
        QShortcut(QKeySequence(Qt.Key.Key_Escape), self, session.stop)
        QShortcut(QKeySequence.StandardKey.New, self, self._begin_anew)

    def _send(self) -> None:
        if self._ask(self.composer.unsent.text):
            self.composer.clear()

    def _on_suggested(self, text: str) -> None:
        if self._ask(text):
            self.composer.focus()

    def _ask(self, text: str) -> bool:
        if self._status.state.phase is Phase.IDLE:
            self._status.load()  # first in the queue; the question waits behind it
        return self._session.send(text)

    def _retry(self) -> None:
        if self._status.state.phase is Phase.FAILED:
            self._status.load()
        self._session.retry()

    def _edit_last(self) -> None:
        self.composer.put_before(self._session.take_back())
        if self._unsent_save is not None:
            self._unsent_save.save_now()

    def _begin_anew(self) -> None:
        if self._session.is_busy or not self._session.messages:
            return
        if self._conversation_save is None or self._conversation_save.set_aside():
            self._session.clear()
        else:
            self._on_save_failed("This conversation could not be put aside on disk.")

    def _on_engine_changed(self, state: EngineState) -> None:
        self.status_line.show_engine(state, is_demo=self._status.is_demo)
        self.composer.set_placeholder(PLACEHOLDERS[state.phase])
        if state.phase is Phase.FAILED and state.error is not None:
            self.notice.tell(state.error.message, state.error.remedy, can_retry=True)
        elif state.phase is Phase.READY:
            self.notice.resolve()
        if self._session.is_busy and state.phase is Phase.READY:
            self.chat.show_hint(progress_text(Progress()))

    def _on_exchange_added(self, index: int) -> None:
        question, answer = self._session.messages[index : index + 2]
        self.chat.add(question, answer)
        self._choose_page()

    def _on_exchange_removed(self, _index: int) -> None:
        self.chat.remove_last()
        self._choose_page()

    def _on_message_changed(self, index: int) -> None:
        message = self._session.messages[index]
        self.chat.show_answer(message)
        if message.error is not None and message.error.kind is ErrorKind.NOT_LOADED:
            self.notice.resolve()  # the answer itself says it, with the same button

    def _on_progress(self, progress: Progress) -> None:
        self.status_line.show_progress(progress)

    def _on_busy_changed(self, is_busy: bool) -> None:
        self.composer.set_busy(is_busy)
        self._new_chat.setEnabled(not is_busy)
        if not is_busy:
            self.status_line.show_idle()
        elif self._status.state.phase is Phase.READY:
            self.chat.show_hint(progress_text(Progress()))
        else:
            self.chat.show_hint("Waiting for the model")

    def _on_cleared(self) -> None:
        self.chat.show_conversation(())
        self._choose_page()
        self.composer.focus()

    def _on_save_failed(self, message: str) -> None:
        self.notice.tell(message, "Free some space on the disk; Redraft tries again as you type.")

    def _choose_page(self) -> None:
        self._stack.setCurrentIndex(1 if self._session.messages else 0)
