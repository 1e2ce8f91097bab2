"""One thread for slow work; what comes of it arrives on the GUI thread, in order."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

log = logging.getLogger(__name__)

T = TypeVar("T")


def _nothing(_what: object) -> None:
    pass


class Background(QObject):
    """`close` before it is deleted."""

    _rung = Signal()

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._results: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._is_closed = False
        self._rung.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        job: Callable[[], T],
        on_done: Callable[[T], object] = _nothing,
        on_failed: Callable[[Exception], object] = _nothing,
    ) -> None:
        """Does `job` after all that was asked for before. What comes after `close` is not done."""
        if self._is_closed:
            log.error("asked after the end")
            return

        def work() -> None:
            try:
                result = job()
            except Exception as error:
                log.info("could not do it", exc_info=error)
                self._post(lambda error=error: on_failed(error))  # type: ignore[misc]
            else:
                self._post(lambda: on_done(result))

        self._pool.submit(work)

    def close(self) -> None:
        """Returns when all is done, and the last answers are given."""
        self._is_closed = True
        self._pool.shutdown()
        while not self._results.empty():
            self._deliver()

    def _post(self, result: Callable[[], object]) -> None:
        self._results.put(lambda: (result(), None)[1])
        with suppress(RuntimeError):  # the window is gone
            self._rung.emit()

    @Slot()
    def _deliver(self) -> None:
        with suppress(queue.Empty):
            self._results.get_nowait()()
