"""A conversation as plain data: a tree of messages and the branch that is shown."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from engine.messages import EngineError, ErrorKind, FinishReason, Role, Turn, Usage

_CUT_OFF = (
    FinishReason.STOPPED,
    FinishReason.LENGTH,
    FinishReason.CANVAS_EXHAUSTED,
    FinishReason.THOUGHT_EXHAUSTED,
)


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one side said. A model's message is open until the engine's last event.

    Questions and answers alternate along a branch. Messages with the same parent are variants:
    of an answer (asked for again) or of a question (edited).
    """

    id: str
    parent: str | None
    role: Role
    text: str = ""
    thought: str = ""
    is_open: bool = False
    reason: FinishReason | None = None
    usage: Usage | None = None
    error: EngineError | None = None
    created: float = 0.0  # seconds since 1970; for people, never for order
    thought_seconds: float = 0.0
    has_recording: bool = False
    was_empty: bool = False  # the first attempt had no word in it, so the model was asked again

    @property
    def was_cut_off(self) -> bool:
        """Whether it ended where the model might have written on."""
        return self.reason in _CUT_OFF or self.error is not None


def new_id() -> str:
    """Unique without asking the history, whatever the clock says."""
    return uuid.uuid4().hex


Messages = tuple[Message, ...]


def first_difference(old: Messages, new: Messages) -> int:
    """The first place where two branches are not the same, the end of the shorter one at most."""
    for place, (one, other) in enumerate(zip(old, new, strict=False)):
        if one.id != other.id:
            return place
    return min(len(old), len(new))


@dataclass(frozen=True)
class Conversation:
    """Messages by id in the order in which they were added, and the last one of the shown branch.

    Every change makes a new conversation.
    """

    messages: Mapping[str, Message] = field(default_factory=lambda: MappingProxyType({}))
    leaf: str | None = None

    @cached_property
    def path(self) -> Messages:
        """The shown branch, from the first question on."""
        found = []
        place = self.leaf
        while place is not None:
            message = self.messages[place]
            found.append(message)
            place = message.parent
        return tuple(reversed(found))

    @cached_property
    def _children(self) -> dict[str | None, list[str]]:
        children: dict[str | None, list[str]] = {}
        for message in self.messages.values():
            children.setdefault(message.parent, []).append(message.id)
        return children

    def variants(self, message_id: str) -> tuple[str, ...]:
        """The message and its siblings, oldest first."""
        return tuple(self._children[self.messages[message_id].parent])

    def newest_leaf(self, message_id: str) -> str:
        """The end of the branch below a message that was added to last."""
        place = message_id
        while children := self._children.get(place):
            place = children[-1]
        return place

    def with_message(self, message: Message) -> Conversation:
        """Adds a message, which becomes the leaf, or replaces the one with its id.

        Raises ValueError for a parent that is not here.
        """
        if message.parent is not None and message.parent not in self.messages:
            raise ValueError(f"message {message.id} answers {message.parent}, which is not here")
        is_new = message.id not in self.messages
        messages = MappingProxyType({**self.messages, message.id: message})
        return Conversation(messages, message.id if is_new else self.leaf)

    def showing(self, message_id: str) -> Conversation:
        """With the branch through this message, up to its newest end."""
        return Conversation(self.messages, self.newest_leaf(message_id))

    def ending_at(self, message_id: str | None) -> Conversation:
        """With the branch cut after this message. Nothing is removed from the tree."""
        return Conversation(self.messages, message_id)


def turns(messages: Messages, system_prompt: str = "") -> tuple[Turn, ...]:
    """The context for the next answer. A question that got no answer is left out with it."""
    kept = [Turn.of(Role.SYSTEM, system_prompt)] if system_prompt else []
    for message in messages:
        if message.role is Role.MODEL and not message.text and not message.is_open:
            if kept and kept[-1].role is Role.USER:
                kept.pop()
        elif message.text:
            kept.append(Turn.of(message.role, message.text))
    return tuple(kept)


def interrupted(message: Message) -> Message:
    """An open message that nobody writes any more: what it has is kept, as after Stop."""
    return replace(message, is_open=False, reason=FinishReason.STOPPED)


_OPTIONAL = ("parent", "thought", "created", "thought_seconds", "has_recording", "was_empty")


def message_to_json(message: Message) -> dict[str, Any]:
    """A row of plain JSON values; fields that say nothing are left out."""
    row: dict[str, Any] = {"id": message.id, "role": message.role.value, "text": message.text}
    for name in _OPTIONAL:
        if value := getattr(message, name):
            row[name] = value
    if message.is_open:
        row["open"] = True
    if message.reason is not None:
        row["reason"] = message.reason.value
    if message.usage is not None:
        row["usage"] = asdict(message.usage)
    if message.error is not None:
        row["error"] = asdict(message.error) | {"kind": message.error.kind.value}
    return row


def message_from_json(row: Any) -> Message:
    """The message back, open ones included. Raises ValueError for what `message_to_json` did not
    write."""
    try:
        error, reason, usage = row.get("error"), row.get("reason"), row.get("usage")
        text = row["text"]
        if not isinstance(text, str):
            raise TypeError(f"text is {type(text).__name__}")
        return Message(
            id=str(row["id"]),
            parent=row.get("parent"),
            role=Role(row["role"]),
            text=text,
            thought=str(row.get("thought", "")),
            is_open=bool(row.get("open", False)),
            reason=FinishReason(reason) if reason else None,
            usage=Usage(**usage) if usage else None,
            error=EngineError(**(error | {"kind": ErrorKind(error["kind"])})) if error else None,
            created=float(row.get("created", 0.0)),
            thought_seconds=float(row.get("thought_seconds", 0.0)),
            has_recording=bool(row.get("has_recording", False)),
            was_empty=bool(row.get("was_empty", False)),
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"not a message: {problem}") from problem
