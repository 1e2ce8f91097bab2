"""What commands do to the chat that is shown, beside asking the model."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QGuiApplication

from app.state.chats import Chats
from app.ui.dialogs import Dialogs
from app.ui.toast import Toast
from app.words import tr


class ShownChat:
    def __init__(
        self, chats: Chats, dialogs: Dialogs, toast: Toast, is_still: Callable[[], bool]
    ) -> None:
        self._chats = chats
        self._dialogs = dialogs
        self._toast = toast
        self._is_still = is_still

    @property
    def title(self) -> str:
        return self._title(self._chats.current.chat_id)

    def copy_last(self) -> None:
        QGuiApplication.clipboard().setText(self._chats.current.path[-1].text)

    def replay_last(self) -> None:
        last = self._chats.current.path[-1]
        if last.has_recording:
            self.replay(last.id)
        else:
            self._toast.tell(tr("This answer was not recorded."))

    def replay(self, message_id: str) -> None:
        def show(data: bytes | None) -> None:
            if data is None:
                self._toast.tell(tr("The recording of this answer is no longer kept."))
            else:
                self._dialogs.replay(data, is_still=self._is_still())

        self._chats.recording(message_id, show)

    def step(self, by: int) -> None:
        """To the chat above or below in the list."""
        ids = [summary.id for summary in self._chats.summaries]
        here = self._chats.current.chat_id
        place = ids.index(here) + by if here in ids else 0
        if 0 <= place < len(ids):
            self._chats.open(ids[place])

    def export(self, chat_id: str | None = None) -> None:
        """This one, or another one."""
        chosen = chat_id or self._chats.current.chat_id
        done = tr("The chat is exported.")
        self._dialogs.export(
            self._title(chosen),
            lambda path, form: self._chats.export(
                chosen, path, form, lambda: self._toast.tell(done)
            ),
        )

    def delete(self) -> None:
        self._chats.delete(self._chats.current.chat_id)

    def _title(self, chat_id: str) -> str:
        titles = [each.title for each in self._chats.summaries if each.id == chat_id]
        return titles[0] if titles else ""
