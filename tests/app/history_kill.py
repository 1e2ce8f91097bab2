"""Writes to a history until it is killed, and says on its output what has been confirmed.

    python tests/app/history_kill.py FILE RUN

Each line is `m <chat> <id> <parent or -> <length>` for a message or `u <chat> <number>` for what is
typed; it is printed after the write returned.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from app.state.conversation import Message
from app.state.history.history import History
from app.state.unsent import Unsent
from engine.messages import Role


def text_of(message_id: str, length: int) -> str:
    """What a message says, so that the reader can compare every letter."""
    return (f"{message_id} tea 茶 " * (length // 8 + 1))[:length]


def main() -> None:
    path, run = Path(sys.argv[1]), sys.argv[2]
    chooser = random.Random(run)
    history = History.open(path)
    parents: dict[str, str | None] = {}
    number = 0
    while True:
        number += 1
        chat = f"{run}-{chooser.randrange(3)}"
        if chooser.random() < 0.3:
            history.save_unsent(chat, Unsent(typed=f"{number} " * 50))
            say(f"u {chat} {number}")
            continue
        parent = parents.get(chat)
        length = chooser.choice((5, 300, 20_000))
        message_id = f"{run}.{number}"
        role = Role.USER if number % 2 else Role.MODEL
        is_open = chooser.random() < 0.2
        text = text_of(message_id, length)
        message = Message(id=message_id, parent=parent, role=role, text=text, is_open=is_open)
        history.save(chat, [message], message_id)
        parents[chat] = message_id
        say(f"m {chat} {message_id} {parent or '-'} {length}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
