"""Questions to the hub that a cancel need not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from engine.store.pace import TICK
from engine.store.troubles import paused

Answer = TypeVar("Answer")


def ask(action: Callable[[], Answer], cancelled: Callable[[], bool]) -> Answer:
    """What `action` returns or raises. It cannot be ended, but one that is not wanted any more is
    left to itself, on a thread that holds nothing up. Raises EngineFault where it is cancelled.
    """
    answers: list[Answer] = []
    faults: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(action())
        except BaseException as fault:  # noqa: BLE001 - raised again by the one who waits
            faults.append(fault)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        if cancelled():
            raise paused()
        thread.join(TICK)
    if faults:
        raise faults[0]
    return answers[0]
