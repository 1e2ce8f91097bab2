"""Long work of many views, done in slices: together they take a few milliseconds of each turn."""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtCore import QObject, QTimer
from shiboken6 import isValid

SLICE_SECONDS = 0.008  # of work, then the window may draw
_DONE = object()


class Slices(QObject):
    """One piece of work an owner. It can rest at every yield, and ends with its owner."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._waiting: dict[QObject, Iterator[None]] = {}
        self._timer = QTimer(self, singleShot=True, interval=0)
        self._timer.timeout.connect(self._turn)

    def put(self, owner: QObject, work: Iterator[None], *, is_urgent: bool = False) -> None:
        """In place of what the owner wanted done before. What is urgent has its first slice now."""
        self._waiting[owner] = work
        if is_urgent:
            self._work([owner])
        self._timer.start()

    def drop(self, owner: QObject) -> None:
        self._waiting.pop(owner, None)

    def _turn(self) -> None:
        try:
            self._work(list(self._waiting))
        finally:  # whatever one of them meets, the others go on
            if self._waiting:
                self._timer.start()

    def _work(self, owners: list[QObject]) -> None:
        end = time.perf_counter() + SLICE_SECONDS
        for owner in owners:
            work = self._waiting.get(owner)
            while work is not None and work is self._waiting.get(owner):
                if not isValid(owner) or next(work, _DONE) is _DONE:
                    if self._waiting.get(owner) is work:  # it may have asked for other work
                        del self._waiting[owner]
                elif time.perf_counter() > end:
                    return
            if time.perf_counter() > end:
                return
