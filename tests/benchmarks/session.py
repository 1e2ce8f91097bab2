"""The real application for a benchmark: a window with a loaded model, in folders of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.__main__ import SWITCH_INTERVAL, Running, build, choose_look, load, run_job
from app.paths import Paths
from app.state.conversation import Message
from app.state.engine_status import Phase
from app.state.history.history import History
from app.state.history.keeper import FILE
from engine.messages import LoadRequest, Role

PATIENCE = 300.0  # seconds


def start(qt: QApplication, folder: Path, model: str = "demo") -> Running:
    """A shown window whose model is ready, or has failed to load."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    paths = Paths(data=folder / "data", logs=folder / "logs")
    paths.create()
    look = choose_look(qt, paths)
    running = build(paths, LoadRequest(model=model), look, load, run_job)
    running.window.show()
    wait(lambda: running.status.state.phase in (Phase.READY, Phase.FAILED))
    return running


def wait(until: Callable[[], bool]) -> None:
    """Lets the application live until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError
        live(5)


def live(milliseconds: int) -> None:
    loop = QEventLoop()
    # not `loop.quit` itself: PySide 6.11 forgets 54 bytes with each slot of Qt's own it connects
    QTimer.singleShot(milliseconds, lambda: loop.quit())  # noqa: PLW0108
    loop.exec()


def long_chat(folder: Path, messages: int) -> None:
    """Writes a chat of so many messages, of 5 to 60 words each, as the newest one."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    history = History.open(folder / "data" / FILE)
    history.create("long")
    made: list[Message] = []
    for number in range(messages):
        role = Role.MODEL if number % 2 else Role.USER
        words = " ".join(f"word{(number * 7 + k) % 997}" for k in range(5 + number % 56))
        text = f"**{number}** {words}\n\n- one\n- two" if number % 2 else f"{number} {words}"
        parent = made[-1].id if made else None
        made.append(Message(id=f"m{number}", parent=parent, role=role, text=text))
    history.save("long", made, made[-1].id)
    history.close()
