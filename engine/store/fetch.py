"""A range of a remote file as bytes: one request, or as many as it takes."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx2

from engine.messages import EngineFault
from engine.store.hub import Hub, Listing, RemoteFile
from engine.store.lines import Lines
from engine.store.troubles import (
    Interrupted,
    busy,
    fault_of_status,
    portal,
    proxy,
    unreachable,
    unsafe,
)

# It logs every address, and that of a file is signed: who has it can fetch the file.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_LONGEST_WAIT = 600.0  # seconds; a server that asks for more is asked again before


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often a broken connection is tried again. All times in seconds."""

    tries: int = 8  # in a row without a single byte
    first: float = 1.0  # the first wait; each further one is twice as long
    longest: float = 60.0
    stall: float = 20.0  # nothing arrives for so long: the connection is given up

    def wait(self, failures: int) -> float:
        """Exponential backoff with jitter, so that many clients do not come back together."""
        return min(math.ldexp(self.first, failures - 1), self.longest) * random.uniform(0.7, 1.3)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One remote file, and how to ask for it."""

    client: httpx2.Client
    lines: Lines
    hub: Hub
    listing: Listing
    file: RemoteFile


def open_client(patience: Patience) -> httpx2.Client:
    """Takes the proxy from the system. A redirect to another host does not take the token along."""
    return httpx2.Client(
        follow_redirects=True, timeout=httpx2.Timeout(patience.stall, connect=patience.stall / 2)
    )


def fetch(
    source: Source, start: int, stop: int, patience: Patience, pause: Callable[[float], None]
) -> Generator[bytes, None, None]:
    """Bytes start to stop of the file, over as many connections as it takes.

    pause(seconds) waits between them, and may raise to end it. Raises EngineFault.
    """
    failures = 0
    while start < stop:
        try:
            with closing(_fetch_once(source, start, stop)) as pieces:
                for piece in pieces:
                    failures = 0
                    start += len(piece)
                    yield piece
        except Interrupted as trouble:
            pause(0.0)  # whoever ends a download breaks its connections
            failures += 1
            if failures > patience.tries:
                raise trouble.fault from trouble
            pause(trouble.wait if trouble.wait is not None else patience.wait(failures))


def _fetch_once(source: Source, start: int, stop: int) -> Generator[bytes, None, None]:
    """All of it or Interrupted, behind as many bytes as arrived."""
    headers = {"Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    if source.hub.token:
        headers["Authorization"] = f"Bearer {source.hub.token}"
    address, host = source.listing.address(source.hub, source.file), source.hub.host
    try:
        with (
            source.client.stream("GET", address, headers=headers) as response,
            source.lines.listening(response),
        ):
            skip = _bytes_before(source, response, start, stop)
            left = stop - start
            for piece in response.iter_raw():
                wanted = piece[skip : skip + left]
                skip -= min(skip, len(piece))
                left -= len(wanted)
                if wanted:
                    yield wanted
                if not left:
                    return
    except httpx2.ProxyError as fault:
        raise proxy(fault) from fault
    except (httpx2.HTTPError, httpx2.InvalidURL) as fault:
        if (known := unsafe(host, fault)) is not None:
            raise known from fault
        raise Interrupted(unreachable(host, fault)) from fault
    raise Interrupted(unreachable(host, f"{left} bytes are missing"))


def _bytes_before(source: Source, response: httpx2.Response, start: int, stop: int) -> int:
    """How many bytes of the body come before `start`; 0 where the server knows ranges.

    Raises EngineFault or Interrupted where the body is not the file.
    """
    host = source.hub.host
    detail = f"{response.status_code} from {response.url.host} for {source.file.name}"
    if response.status_code not in (200, 206):
        raise _refusal(source, response, detail)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Interrupted(unreachable(host, f"{detail}: encoded"))
    size = source.file.size
    if response.status_code == 206:
        if response.headers.get("content-range") != f"bytes {start}-{stop - 1}/{size}":
            raise Interrupted(unreachable(host, f"{detail}: another range"))
        return 0
    if response.headers.get("content-length") == str(size):
        return start  # the server knows no ranges: it sends everything
    if "html" in response.headers.get("content-type", ""):
        raise portal(host, f"{detail}: a web page")
    raise Interrupted(unreachable(host, f"{detail}: another length"))


def _refusal(source: Source, response: httpx2.Response, detail: str) -> EngineFault | Interrupted:
    hub, status = source.hub, response.status_code
    fault = fault_of_status(hub, source.listing.repo, status, detail)
    if response.url.host != hub.host and status != 407:  # the address of the bytes has expired
        return Interrupted(busy(response.url.host, detail), _retry_after(response))
    if status in (408, 416, 425, 429) or status >= 500:
        return Interrupted(fault, _retry_after(response))
    return fault


def _retry_after(response: httpx2.Response) -> float | None:
    """Seconds. Source: RFC 9110, section 10.2.3."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(float(value), _LONGEST_WAIT)
    try:  # by the server's own clock where it tells: the one of this PC may be wrong
        then = parsedate_to_datetime(value).timestamp()
        now = response.headers.get("date")
        seconds = then - (parsedate_to_datetime(now).timestamp() if now else time.time())
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)
