"""What was there when Redraft last ended, however it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from app.paths import Paths
from app.state import conversation
from app.state.autosave import read_json, set_aside
from app.state.conversation import Messages
from app.state.text import clean, is_blank

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Unsent:
    """What is typed and pasted but not sent."""

    typed: str = ""
    pasted: str = ""

    @property
    def text(self) -> str:
        return "\n\n".join(part for part in (self.typed, self.pasted) if not is_blank(part))


@dataclass(frozen=True, kw_only=True)
class Restored:
    messages: Messages
    unsent: Unsent
    notice: str  # one plain sentence if something could not be read, else empty


def restore(paths: Paths) -> Restored:
    """Reads both files. One that cannot be read is renamed, never overwritten."""
    no_messages: Messages = ()
    messages, bad_messages = _read(paths.conversation, conversation.from_json, no_messages)
    unsent, bad_unsent = _read(paths.unsent, _unsent_from_json, Unsent())
    kept = [path.name for path in (bad_messages, bad_unsent) if path is not None]
    notice = ""
    if kept:
        notice = f"What was here last time could not be read. It is kept as {' and '.join(kept)}."
    return Restored(messages=messages, unsent=unsent, notice=notice)


def _read(path: Path, parse: Callable[[Any], T], empty: T) -> tuple[T, Path | None]:
    """What is in the file, and the new name of a file that cannot be read."""
    try:
        data = read_json(path)
        return (empty if data is None else parse(data)), None
    except ValueError:
        return empty, set_aside(path, "unreadable")


def _unsent_from_json(data: Any) -> Unsent:
    if not isinstance(data, dict):
        raise ValueError(f"not an unsent message: {type(data).__name__}")
    return Unsent(
        typed=clean(str(data.get("typed", ""))), pasted=clean(str(data.get("pasted", "")))
    )
