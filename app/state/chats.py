"""All chats: which there are, which one is shown, and which are being answered meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.bridge import EngineBridge
from app.settings import SettingsStore
from app.state import presets
from app.state.chat import ChatSession
from app.state.conversation import new_id
from app.state.history.export import Format
from app.state.history.library import Library
from app.state.history.rows import ChatSummary, SavedChat
from app.state.history.search import Hit
from app.state.presets import Preset
from app.state.unsent import Unsent

UNSENT_DELAY_MS = 150


class Chats(QObject):
    """One chat is always current; a new one is not stored before something is written in it.

    A chat that one leaves while it is being answered goes on.

    Signals:
        list_changed(tuple[ChatSummary, ...]): newest change first.
        current_changed(): another chat is shown; `current` and `unsent` are its own.
        busy_changed(): other chats than before are being answered.
        deleted(ChatSummary): can be undone with `undelete`.
        failed(HistoryError), recovered(), noticed(str): as of the library.
    """

    list_changed = Signal(object)
    current_changed = Signal()
    busy_changed = Signal()
    deleted = Signal(object)
    failed = Signal(object)
    recovered = Signal()
    noticed = Signal(str)

    def __init__(
        self,
        bridge: EngineBridge,
        library: Library,
        settings: SettingsStore,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._library = library
        self._settings = settings
        self._told: tuple[ChatSummary, ...] = ()  # as the library knows them
        self._list: tuple[ChatSummary, ...] = ()  # without those that are deleted
        self._stored: set[str] = set()
        self._gone: dict[str, bool] = {}  # deleted in this run, and whether it was shown then
        self._wanted: str | None = None  # the chat that is being loaded
        self._is_first_list = True
        self._sessions: dict[str, ChatSession] = {}  # the current one and those that are busy
        self._unsent: dict[str, Unsent] = {}  # of the same
        self._timer = QTimer(self, singleShot=True, interval=UNSENT_DELAY_MS)
        self._timer.timeout.connect(self._save_unsent)
        self._usual = self._preset_of_new_chats()
        self._current = self._new_session()
        settings.changed.connect(self._on_settings)
        library.chats_changed.connect(self._on_list)
        library.failed.connect(self.failed)
        library.recovered.connect(self.recovered)
        library.noticed.connect(self.noticed)

    @property
    def current(self) -> ChatSession:
        return self._current

    @property
    def unsent(self) -> Unsent:
        """What is typed in the current chat and not sent."""
        return self._unsent.get(self._current.chat_id, Unsent())

    @property
    def summaries(self) -> tuple[ChatSummary, ...]:
        return self._list

    @property
    def busy_ids(self) -> frozenset[str]:
        return frozenset(key for key, session in self._sessions.items() if session.is_busy)

    def is_stored(self, chat_id: str) -> bool:
        """Whether something was written in it, so that it can be deleted, named, exported."""
        return chat_id in self._stored

    def new(self) -> None:
        """Shows an empty chat; the current one if it is empty."""
        self._wanted = None
        if not self._is_empty(self._current):
            self._show(self._new_session())

    def open(self, chat_id: str) -> None:
        """Shows a chat as soon as it is read."""
        self._wanted = None
        if chat_id == self._current.chat_id:
            return
        if chat_id in self._sessions:
            self._show(self._sessions[chat_id])
            return
        self._wanted = chat_id
        self._library.load(chat_id, self._on_loaded)

    def open_message(self, chat_id: str, message_id: str, on_shown: Callable[[], None]) -> None:
        """Shows the chat with the branch on which this message stands, then calls `on_shown`."""

        def show(chat: SavedChat | None = None) -> None:
            if chat is not None:
                self._on_loaded(chat)
            if self._current.chat_id == chat_id:
                self._current.show_variant(message_id)
                on_shown()

        if chat_id in self._sessions:
            self.open(chat_id)
            show()
        else:
            self._wanted = chat_id
            self._library.load(chat_id, show)

    def rename(self, chat_id: str, title: str) -> None:
        """An empty title means: the first question again."""
        self._library.rename(chat_id, title.strip())

    def delete(self, chat_id: str) -> None:
        """Nothing happens to one that is not stored. One that is being answered is stopped."""
        if chat_id not in self._stored or chat_id in self._gone:
            return
        if chat_id in self._sessions:
            self._sessions[chat_id].stop()
        gone = [summary for summary in self._list if summary.id == chat_id]
        self._hide(chat_id)
        if chat_id == self._current.chat_id:
            self._show(self._new_session())
        for summary in gone:
            self.deleted.emit(summary)

    def undelete(self, chat_id: str) -> None:
        """Lists it again; shows it if it was shown when it was deleted."""
        was_shown = self._gone.pop(chat_id, False)
        self._library.restore(chat_id)
        self._tell_list()
        if was_shown:
            self.open(chat_id)

    def search(self, query: str, on_found: Callable[[tuple[Hit, ...]], None]) -> None:
        self._library.search(query, on_found)

    def stop_search(self) -> None:
        self._library.stop_search()

    def recording(self, message_id: str, on_loaded: Callable[[bytes | None], None]) -> None:
        self._library.recording(message_id, on_loaded)

    def export(self, chat_id: str, path: Path, form: Format, on_done: Callable[[], None]) -> None:
        self._library.export(chat_id, path, form, on_done, all_branches=form is Format.JSON)

    def set_unsent(self, unsent: Unsent) -> None:
        """What is typed in the current chat now; on the disk within a quarter of a second."""
        if unsent != self.unsent:
            self._unsent[self._current.chat_id] = unsent
            if not self._timer.isActive():  # typing on cannot delay it
                self._timer.start()

    def set_preset(self, preset: Preset) -> None:
        """How answers of the current chat are made from now on."""
        self._current.set_preset(preset)
        self._save_preset(self._current)

    def flush(self) -> None:
        """Hands over what is waiting to be saved."""
        if self._timer.isActive():
            self._timer.stop()
            self._save_unsent()

    def close(self) -> None:
        """Stops what is being answered and hands over what is waiting to be saved."""
        self._is_first_list = False  # one that comes now is too late to open anything
        for session in list(self._sessions.values()):
            session.stop()
        self.flush()

    def _new_session(self) -> ChatSession:
        return self._session(SavedChat(summary=_blank()), self._usual)

    def _preset_of_new_chats(self) -> Preset:
        chosen = self._settings.value
        return presets.find(chosen.presets, chosen.preset_id)

    def _on_settings(self) -> None:
        """An empty chat that is shown is new still: it takes the preset that new chats have now."""
        old, self._usual = self._usual, self._preset_of_new_chats()
        is_new = self._is_empty(self._current) and self._current.chat_id not in self._stored
        if is_new and self._current.preset == old != self._usual:
            self._show(self._new_session())

    def _is_empty(self, session: ChatSession) -> bool:
        unsent = self._unsent.get(session.chat_id, Unsent())
        return not session.conversation.messages and unsent == Unsent()

    def _hide(self, chat_id: str) -> None:
        """Deletes it, so that it can be restored."""
        self._gone[chat_id] = chat_id == self._current.chat_id
        self._library.delete(chat_id)
        if self._wanted == chat_id:
            self._wanted = None
        self._tell_list()

    def _session(self, chat: SavedChat, preset: Preset) -> ChatSession:
        session = ChatSession(
            self._bridge,
            self._library,
            chat_id=chat.summary.id,
            preset=preset,
            conversation=chat.conversation,
            keeps_recordings=lambda: self._settings.value.keep_recordings,
            parent=self,
        )
        self._sessions[session.chat_id] = session
        self._unsent[session.chat_id] = chat.unsent
        session.busy_changed.connect(lambda _busy: self._on_busy(session))
        return session

    def _show(self, session: ChatSession) -> None:
        self.flush()
        old, self._current = self._current, session
        self._wanted = None
        self.current_changed.emit()
        if old is not session:
            self._drop(old)

    def _drop(self, session: ChatSession) -> None:
        """Forgets a session that is neither shown nor busy; it is on the disk."""
        if session is not self._current and not session.is_busy:
            if self._is_empty(session):
                self._clear_away(session.chat_id)
            self._sessions.pop(session.chat_id, None)
            self._unsent.pop(session.chat_id, None)
            session.deleteLater()

    def _clear_away(self, chat_id: str) -> None:
        """An empty chat without a name, left behind, is not worth a line in the list."""
        titles = [summary.title for summary in self._list if summary.id == chat_id]
        if titles == [""]:
            self._hide(chat_id)

    def _on_busy(self, session: ChatSession) -> None:
        if session.is_busy and session.chat_id not in self._stored:
            self._create(session)
        self.busy_changed.emit()
        self._drop(session)

    def _on_loaded(self, chat: SavedChat) -> None:
        if self._wanted != chat.summary.id:
            return
        try:
            preset = presets.from_json(chat.settings.get("preset"))
        except ValueError:
            preset = self._usual
        self._show(self._session(chat, preset))

    def _on_list(self, summaries: tuple[ChatSummary, ...]) -> None:
        self._stored |= {summary.id for summary in summaries}
        self._told = summaries
        self._tell_list()
        if self._is_first_list and self._list and self._is_empty(self._current):
            self.open(self._list[0].id)
        if self._is_first_list:
            self._library.forget_recordings(self._settings.value.recording_days)
        self._is_first_list = False

    def _tell_list(self) -> None:
        """Without what is deleted, also where the library could not write that yet."""
        gone = self._gone
        self._list = tuple(each for each in self._told if each.id not in gone)
        self.list_changed.emit(self._list)

    def _save_unsent(self) -> None:
        chat_id, unsent = self._current.chat_id, self.unsent
        if chat_id not in self._stored:
            if unsent == Unsent():
                return
            self._create(self._current)
        self._library.save_unsent(chat_id, unsent)

    def _create(self, session: ChatSession) -> None:
        self._stored.add(session.chat_id)
        self._library.create(session.chat_id)
        self._save_preset(session)

    def _save_preset(self, session: ChatSession) -> None:
        if session.chat_id in self._stored:
            settings = {"preset": presets.to_json(session.preset)}
            self._library.save_settings(session.chat_id, settings)


def _blank() -> ChatSummary:
    return ChatSummary(id=new_id(), title="", created=0.0, updated=0.0)
