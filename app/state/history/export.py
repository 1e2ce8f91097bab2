"""A chat as a file for people (Markdown) or for programs and other copies of Redraft (JSON)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.state.autosave import write_atomically
from app.state.conversation import Conversation, Message, message_from_json, message_to_json
from app.state.history.faults import Fault, HistoryError
from app.state.history.rows import ChatSummary, SavedChat
from app.state.text import clean
from app.state.unsent import Unsent
from app.words import tr
from engine.messages import Role

JSON_VERSION = 1
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


class Format(Enum):
    MARKDOWN = "md"
    JSON = "json"


def export(chat: SavedChat, path: Path, form: Format, *, all_branches: bool = False) -> None:
    """Writes the whole file or leaves what was there. JSON always has all branches.

    Raises HistoryError if the disk refuses.
    """
    if form is Format.JSON:
        text = json.dumps(chat_to_json(chat), ensure_ascii=False, indent=1) + "\n"
    else:
        text = to_markdown(chat, all_branches=all_branches)
    try:
        write_atomically(path, clean(text).encode("utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise HistoryError(
            Fault.DISK,
            tr(
                "The chat could not be written to {name} ({reason}).", name=path.name, reason=reason
            ),
            tr("Choose another place and try again."),
        ) from error


def to_markdown(chat: SavedChat, *, all_branches: bool = False) -> str:
    """Each message is a quotation below a heading of its own.

    A quotation keeps its headings and unfinished code fences to itself in every reader, and its
    text comes back exactly (but for line ends) by taking "> " from its lines. With all branches
    the messages are numbered in the order of their writing, and say which one they follow.
    """
    parts = [f"# {_escaped(chat.summary.title or tr('New chat'))}"]
    conversation = chat.conversation
    if all_branches:
        numbers = {key: place for place, key in enumerate(conversation.messages, 1)}
        for message in conversation.messages.values():
            parts += [_numbered_heading(conversation, message, numbers), _body(message)]
    else:
        for message in conversation.path:
            parts += [f"## {_speaker(message)}", _body(message)]
    return "\n\n".join(parts) + "\n"


def _numbered_heading(
    conversation: Conversation, message: Message, numbers: Mapping[str, int]
) -> str:
    heading = f"## {numbers[message.id]}. {_speaker(message)}"
    variants = conversation.variants(message.id)
    if len(variants) > 1:
        place = variants.index(message.id) + 1
        version = tr("version {place} of {count}", place=place, count=len(variants))
        heading += f" ({version})"
    if message.parent is not None and numbers[message.parent] != numbers[message.id] - 1:
        heading += " " + tr("to {number}", number=numbers[message.parent])
    return heading


def _speaker(message: Message) -> str:
    return tr("You") if message.role is Role.USER else "Redraft"


def _body(message: Message) -> str:
    if not message.text:
        return f"*{_escaped(tr('(no answer)'))}*"
    lines = message.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def _escaped(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def chat_to_json(chat: SavedChat) -> dict[str, Any]:
    """Everything but the recordings, as plain JSON values."""
    return {
        "redraft_chat": JSON_VERSION,
        **asdict(chat.summary),
        "title_is_given": chat.title_is_given,
        "leaf": chat.conversation.leaf,
        "messages": [message_to_json(each) for each in chat.conversation.messages.values()],
        "unsent": asdict(chat.unsent),
        "settings": chat.settings,
    }


def chat_from_json(data: Any) -> SavedChat:
    """The chat back. Raises ValueError for what `chat_to_json` did not write."""
    try:
        if data["redraft_chat"] != JSON_VERSION:
            raise ValueError("a chat from another version")
        messages = {str(row["id"]): message_from_json(row) for row in data["messages"]}
        _check_tree(messages, data["leaf"])
        summary = ChatSummary(
            id=str(data["id"]),
            title=str(data["title"]),
            created=float(data["created"]),
            updated=float(data["updated"]),
        )
        unsent = data["unsent"]
        return SavedChat(
            summary=summary,
            conversation=Conversation(MappingProxyType(messages), data["leaf"]),
            unsent=Unsent(typed=str(unsent["typed"]), pasted=str(unsent["pasted"])),
            settings=dict(data["settings"]),
            title_is_given=bool(data["title_is_given"]),
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a chat: {problem}") from problem


def _check_tree(messages: Mapping[str, Message], leaf: str | None) -> None:
    """Every message leads to a first question: nothing is missing and nothing goes in circles."""
    sound: set[str | None] = {None}
    for start in (*messages, leaf):
        place, trail = start, set[str]()
        while place is not None and place not in sound:
            if place in trail or place not in messages:
                raise ValueError(f"message {place} has no place in the chat")
            trail.add(place)
            place = messages[place].parent
        sound |= trail
