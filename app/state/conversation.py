"""A conversation as plain data, and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from engine.messages import EngineError, ErrorKind, FinishReason, Role, Turn, Usage


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one side said. A model's message is open until the engine's last event."""

    role: Role
    text: str = ""
    thought: str = ""
    is_open: bool = False
    reason: FinishReason | None = None
    usage: Usage | None = None
    error: EngineError | None = None


Messages = tuple[Message, ...]


def turns(messages: Messages) -> tuple[Turn, ...]:
    """The context for the next answer. A question that got no answer is left out with it."""
    kept: list[Turn] = []
    for message in messages:
        if message.role is Role.MODEL and not message.text and not message.is_open:
            if kept and kept[-1].role is Role.USER:
                kept.pop()
        elif message.text:
            kept.append(Turn.of(message.role, message.text))
    return tuple(kept)


def to_json(messages: Messages) -> list[dict[str, Any]]:
    return [_message_to_json(message) for message in messages]


def from_json(rows: Any) -> Messages:
    """The messages back. An open one was interrupted: what it has is kept, as after Stop.

    Raises ValueError for anything that `to_json` did not write.
    """
    try:
        messages = tuple(_message_from_json(row) for row in rows)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a conversation: {error}") from error
    expected = (Role.USER, Role.MODEL) * (len(messages) // 2)
    if tuple(message.role for message in messages) != expected:
        raise ValueError("not a conversation: questions and answers do not alternate")
    return messages


def _message_to_json(message: Message) -> dict[str, Any]:
    row: dict[str, Any] = {"role": message.role.value, "text": message.text}
    if message.thought:
        row["thought"] = message.thought
    if message.is_open:
        row["open"] = True
    if message.reason is not None:
        row["reason"] = message.reason.value
    if message.usage is not None:
        row["usage"] = asdict(message.usage)
    if message.error is not None:
        row["error"] = asdict(message.error) | {"kind": message.error.kind.value}
    return row


def _message_from_json(row: dict[str, Any]) -> Message:
    error = row.get("error")
    reason = row.get("reason")
    usage = row.get("usage")
    text = row["text"]
    if not isinstance(text, str):
        raise TypeError(f"text is {type(text).__name__}")
    return Message(
        role=Role(row["role"]),
        text=text,
        thought=str(row.get("thought", "")),
        reason=FinishReason.STOPPED
        if row.get("open")
        else FinishReason(reason)
        if reason
        else None,
        usage=Usage(**usage) if usage else None,
        error=EngineError(**(error | {"kind": ErrorKind(error["kind"])})) if error else None,
    )
