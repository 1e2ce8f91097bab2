"""Reads finished answers on a thread of its own, so that the window never waits for it."""

from __future__ import annotations

import logging
import queue
import threading
from functools import lru_cache

from PySide6.QtCore import QObject, Signal

from app.state.markdown.blocks import Page
from app.state.text import SHOWN_CHARACTERS

log = logging.getLogger(__name__)

KEPT = 64  # pages, for conversations that one goes back to


def parse(text: str, limit: int) -> Page:
    """`app.state.markdown.parse.parse`, imported where it is used: the start must not wait for it."""
    from app.state.markdown.parse import parse as read

    return read(text, limit)


class Preparer(QObject):
    """One for the whole application. `close` before it is deleted.

    What was asked for last is read first: it is what the user looks at.

    Signals:
        prepared(int, Page | None): the ticket and what was made of the text; None if that failed.
            Emitted on the thread of this object's user through a queued connection.
    """

    prepared = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tickets = 0
        self._read = lru_cache(maxsize=KEPT)(parse)
        self._waiting: queue.LifoQueue[tuple[int, str, int] | None] = queue.LifoQueue()
        self._thread = threading.Thread(target=self._run, name="redraft-text", daemon=True)
        self._thread.start()

    def prepare(self, text: str, limit: int = SHOWN_CHARACTERS) -> int:
        """Asks for the page of `text`, at most `limit` characters. Returns the ticket at once."""
        self._tickets += 1
        self._waiting.put((self._tickets, text, limit))
        return self._tickets

    def close(self) -> None:
        """Ends the thread. What is still waiting is not read any more."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (asked := self._waiting.get()) is not None:
            ticket, text, limit = asked
            try:
                page = self._read(text, limit)
            except Exception:  # the plain text stays, whatever went wrong
                log.exception("could not read an answer as rich text")
                page = None
            self.prepared.emit(ticket, page)
