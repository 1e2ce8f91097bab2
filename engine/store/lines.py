"""Open connections, so that a thread that waits for bytes which do not come can be woken."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx2


class Lines:
    """Shared by the threads of one download."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = False

    @contextmanager
    def listening(self, response: httpx2.Response) -> Iterator[None]:
        """While the body of `response` is read, `cut` ends it as a broken connection does."""
        line = response.extensions["network_stream"].get_extra_info("socket")
        if not isinstance(line, socket.socket):  # something else wraps it: it ends by its timeout
            yield
            return
        with self._lock:
            self._open.add(line)
            if self._is_cut:
                _shut(line)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(line)

    def cut(self) -> None:
        """Breaks all connections, now and from now on."""
        with self._lock:
            self._is_cut = True
            for line in self._open:
                _shut(line)


def _shut(line: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)  # that of TLS is not for a second thread
