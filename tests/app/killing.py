"""Kills a process that writes a history, and looks whether all that it confirmed is there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from app.paths import ASSETS
from app.state.history.history import History
from app.state.history.rows import SavedChat
from tests.app.history_kill import text_of

PROJECT = ASSETS.parent


@dataclass(frozen=True, kw_only=True)
class Outcome:
    confirmed: tuple[str, ...]
    lost: int
    is_whole: bool  # as SQLite's own check says


def kill_once(path: Path, run: int, chooser: random.Random) -> Outcome:
    """Lets a writer write for a moment, kills it, and reads what it left."""
    delay = chooser.random() * 0.1
    with subprocess.Popen(
        [sys.executable, "-m", "tests.app.history_kill", str(path), str(run)],
        stdout=subprocess.PIPE,
        cwd=PROJECT,
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()  # imports take longer than anything measured here
        timer = threading.Timer(delay, writer.send_signal, [signal.SIGKILL])
        timer.start()
        lines = (first + writer.stdout.read()).decode().split("\n")[:-1]  # the last may be half
        timer.join()
    return inspect(path, lines)


def inspect(path: Path, lines: Sequence[str]) -> Outcome:
    history = History.open(path)
    load = cache(history.load)
    try:
        (check,) = history._db.execute("PRAGMA integrity_check").fetchone()
        return Outcome(
            confirmed=tuple(lines),
            lost=sum(not is_there(load, line.split()) for line in lines),
            is_whole=check == "ok" and not history.notice,
        )
    finally:
        history.close()


def is_there(load: Callable[[str], SavedChat], line: list[str]) -> bool:
    kind, chat, *rest = line
    saved = load(chat)
    if kind == "u":  # the last confirmed text or, confirmed or not, a later one
        typed = saved.unsent.typed.split()
        return len(typed) == 50 and len(set(typed)) == 1 and int(typed[0]) >= int(rest[0])
    message_id, parent, length = rest
    message = saved.conversation.messages.get(message_id)
    return (
        message is not None
        and not message.is_open
        and message.parent == (None if parent == "-" else parent)
        and message.text == text_of(message_id, int(length))
        and message_id in {each.id for each in saved.conversation.path}
    )
