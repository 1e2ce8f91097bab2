"""Asks the feed, over the network: small files whole, large ones in pieces. Says nothing of the user.

https alone, or http on this very PC; a redirect leads to https or nowhere. Proxies and certificates
are those of the system.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from app.state.updates import trouble
from app.state.updates.install import UpdateFailed
from app.state.updates.source import is_address

MOST_REDIRECTS = 5
PATIENCE = 20.0  # seconds for the next bytes
SMALL_PATIENCE = 60.0  # seconds for a small file as a whole
# Compressed bytes would not be those that were hashed, and might unfold without end.
HEADERS = {"User-Agent": "Redraft", "Accept": "*/*", "Accept-Encoding": "identity"}

logging.getLogger("httpx2").setLevel(logging.WARNING)  # else each address is logged


class Interrupted(UpdateFailed):
    """Worth another try at once: the network, not what came over it."""


class Client:
    """The feed at one address, for one thread. `cut` may be called from any other.

    Raises `UpdateFailed` where the proxy or the certificates of the system cannot be used.
    """

    def __init__(self, url: str, patience: float = PATIENCE) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._is_cut = False
        try:
            self._http = httpx2.Client(
                headers=HEADERS,
                timeout=httpx2.Timeout(patience, connect=patience / 2),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        except OSError as fault:  # ssl.SSLError is one
            raise UpdateFailed(trouble.certificate()) from fault
        except (ValueError, ImportError, httpx2.InvalidURL) as fault:  # SOCKS wants a library
            raise UpdateFailed(trouble.proxy()) from fault

    def close(self) -> None:
        self._http.close()

    def cut(self) -> None:
        """Breaks the connection: whoever waits for bytes stops waiting."""
        with self._lock:
            self._is_cut = True
            if self._line is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._line, socket.SHUT_RDWR)

    def small(self, name: str, most: int) -> bytes:
        """A file of at most `most` bytes. Raises `UpdateFailed`."""
        data = b""
        end = time.monotonic() + SMALL_PATIENCE
        for piece in self.pieces(name):
            data += piece
            if len(data) > most:
                raise UpdateFailed(trouble.unreadable())
            if time.monotonic() > end:
                raise Interrupted(trouble.broke_off(self._host))
        return data

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a file as they come. Raises `UpdateFailed`."""
        try:
            with self._opened(name) as response:
                self._check(response)
                yield from response.iter_raw()
        except httpx2.ProxyError as fault:
            raise UpdateFailed(trouble.proxy()) from fault
        except httpx2.HTTPError as fault:
            raise self._fault(fault) from fault
        except httpx2.InvalidURL as fault:  # where a redirect leads
            raise UpdateFailed(trouble.not_there(self._host)) from fault

    @property
    def _host(self) -> str:
        return httpx2.URL(self._url).host

    @contextmanager
    def _opened(self, name: str) -> Iterator[httpx2.Response]:
        """The answer at the end of all redirects, its body yet to be read."""
        address = httpx2.URL(f"{self._url}/{name}")
        if not is_address(str(address)):
            raise UpdateFailed(trouble.not_encrypted())
        for _ in range(MOST_REDIRECTS + 1):
            with self._http.stream("GET", address) as response, self._listening(response):
                if not response.has_redirect_location:
                    yield response
                    return
                address = address.join(response.headers["location"])
            if address.scheme != "https":
                raise UpdateFailed(trouble.not_encrypted())
        raise UpdateFailed(trouble.not_there(self._host))

    @contextmanager
    def _listening(self, response: httpx2.Response) -> Iterator[None]:
        line = response.extensions["network_stream"].get_extra_info("socket")
        with self._lock:
            if self._is_cut:
                raise Interrupted(trouble.broke_off(self._host))
            self._line = line if isinstance(line, socket.socket) else None
        try:
            yield
        finally:
            with self._lock:
                self._line = None

    def _check(self, response: httpx2.Response) -> None:
        status, host = response.status_code, response.url.host
        if status in (404, 410):
            raise UpdateFailed(trouble.not_there(host))
        if status == 407:
            raise UpdateFailed(trouble.proxy())
        if status in (408, 425, 429) or status >= 500:
            raise Interrupted(trouble.refused(host, status))
        if status != 200:
            raise UpdateFailed(trouble.refused(host, status))
        if "html" in response.headers.get("content-type", ""):
            raise UpdateFailed(trouble.web_page(host))
        if response.headers.get("content-encoding", "identity") != "identity":
            raise UpdateFailed(trouble.unreadable())

    def _fault(self, fault: httpx2.HTTPError) -> UpdateFailed:
        if "CERTIFICATE_VERIFY_FAILED" in str(fault):
            return UpdateFailed(trouble.certificate())
        if isinstance(fault, (httpx2.ConnectError, httpx2.ConnectTimeout)):
            return Interrupted(trouble.unreachable(self._host))
        return Interrupted(trouble.broke_off(self._host))
