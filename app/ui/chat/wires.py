"""The signals of the chat that is shown. A chat that is not shown is connected to nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QMetaObject, QObject
from PySide6.QtWidgets import QApplication

from app.state.chat import ChatSession
from app.state.engine_status import Phase
from app.state.progress import Progress, progress_text
from app.ui.chat.answer import NEWCOMER_ANSWERS
from app.words import tr
from engine.messages import Draft, ErrorKind

if TYPE_CHECKING:
    from app.ui.main_window import MainWindow


class SessionWires:
    """Between one session at a time and the window."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._session: ChatSession | None = None
        self._connections: list[QMetaObject.Connection] = []

    def attach(self, session: ChatSession) -> None:
        """Listens to this session, and no longer to the one before."""
        for connection in self._connections:
            QObject.disconnect(connection)
        self._session = session
        self._connections = [
            session.path_changed.connect(self._on_path_changed),
            session.message_changed.connect(self._on_message_changed),
            session.draft_changed.connect(self._on_draft),
            session.progress_changed.connect(self._on_progress),
            session.busy_changed.connect(self._on_busy_changed),
            session.preset_changed.connect(self._window.meter.refresh),
        ]
        self._on_busy_changed(session.is_busy)
        if session.draft is not None and session.progress is not None:  # where it is by now
            self._on_draft(session.draft)
            self._on_progress(session.progress)

    def show_waiting(self) -> None:
        """What the open answer waits for, as long as there is nothing to see of it."""
        session = self._session
        if session is None or not session.is_busy or session.progress is not None:
            return
        if self._window.status.state.phase is Phase.READY:
            self._window.chat.show_hint(progress_text(Progress()))
        else:
            self._window.chat.show_hint(tr("Waiting for the model"))

    def _on_path_changed(self, place: int) -> None:
        self._window.chat.refresh_from(place)
        self._window.path_changed()
        if QApplication.focusWidget() is None:
            self._window.composer.focus()  # what had it is gone; Tab begins where one writes
        self.show_waiting()

    def _on_message_changed(self, message_id: str) -> None:
        assert self._session is not None
        window, message = self._window, self._session.conversation.messages[message_id]
        window.chat.refresh_message(message_id)
        if not message.is_open:
            window.side_panel.show_answer(message)
            if message.text:
                self._count_answer()
            window.meter.refresh()
        if message.error is not None and message.error.kind is ErrorKind.NOT_LOADED:
            window.notice.resolve()  # the answer itself says it, with the same button

    def _on_draft(self, draft: Draft) -> None:
        self._window.chat.show_draft(draft)

    def _on_progress(self, progress: Progress) -> None:
        self._window.status_line.show_progress(progress)

    def _count_answer(self) -> None:
        """As long as it matters: whether the user is new here."""
        settings = self._window.settings
        if settings.value.answers_made < NEWCOMER_ANSWERS:
            settings.change(answers_made=settings.value.answers_made + 1)

    def _on_busy_changed(self, is_busy: bool) -> None:
        window = self._window
        window.composer.set_busy(is_busy)
        if is_busy and window.chat.has_focus:
            window.composer.focus()
        window.chat.set_busy(is_busy)
        if is_busy:
            self.show_waiting()
        else:
            self._window.status_line.show_idle()
            self._window.chat.refresh_last()
