"""All chats of one user in one SQLite file. Used from one thread; nothing here knows of Qt.

What a method wrote is on the disk when it returns, and survives a kill or a loss of power. Every
method raises HistoryError where the disk or the file fails; nothing is half written then.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.state.conversation import Conversation, Message, interrupted
from app.state.history import search as history_search
from app.state.history.faults import Fault, HistoryError, fault_error, in_plain_words
from app.state.history.newer import chats_as_they_were
from app.state.history.rows import (
    ChatSummary,
    SavedChat,
    created_of,
    message_of,
    object_of,
    to_json,
    unsent_of,
)
from app.state.history.salvage import finish_salvage, salvage
from app.state.history.schema import connect
from app.state.history.search import Hit, unindex
from app.state.history.write import put_message, set_title, take_title
from app.state.text import clean
from app.state.unsent import Unsent


class History:
    """One open file. `notice` is a plain sentence if opening had to repair something."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path | None = None,
        notice: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = connection
        self._path = path
        self._clock = clock
        self.notice = notice
        self._left_open = self._close_open_messages()

    @classmethod
    def open(cls, path: Path | None = None, clock: Callable[[], float] = time.time) -> History:
        """Opens or makes the file; None keeps everything in memory. A damaged file is repaired."""
        if path is None:
            return cls(connect(None), clock=clock)
        with in_plain_words(path):
            finish_salvage(path)
        try:
            connection = connect(path)
            try:
                with in_plain_words(path):  # a file that was cut off fails here
                    connection.execute("SELECT count(*) FROM chats").fetchone()
                return cls(connection, path, clock=clock)
            except BaseException:
                connection.close()
                raise
        except HistoryError as error:
            if error.fault is Fault.NEWER and (told := chats_as_they_were(path)):
                return cls(connect(path), path, told, clock)
            if error.fault is not Fault.DAMAGED:
                raise
        return cls.repair(path, clock)

    @classmethod
    def repair(cls, path: Path, clock: Callable[[], float] = time.time) -> History:
        """Reads what can be read into a new file; the damaged one is kept under another name."""
        with in_plain_words(path):
            notice = salvage(path)
        return cls(connect(path), path, notice, clock)

    def close(self) -> None:
        """Everything is written already; this leaves one file without a log beside it."""
        self._db.close()

    def chats(self) -> tuple[ChatSummary, ...]:
        """Newest change first, whatever the clock said."""
        with in_plain_words(self._path):
            rows = self._db.execute(
                "SELECT id, title, created, updated FROM chats WHERE NOT is_deleted"
                " ORDER BY recency DESC"
            ).fetchall()
        return tuple(
            ChatSummary(id=chat_id, title=title, created=created, updated=updated)
            for chat_id, title, created, updated in rows
        )

    def has(self, chat_id: str) -> bool:
        """Whether it was ever added; deleted ones count until they are purged."""
        with in_plain_words(self._path):
            return self._number(chat_id) is not None

    def load(self, chat_id: str) -> SavedChat:
        """Raises HistoryError(GONE) for a chat that is not there."""
        with in_plain_words(self._path):
            chat = self._db.execute(
                "SELECT number, title, title_is_given, created, updated, leaf, settings, unsent"
                " FROM chats WHERE id = ?",
                (chat_id,),
            ).fetchone()
            if chat is None:
                raise fault_error(Fault.GONE)
            number, title, is_given, created, updated, leaf, settings, unsent = chat
            rows = self._db.execute(
                "SELECT id, parent, role, text, is_open, more, EXISTS"
                " (SELECT 1 FROM recordings WHERE recordings.number = messages.number)"
                " FROM messages WHERE chat = ? ORDER BY number",
                (number,),
            ).fetchall()
        messages = {row[0]: message_of(*row) for row in rows}
        for left in self._left_open & messages.keys():
            if messages[left].is_open:
                messages[left] = interrupted(messages[left])
        if leaf not in messages:
            leaf = rows[-1][0] if rows and leaf is not None else None
        return SavedChat(
            summary=ChatSummary(id=chat_id, title=title, created=created, updated=updated),
            conversation=Conversation(MappingProxyType(messages), leaf),
            unsent=unsent_of(unsent),
            settings=object_of(settings),
            title_is_given=bool(is_given),
        )

    def search(self, query: str, limit: int = 50) -> tuple[Hit, ...]:
        """See history_search. Deleted chats and messages still being written are left out."""
        with in_plain_words(self._path):
            return history_search.search(self._db, clean(query), limit)

    def create(self, chat_id: str, title: str = "") -> None:
        """Adds an empty chat; nothing if it is there. The other methods create chats, too."""
        with self._writing():
            number = self._needed(chat_id)
            if title:
                set_title(self._db, number, title, is_given=True)

    def rename(self, chat_id: str, title: str) -> None:
        """An empty title means: the first question again."""
        with self._writing():
            number = self._needed(chat_id)
            set_title(self._db, number, title, is_given=bool(title.strip()))
            take_title(self._db, number)

    def delete(self, chat_id: str) -> None:
        """Hides it until `restore` or `purge`."""
        self._mark(chat_id, is_deleted=True)

    def restore(self, chat_id: str) -> None:
        self._mark(chat_id, is_deleted=False)

    def purge(self) -> None:
        """Removes the deleted chats for good."""
        with self._writing():
            for number, title in self._db.execute(
                "SELECT number, title FROM chats WHERE is_deleted"
            ).fetchall():
                texts = self._db.execute(
                    "SELECT number, text FROM messages WHERE chat = ? AND NOT is_open", (number,)
                ).fetchall()
                for message, text in texts:
                    unindex(self._db, "message_words", message, text)
                unindex(self._db, "title_words", number, title)
                self._db.execute("DELETE FROM chats WHERE number = ?", (number,))

    def save(self, chat_id: str, messages: Sequence[Message], leaf: str | None) -> None:
        """Adds or replaces messages and sets the end of the shown branch.

        Raises ValueError, and writes nothing, for a parent or leaf that is not in this chat.
        """
        with self._writing():
            number = self._needed(chat_id)
            for message in messages:
                put_message(self._db, number, message)
            for needed in {leaf, *(message.parent for message in messages)} - {None}:
                if self._chat_of(needed) != number:
                    raise ValueError(f"message {needed} is not in chat {chat_id}")
            self._db.execute(
                "UPDATE chats SET leaf = ?, updated = ?,"
                " recency = (SELECT max(recency) FROM chats) + 1 WHERE number = ?",
                (leaf, self._clock(), number),
            )
            take_title(self._db, number)

    def save_unsent(self, chat_id: str, unsent: Unsent) -> None:
        self._set(chat_id, "unsent", asdict(unsent))

    def save_settings(self, chat_id: str, settings: dict[str, Any]) -> None:
        self._set(chat_id, "settings", settings)

    def save_recording(self, message_id: str, data: bytes) -> None:
        """Raises HistoryError(GONE) if there is no such message."""
        with self._writing():
            written = self._db.execute(
                "INSERT OR REPLACE INTO recordings SELECT number, ? FROM messages WHERE id = ?",
                (data, message_id),
            )
            if not written.rowcount:
                raise fault_error(Fault.GONE)

    def recording(self, message_id: str) -> bytes | None:
        with in_plain_words(self._path):
            row = self._db.execute(
                "SELECT data FROM recordings JOIN messages USING (number) WHERE id = ?",
                (message_id,),
            ).fetchone()
        return None if row is None else bytes(row[0])

    def forget_recordings(self, before: float, after: int = 0, most: int = 200) -> int | None:
        """Deletes recordings of messages from before a time (seconds since 1970), in slices.

        Looks at `most` recordings behind the place `after`. Returns the place to go on from, None
        at the end. A message that does not know its time is as old as its chat.
        """
        with in_plain_words(self._path):
            found = self._db.execute(
                "SELECT recordings.number, more, updated FROM recordings"
                " JOIN messages USING (number) JOIN chats ON chats.number = chat"
                " WHERE recordings.number > ? ORDER BY recordings.number LIMIT ?",
                (after, most),
            ).fetchall()
        old = [(number,) for number, more, updated in found if created_of(more, updated) < before]
        if old:
            with self._writing():
                self._db.executemany("DELETE FROM recordings WHERE number = ?", old)
        return found[-1][0] if len(found) == most else None

    def add(self, chat: SavedChat) -> None:
        """Brings in a whole chat from elsewhere, in one step. Messages that are here are replaced."""
        summary, conversation = chat.summary, chat.conversation
        with self._writing():
            self.save(summary.id, tuple(conversation.messages.values()), conversation.leaf)
            if chat.title_is_given:
                set_title(self._db, self._needed(summary.id), summary.title, is_given=True)
            self.save_unsent(summary.id, chat.unsent)
            self.save_settings(summary.id, chat.settings)
            self._db.execute(
                "UPDATE chats SET created = ?, updated = ? WHERE id = ?",
                (summary.created, summary.updated, summary.id),
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """All or nothing; inside another one, a part of it."""
        is_inside = self._db.in_transaction
        if is_inside:
            yield
            return
        with in_plain_words(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite may have ended it itself
                    self._db.execute("ROLLBACK")
                raise

    def _number(self, chat_id: str) -> int | None:
        row = self._db.execute("SELECT number FROM chats WHERE id = ?", (chat_id,)).fetchone()
        return None if row is None else int(row[0])

    def _needed(self, chat_id: str) -> int:
        """The number of the chat, which is made where it is missing."""
        now = self._clock()
        self._db.execute(
            "INSERT OR IGNORE INTO chats (id, created, updated, recency)"
            " VALUES (?, ?, ?, (SELECT coalesce(max(recency), 0) + 1 FROM chats))",
            (chat_id, now, now),
        )
        number = self._number(chat_id)
        assert number is not None
        return number

    def _chat_of(self, message_id: str | None) -> int | None:
        row = self._db.execute("SELECT chat FROM messages WHERE id = ?", (message_id,)).fetchone()
        return None if row is None else int(row[0])

    def _set(self, chat_id: str, column: str, value: dict[str, Any]) -> None:
        with self._writing():
            self._db.execute(
                f"UPDATE chats SET {column} = ? WHERE number = ?",
                (to_json(value), self._needed(chat_id)),
            )

    def _mark(self, chat_id: str, *, is_deleted: bool) -> None:
        with self._writing():
            self._db.execute("UPDATE chats SET is_deleted = ? WHERE id = ?", (is_deleted, chat_id))

    def _close_open_messages(self) -> frozenset[str]:
        """Nobody writes them any more: the process that did has ended.

        Returns the ids of those that a full disk leaves open; `load` closes them.
        """
        with in_plain_words(self._path):
            rows = self._db.execute(
                "SELECT id, parent, role, text, is_open, more, 0, chat FROM messages WHERE is_open"
            ).fetchall()
        try:
            with self._writing():
                for *row, chat in rows:
                    put_message(self._db, chat, interrupted(message_of(*row)))
        except HistoryError as error:
            if error.fault not in (Fault.FULL, Fault.DISK):
                raise
            return frozenset(row[0] for row in rows)
        return frozenset()
