"""Writes single messages and titles, and keeps the index of words in step with them.

Inside of a transaction that the caller began.
"""

from __future__ import annotations

import sqlite3

from app.state.conversation import Message
from app.state.history.rows import details, title_from
from app.state.history.search import index, unindex
from app.state.text import clean
from engine.messages import Role


def put_message(db: sqlite3.Connection, chat: int, message: Message) -> None:
    text = clean(message.text)
    old = db.execute(
        "SELECT number, text, is_open, chat FROM messages WHERE id = ?", (message.id,)
    ).fetchone()
    if old is not None and old[3] != chat:
        raise ValueError(f"message {message.id} belongs to another chat")
    number = db.execute(
        "INSERT INTO messages (chat, is_open, id, parent, role, more, text)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET is_open ="
        " excluded.is_open, parent = excluded.parent, role = excluded.role,"
        " more = excluded.more, text = excluded.text RETURNING number",
        (
            chat,
            message.is_open,
            message.id,
            message.parent,
            message.role.value,
            details(message),
            text,
        ),
    ).fetchone()[0]
    if old is not None and not old[2] and (old[1] != text or message.is_open):
        unindex(db, "message_words", number, old[1])
        old = None
    if not message.is_open and (old is None or old[2]):
        index(db, "message_words", number, text)


def take_title(db: sqlite3.Connection, number: int) -> None:
    """Names a chat without a name after its first question."""
    row = db.execute(
        "SELECT messages.text FROM chats JOIN messages ON chat = chats.number"
        " WHERE chats.number = ? AND title = '' AND role = ? ORDER BY messages.number LIMIT 1",
        (number, Role.USER.value),
    ).fetchone()
    if row is not None:
        set_title(db, number, row[0], is_given=False)


def set_title(db: sqlite3.Connection, number: int, title: str, *, is_given: bool) -> None:
    title = title_from(title)
    (old,) = db.execute("SELECT title FROM chats WHERE number = ?", (number,)).fetchone()
    if old:
        unindex(db, "title_words", number, old)
    if title:
        index(db, "title_words", number, title)
    db.execute(
        "UPDATE chats SET title = ?, title_is_given = ? WHERE number = ?",
        (title, is_given, number),
    )
