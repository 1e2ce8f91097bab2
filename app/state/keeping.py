"""What a chat asks of the place where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from app.state.conversation import Message
from engine.messages import Recording


class Keeper(Protocol):
    """Where chats are kept. Nothing here waits: `on_saved` is called later, on the GUI thread."""

    def save(
        self,
        chat_id: str,
        messages: Sequence[Message],
        leaf: str | None,
        on_saved: Callable[[bool], None] | None = None,
    ) -> None: ...

    def save_recording(
        self, chat_id: str, message_id: str, recording: Recording, *, is_more: bool
    ) -> None:
        """`is_more` keeps what was recorded of the message before, in front of it."""
