"""Reads what can be read of a damaged history into a new one.

The new file takes its place only when it is whole; until then the damaged one stays where it is, so
a kill in between begins again. Rows are read in their order; where a page is damaged each row is
asked for by itself. A message that is lost leaves a note in its place, so that what follows it
stays in its branch.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from app.state.autosave import set_aside
from app.state.conversation import new_id
from app.state.history.rows import title_from
from app.state.history.schema import connect
from app.state.history.search import index
from app.words import plural, tr
from engine.messages import Role

PAGE = 4096  # bytes; SQLite's own choice
GUESSED_ROWS = 100_000  # looked for after a damage where nothing says how many there were

_CHATS = "number, id, title, title_is_given, created, updated, recency, is_deleted, leaf, settings, unsent"
_MESSAGES = "number, chat, is_open, id, parent, role, more, text"
_RECORDINGS = "number, data"


def salvage(path: Path, now: Callable[[], float] = time.time) -> str:
    """Replaces the damaged file by what could be read of it. Returns one sentence about it.

    Raises sqlite3.Error or OSError if the new file cannot be written; the old one is kept then.
    """
    part = path.with_name(path.name + ".part")
    _remove(part)
    with closing(connect(part)) as new:
        new.execute("BEGIN IMMEDIATE")
        with _damaged(path) as old:
            _copy(old, new, now())
        _mend(new)
        (count,) = new.execute("SELECT count(*) FROM messages").fetchone()
        new.execute("COMMIT")
    return _sentence(count, take_place(part, path, "damaged"))


def take_place(part: Path, path: Path, why: str) -> Path | None:
    """`part` becomes `path`. What was there is kept under another name, which is returned.

    Raises OSError. After a kill in between, `finish_salvage` ends it.
    """
    part.replace(salvaged_of(path))
    kept = _set_aside(path, why)
    finish_salvage(path)
    return kept


def finish_salvage(path: Path) -> None:
    """After a kill between setting the damaged file aside and putting the new one in its place."""
    if not path.exists() and salvaged_of(path).exists():
        _log_of(path).unlink(missing_ok=True)
        salvaged_of(path).replace(path)


def _sentence(count: int, kept: Path | None) -> str:
    if kept is None:
        return tr("Your chats could not be read.")
    saved = plural("{count} message was saved", "{count} messages were saved", count)
    return tr(
        "Some of your chats were damaged on the disk: {saved}, and the damaged file is kept as"
        " {name}.",
        saved=saved,
        name=kept.name,
    )


def salvaged_of(path: Path) -> Path:
    """Where the new file waits for its place."""
    return path.with_name(path.name + ".salvaged")


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _remove(path: Path) -> None:
    for name in (path, _log_of(path)):
        name.unlink(missing_ok=True)


def _set_aside(path: Path, why: str) -> Path | None:
    """The file and its log. The log goes first: beside a new file it would be played into it."""
    log = _log_of(path)
    kept_log = set_aside(log, why) if log.exists() else None
    kept = set_aside(path, why)
    if kept and kept_log:
        with suppress(OSError):
            kept_log.replace(_log_of(kept))
    return kept


@contextmanager
def _damaged(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, opened as far as it can be.

    Where its first page is damaged, a copy gets the first page of a new file: the tables of every
    history begin on the same pages.
    """
    old = _open(path)
    if _has_tables(old) or path.stat().st_size < PAGE:
        with closing(old):
            yield old
        return
    old.close()
    copy, fresh = (path.with_name(path.name + end) for end in (".copy", ".fresh"))
    try:
        _remove(fresh)
        connect(fresh).close()
        _graft(path, copy, fresh.read_bytes()[:PAGE])
        with closing(_open(copy)) as old:
            yield old
    finally:
        _remove(fresh)
        _remove(copy)


def _graft(path: Path, copy: Path, first_page: bytes) -> None:
    shutil.copyfile(path, copy)
    if _log_of(path).exists():
        shutil.copyfile(_log_of(path), _log_of(copy))
    count = path.stat().st_size // PAGE
    with copy.open("r+b") as file:
        file.write(first_page[:28] + count.to_bytes(4, "big") + first_page[32:])


def _open(path: Path) -> sqlite3.Connection:
    old = sqlite3.connect(path, isolation_level=None)
    old.text_factory = lambda data: data.decode("utf-8", "replace")
    with suppress(sqlite3.DatabaseError):
        old.execute("PRAGMA locking_mode = EXCLUSIVE")
        old.execute("PRAGMA writable_schema = ON")  # lets SQLite open a file that was cut off
    return old


def _has_tables(old: sqlite3.Connection) -> bool:
    """False only for damage: somebody else's tables are not to be read as ours."""
    try:
        old.execute("SELECT number FROM messages LIMIT 0")
    except sqlite3.OperationalError:
        return True
    except sqlite3.DatabaseError:
        return False
    return True


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, now: float) -> None:
    top = _top(old, "messages")
    for row in _rows(old, "chats", _CHATS, _top(old, "chats")):
        if _insert(new, "chats", row) and row[2]:
            index(new, "title_words", row[0], row[2])
    for row in _rows(old, "messages", _MESSAGES, top):
        _insert(
            new, "chats (number, id, created, updated, recency)", (row[1], new_id(), now, now, 0)
        )
        if _insert(new, "messages", row) and not row[2]:
            index(new, "message_words", row[0], row[-1])
    for row in _rows(old, "recordings", _RECORDINGS, top):
        _insert(new, "recordings", row)


def _insert(new: sqlite3.Connection, table: str, row: tuple[Any, ...]) -> bool:
    """False for a row whose values cannot be what was written."""
    places = ", ".join("?" * len(row))
    try:
        done = new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)
        return done.rowcount > 0
    except (sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError):
        return False


def _rows(old: sqlite3.Connection, table: str, columns: str, top: int) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read, in order."""
    last = 0
    while True:
        try:
            for row in old.execute(
                f"SELECT {columns} FROM {table} WHERE number > ? ORDER BY number", (last,)
            ):
                last = row[0]
                yield row
            return
        except sqlite3.DatabaseError:
            found = None
            while found is None:
                last += 1
                if last > top:
                    return
                found = _row(old, table, columns, last)
            yield found


def _row(old: sqlite3.Connection, table: str, columns: str, number: int) -> tuple[Any, ...] | None:
    with suppress(sqlite3.DatabaseError):
        row: tuple[Any, ...] | None = old.execute(
            f"SELECT {columns} FROM {table} WHERE number = ?", (number,)
        ).fetchone()
        return row
    return None


def _top(old: sqlite3.Connection, table: str) -> int:
    """The highest number of a row, from whatever place can still be read."""
    found = [0]
    for query in (
        f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'",
        f"SELECT max(number) FROM {table}",
    ):
        with suppress(sqlite3.DatabaseError):
            row = old.execute(query).fetchone()
            found.append(int(row[0] or 0) if row else 0)
    return max(found) or GUESSED_ROWS


def _mend(new: sqlite3.Connection) -> None:
    """A note for every message that others answer and that is lost; a name for every chat."""
    orphans = new.execute(
        "SELECT number, chat, parent, role FROM messages AS child WHERE parent IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM messages WHERE id = child.parent) ORDER BY number"
    ).fetchall()
    for number, chat, lost, role in orphans:
        _note(new, number, chat, lost, Role.USER if role == Role.MODEL.value else Role.MODEL)
    for chat, text in new.execute(
        "SELECT chats.number, (SELECT text FROM messages WHERE chat = chats.number AND role = ?"
        " ORDER BY number LIMIT 1) FROM chats WHERE title = ''",
        (Role.USER.value,),
    ).fetchall():
        if title := title_from(text or ""):
            new.execute("UPDATE chats SET title = ? WHERE number = ?", (title, chat))
            index(new, "title_words", chat, title)
    new.execute(
        "UPDATE chats SET leaf = (SELECT id FROM messages WHERE chat = chats.number"
        " ORDER BY number DESC LIMIT 1) WHERE NOT EXISTS"
        " (SELECT 1 FROM messages WHERE id = chats.leaf)"
    )


def _note(new: sqlite3.Connection, number: int, chat: int, lost: str, role: Role) -> None:
    """Stands for the message `lost`, below the last one before it that it may have followed."""
    before = Role.USER if role is Role.MODEL else Role.MODEL
    row = new.execute(
        "SELECT id FROM messages WHERE chat = ? AND number < ? AND role = ?"
        " ORDER BY number DESC LIMIT 1",
        (chat, number, before.value),
    ).fetchone()
    parent = row[0] if row else None
    if parent is None and role is Role.MODEL:  # a branch begins with a question
        parent = new_id()
        _note(new, number, chat, parent, Role.USER)
    text = tr("(This message was lost when the disk was damaged.)")
    columns = "messages (chat, is_open, id, parent, role, more, text)"
    if _insert(new, columns, (chat, 0, lost, parent, role.value, "{}", text)):
        (added,) = new.execute("SELECT number FROM messages WHERE id = ?", (lost,)).fetchone()
        index(new, "message_words", added, text)
