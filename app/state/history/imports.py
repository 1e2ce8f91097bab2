"""Brings chats from other files in the data folder into the history, once.

These are the files of earlier versions (`conversation.json`, those set aside by "New chat", and
`unsent.json`), the chats that a run kept apart because it could not write the history
(`chats.unsaved-*.json`), and histories that an older version set aside (see
app.state.history.newer). A file is renamed when its chats are in, never deleted. After a kill in
between it is met again: a chat has the same id each time, so nothing is doubled.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.state.autosave import set_aside, write_atomically
from app.state.conversation import Conversation, Message, interrupted, message_from_json
from app.state.history.export import chat_from_json, chat_to_json
from app.state.history.faults import HistoryError
from app.state.history.history import History
from app.state.history.newer import set_aside_earlier
from app.state.history.rows import ChatSummary, SavedChat, title_from
from app.state.history.schema import connect, newest
from app.state.text import clean, is_blank
from app.state.unsent import Unsent
from app.words import tr
from engine.messages import Role

log = logging.getLogger(__name__)

UNSAVED = "chats.unsaved-{run}.json"


def bring_in(history: History, data: Path) -> str:
    """Returns one plain sentence about files that could not be read, else nothing.

    Raises HistoryError if the history cannot be written; what is not in yet stays where it is.
    """
    unreadable = []
    for path in (*_waiting(data, "conversation.earlier-*.json"), data / "conversation.json"):
        unreadable += _take(path, lambda path: _bring_old(history, path))
    unreadable += _take(data / "unsent.json", lambda path: _bring_unsent(history, path))
    for path in _waiting(data, UNSAVED.format(run="*")):
        unreadable += _take(path, lambda path: _bring_unsaved(history, path))
    for path in set_aside_earlier(data / "chats.sqlite", newest()):
        unreadable += _take(path, lambda path: _bring_newer(history, path))
    if not unreadable:
        return ""
    names = ", ".join(path.name for path in unreadable)
    return tr("Some earlier text could not be read. It is kept as {names}.", names=names)


def write_unsaved(path: Path, chats: list[SavedChat]) -> None:
    """For `bring_in` of a later start. Raises OSError."""
    text = json.dumps([chat_to_json(chat) for chat in chats], ensure_ascii=False)
    write_atomically(path, clean(text).encode("utf-8"))


def _waiting(data: Path, pattern: str) -> list[Path]:
    paths = sorted(data.glob(pattern))
    return [path for path in paths if not {".imported-", ".unreadable-"} & _marks(path.name)]


def _marks(name: str) -> set[str]:
    return {mark for mark in (".imported-", ".unreadable-") if mark in name}


def _take(path: Path, bring: Callable[[Path], None]) -> list[Path]:
    """Brings a file in and renames it. Returns its new name if it could not be read."""
    if not path.is_file():
        return []
    try:
        bring(path)
    except (ValueError, RecursionError):
        log.exception("could not bring in %s", path.name)
        return [set_aside(path, "unreadable") or path]
    except OSError:
        log.exception("could not read %s", path.name)
        return [path]
    if path.exists():
        set_aside(path, "imported")
    return []


def _bring_old(history: History, path: Path) -> None:
    """The messages, with what was typed below them."""
    content = path.read_bytes()
    chat = _old_chat(content, path.stat().st_mtime)
    unsent_path = path.with_name("unsent.json")
    if path.name == "conversation.json" and unsent_path.is_file() and chat is not None:
        try:
            chat = replace(chat, unsent=_read_unsent(unsent_path))
        except (ValueError, RecursionError, OSError):
            unsent_path = path  # stays where it is, for what comes next
        if not history.has(chat.summary.id):
            history.add(chat)
        if unsent_path != path:
            set_aside(unsent_path, "imported")  # before the messages: else it would come twice
    elif chat is not None and not history.has(chat.summary.id):
        history.add(chat)


def _old_chat(content: bytes, written: float) -> SavedChat | None:
    rows = json.loads(content.decode("utf-8"))
    if not isinstance(rows, list):
        raise ValueError("not a conversation")
    chat_id = _id(content)
    messages: dict[str, Message] = {}
    parent = None
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError("not a message")
        message = message_from_json({**row, "id": _id(content, number), "parent": parent})
        if message.role is not (Role.MODEL if number % 2 else Role.USER):
            raise ValueError("questions and answers do not alternate")
        messages[message.id] = interrupted(message) if message.is_open else message
        parent = message.id
    if not messages:
        return None
    title = title_from(next(iter(messages.values())).text)
    return SavedChat(
        summary=ChatSummary(id=chat_id, title=title, created=written, updated=written),
        conversation=Conversation(MappingProxyType(messages), parent),
    )


def _bring_unsent(history: History, path: Path) -> None:
    """What was typed where nothing had been sent."""
    unsent = _read_unsent(path)
    chat_id = _id(path.read_bytes())
    if not is_blank(unsent.text) and not history.has(chat_id):
        history.save_unsent(chat_id, unsent)


def _read_unsent(path: Path) -> Unsent:
    data = json.loads(path.read_bytes().decode("utf-8"))
    if not isinstance(data, dict):
        raise ValueError("not an unsent message")
    return Unsent(
        typed=clean(str(data.get("typed", ""))), pasted=clean(str(data.get("pasted", "")))
    )


def _bring_unsaved(history: History, path: Path) -> None:
    data: Any = json.loads(path.read_bytes().decode("utf-8"))
    if not isinstance(data, list):
        raise ValueError("not a list of chats")
    for chat in [chat_from_json(each) for each in data]:
        history.add(chat)


def _bring_newer(history: History, path: Path) -> None:
    """What has changed in there since the copy was kept that this history goes back to."""
    with _theirs():
        connection = connect(path)
    with closing(connection):
        with _theirs():
            newer = History(connection, path)
            chats = newer.chats()
        known = {chat.id: chat.updated for chat in history.chats()}
        for summary in reversed(chats):
            if known.get(summary.id) != summary.updated:
                _join(history, newer, summary.id)


def _join(history: History, newer: History, chat_id: str) -> None:
    """Messages are added, none is replaced. Who has written on here sees that first."""
    with _theirs():
        chat = newer.load(chat_id)
    if not history.has(chat_id):
        history.add(chat)
    ours, theirs = history.load(chat_id).conversation, chat.conversation
    missing = [each for each in theirs.messages.values() if each.id not in ours.messages]
    leaf = theirs.leaf if ours.leaf is None or ours.leaf in theirs.messages else ours.leaf
    if missing or leaf != ours.leaf:
        history.save(chat_id, missing, leaf)
    for message in theirs.messages.values():
        if message.has_recording and history.recording(message.id) is None:
            with _theirs():
                recording = newer.recording(message.id)
            if recording is not None:
                history.save_recording(message.id, recording)


@contextmanager
def _theirs() -> Iterator[None]:
    """What fails in here is the fault of the file that is brought in, not of the history."""
    try:
        yield
    except (HistoryError, sqlite3.Error) as error:
        raise ValueError(str(error)) from error


def _id(content: bytes, number: int = -1) -> str:
    """The same for the same file, so that it can be met again."""
    return hashlib.sha256(b"%d:" % number + content).hexdigest()[:32]
