"""What the history knows of a chat, and how a message and its details become a row and come back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from app.state.conversation import Conversation, Message, message_from_json, message_to_json
from app.state.text import clean
from app.state.unsent import Unsent
from engine.messages import Role

TITLE_CHARACTERS = 80
_COLUMNS = ("id", "parent", "role", "text", "open", "has_recording")  # the rest is in `more`


@dataclass(frozen=True, kw_only=True)
class ChatSummary:
    id: str
    title: str  # empty until something was asked
    created: float  # seconds since 1970; for people, never for order
    updated: float


@dataclass(frozen=True, kw_only=True)
class SavedChat:
    """All that is known of a chat, without its recordings."""

    summary: ChatSummary
    conversation: Conversation = field(default_factory=Conversation)
    unsent: Unsent = field(default_factory=Unsent)
    settings: dict[str, Any] = field(default_factory=dict)
    title_is_given: bool = False  # by the user, not taken from the first question


def title_from(text: str) -> str:
    """The first line that says something, short enough for a list."""
    lines = (" ".join(line.split()) for line in clean(text[:2000]).splitlines())
    title = next((line for line in lines if line), "")
    return title if len(title) <= TITLE_CHARACTERS else title[: TITLE_CHARACTERS - 1] + "…"


def details(message: Message) -> str:
    """What has no column of its own, as JSON."""
    row = message_to_json(message)
    return to_json({name: value for name, value in row.items() if name not in _COLUMNS})


def message_of(
    message_id: str, parent: str | None, role: str, text: str, is_open: int, more: str, has: int
) -> Message:
    """The message of a row. Where its details are damaged, what was said is left."""
    row: dict[str, Any] = {"id": message_id, "parent": parent, "role": role, "text": text}
    row |= {"open": bool(is_open), "has_recording": bool(has)}
    try:
        return message_from_json(object_of(more) | row)
    except ValueError:
        known = Role.USER if role == Role.USER.value else Role.MODEL
        return Message(id=message_id, parent=parent, role=known, text=text, is_open=bool(is_open))


def to_json(value: dict[str, Any]) -> str:
    return clean(json.dumps(value, ensure_ascii=False))


def object_of(text: str) -> dict[str, Any]:
    """The JSON object in a column; empty where it is damaged."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def unsent_of(text: str) -> Unsent:
    value = object_of(text)
    return Unsent(typed=str(value.get("typed", "")), pasted=str(value.get("pasted", "")))


def created_of(more: str, updated: float) -> float:
    """When a message was made, from its details; `updated` where they do not say it."""
    created = object_of(more).get("created")
    return created if isinstance(created, float) else updated
