"""The file of the history: its tables, how it is opened, and how an older one becomes a newer one.

One process has the file at a time (`locking_mode=EXCLUSIVE`). SQLite before 3.51.3 can lose pages
when two connections write and checkpoint in the same moment, and Python ships such versions; with
one connection that cannot happen. The system drops the lock when a process ends, however it ends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from app.state.history.copies import keep_copy
from app.state.history.faults import Fault, fault_error, in_plain_words

APPLICATION_ID = 0x52656472  # "Redr": tells our files from other SQLite files
PATIENCE = 1.0  # seconds to wait for a file that another process has
WAL_BYTES = 16_000_000  # what stays of the log after a checkpoint
CACHE_KIB = 16_384

# `number` is the order in which rows were added, and the order of everything: clocks are set back.
# `recency` is the same for changes of a chat. Only closed messages are in the index of words.
# The index of words holds no text of its own (content=''): see history_search.
MIGRATIONS = (
    """
    CREATE TABLE chats (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL DEFAULT '',
        title_is_given INTEGER NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        updated REAL NOT NULL,
        recency INTEGER NOT NULL,
        is_deleted INTEGER NOT NULL DEFAULT 0,
        leaf TEXT,
        settings TEXT NOT NULL DEFAULT '{}',
        unsent TEXT NOT NULL DEFAULT '{}'
    ) STRICT;
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        chat INTEGER NOT NULL REFERENCES chats ON DELETE CASCADE,
        is_open INTEGER NOT NULL,
        id TEXT NOT NULL UNIQUE,
        parent TEXT,
        role TEXT NOT NULL,
        more TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE recordings (
        number INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
        data BLOB NOT NULL
    ) STRICT;
    CREATE INDEX chats_by_recency ON chats (recency);
    CREATE INDEX messages_by_chat ON messages (chat);
    CREATE INDEX open_messages ON messages (number) WHERE is_open;
    CREATE VIRTUAL TABLE message_words USING fts5 (
        words, content='', prefix='2 3 4',
        tokenize="unicode61 remove_diacritics 2 categories 'L* N* M* Co'"
    );
    CREATE VIRTUAL TABLE title_words USING fts5 (
        words, content='', prefix='2 3 4',
        tokenize="unicode61 remove_diacritics 2 categories 'L* N* M* Co'"
    );
    """,
)


def newest() -> int:
    """The version of the history's tables."""
    return len(MIGRATIONS)


def connect(path: Path | None, migrations: Sequence[str] | None = None) -> sqlite3.Connection:
    """Opens the file, or makes it, in this version. None: in memory.

    Raises HistoryError. A file from a newer version is read only as far as its version; of one from
    an older version a copy is kept.
    """
    migrations = MIGRATIONS if migrations is None else migrations
    with in_plain_words(path):
        connection = sqlite3.connect(path or ":memory:", timeout=PATIENCE, isolation_level=None)
    try:
        with in_plain_words(path):
            connection.text_factory = _text
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            _prepare(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path | None, migrations: Sequence[str]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if version and application != APPLICATION_ID:
        raise fault_error(Fault.DAMAGED, path)  # somebody else's file
    if version > len(migrations):
        raise fault_error(Fault.NEWER, path)
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # on return of a commit it survives a loss of power
        "foreign_keys = ON",
        "temp_store = MEMORY",
        f"journal_size_limit = {WAL_BYTES}",
        f"cache_size = -{CACHE_KIB}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if path is not None and 0 < version < len(migrations):
        keep_copy(connection, path, version)
    for number in range(version, len(migrations)):
        connection.executescript(
            f"BEGIN IMMEDIATE; {migrations[number]} PRAGMA application_id = {APPLICATION_ID};"
            f"PRAGMA user_version = {number + 1}; COMMIT;"
        )
    connection.execute("BEGIN IMMEDIATE")  # takes the lock, and learns whether it may write
    connection.execute("COMMIT")


def _text(data: bytes) -> str:
    """Damaged letters are better than no message."""
    return data.decode("utf-8", "replace")
