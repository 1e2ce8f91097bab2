"""A hub on loopback: what the real client of huggingface-hub asks for, and faults on demand.

Small files are sent by the hub itself, LFS files from another host, as the real hub does it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

REPO = "some/model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_aSecretThatNobodyMaySee"
STATUSES = {"401": 401, "403": 403, "404": 404, "429": 429, "500": 500, "503": 503}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to one request for bytes, behind the first `after` bytes of its body."""

    kind: str  # drop, stall, truncated, flip, length, range, gzip, html, loop or one of STATUSES
    after: int = 0
    retry_after: str = ""
    at_hub: bool = False  # by the hub itself, not by the host it redirects to


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request for bytes, or for something else."""

    host: str
    method: str
    path: str
    name: str  # of the file, where there is one
    start: int
    token: str


@dataclass(eq=False)
class FakeHub:
    """Use as a context manager. `files` by name; `large` names are LFS files."""

    files: dict[str, bytes]
    large: set[str] = field(default_factory=set)
    faults: deque[Fault] = field(default_factory=deque)
    seen: list[Seen] = field(default_factory=list)
    knows_ranges: bool = True
    needs_token: bool = False
    listing_fault: str = ""
    pace: float = 0.0  # seconds between pieces of 4 KiB
    silence: float = 0.6  # seconds of a stall
    renamed: dict[str, str] = field(default_factory=dict)  # what the listing says instead
    repos: tuple[str, ...] = (REPO,)  # all with the same files
    listings: int = 0  # answered
    about: dict[str, Any] = field(default_factory=dict)  # what else the listing says

    def __enter__(self) -> FakeHub:
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._servers = [_server(self, "hub", "127.0.0.1"), _server(self, "cdn", "127.0.0.1")]
        self.endpoint = f"http://127.0.0.1:{self._servers[0].server_address[1]}"
        self.cdn = f"http://localhost:{self._servers[1].server_address[1]}"
        self._threads = [
            threading.Thread(target=each.serve_forever, args=(0.02,)) for each in self._servers
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def next_fault(self, at_hub: bool) -> Fault | None:
        with self._lock:
            if self.faults and self.faults[0].at_hub is at_hub:
                return self.faults.popleft()
            return None

    def starts(self, name: str) -> list[int]:
        """Where each request for bytes of a file began."""
        return [
            each.start
            for each in self.seen
            if each.name == name and (each.host == "cdn") == (name in self.large)
        ]

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.files[name]).hexdigest()

    def git_sha1(self, name: str) -> str:
        data = self.files[name]
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def entry(self, name: str) -> dict[str, Any]:
        size = len(self.files[name])
        entry: dict[str, Any] = {"rfilename": self.renamed.get(name, name), "size": size}
        entry["blobId"] = self.git_sha1(name)
        if name in self.large:
            entry["lfs"] = {"size": size, "sha256": self.sha256(name), "pointerSize": 134}
        return entry

    def tree_entry(self, name: str) -> dict[str, Any]:
        size = len(self.files[name])
        entry: dict[str, Any] = {"type": "file", "path": name, "size": size}
        entry["oid"] = self.git_sha1(name)
        if name in self.large:
            entry["lfs"] = {"size": size, "oid": self.sha256(name), "pointerSize": 134}
        return entry


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that is gone is no news here."""


def _server(hub: FakeHub, host: str, address: str) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"hub": hub, "host": host})
    return _Server((address, 0), handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub
    host: str

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        with suppress(ConnectionError):
            self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        name = self.named(path)
        self.hub.seen.append(
            Seen(
                host=self.host,
                method=self.command,
                path=path,
                name=name,
                start=self.range()[0],
                token=self.headers.get("Authorization", ""),
            )
        )
        if path.startswith("/api/"):
            self.answer_listing(path)
        elif self.hub.needs_token and self.host == "hub" and not self.has_token():
            self.plain(401, b"", {"X-Error-Code": "GatedRepo"})
        elif name not in self.hub.files:
            self.plain(404, b"", {"X-Error-Code": "EntryNotFound"})
        elif self.host == "hub" and name in self.hub.large:
            self.answer_pointer(name)
        else:
            self.answer_bytes(name)

    def has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def named(self, path: str) -> str:
        if self.host == "cdn":
            return path.removeprefix("/blob/")
        return path.partition("/resolve/")[2].partition("/")[2]

    def range(self) -> tuple[int, int | None]:
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1 if last else None

    def plain(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_listing(self, path: str) -> None:
        kind = self.hub.listing_fault
        if kind == "stall":
            self.hub.over.wait(self.hub.silence)
        self.hub.listings += 1
        if kind == "html":
            self.plain(200, b"<html>Log in</html>", {"Content-Type": "text/html"})
        elif kind in STATUSES:
            self.plain(STATUSES[kind], b"", {})
        elif self.hub.needs_token and not self.has_token():
            self.plain(401, b"", {"X-Error-Code": "GatedRepo"})
        elif not path.startswith(tuple(f"/api/models/{repo}" for repo in self.hub.repos)):
            self.plain(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif "/tree/" in path:
            body = json.dumps([self.hub.tree_entry(name) for name in self.hub.files]).encode()
            self.plain(200, body, {"Content-Type": "application/json"})
        else:
            files = [self.hub.entry(name) for name in self.hub.files]
            listing = {"id": REPO, "sha": COMMIT, "siblings": files, **self.hub.about}
            body = json.dumps(listing).encode()
            self.plain(200, body, {"Content-Type": "application/json"})

    def answer_pointer(self, name: str) -> None:
        fault = self.hub.next_fault(at_hub=True) if self.command == "GET" else None
        if fault is not None and self.fails_at_once(fault):
            return
        location = f"{self.hub.cdn}/blob/{name}?Signature=alsoASecret"
        if fault is not None and fault.kind == "loop":
            location = self.path
        self.plain(
            302,
            b"",
            {
                "Location": location,
                "X-Repo-Commit": COMMIT,
                "X-Linked-Etag": f'"{self.hub.sha256(name)}"',
                "X-Linked-Size": str(len(self.hub.files[name])),
                "ETag": '"of-the-pointer"',
            },
        )

    def answer_bytes(self, name: str) -> None:
        data = self.hub.files[name]
        fault = self.hub.next_fault(at_hub=self.host == "hub") if self.command == "GET" else None
        if fault is not None and self.fails_at_once(fault):
            return
        start, stop = self.range()
        is_part = "Range" in self.headers and self.hub.knows_ranges
        body = data[start:stop] if is_part else data
        headers = {"ETag": f'"{self.hub.git_sha1(name)}"', "X-Repo-Commit": COMMIT}
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{start + len(body) - 1}/{len(data)}"
        self.send_body(206 if is_part else 200, body, headers, fault)

    def fails_at_once(self, fault: Fault) -> bool:
        """Answers where the fault is that there is nothing of the file."""
        if fault.kind in STATUSES:
            retry = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            self.plain(STATUSES[fault.kind], b"", retry)
        elif fault.kind == "html":
            self.plain(200, b"<html>Log in</html>", {"Content-Type": "text/html; charset=utf-8"})
        return fault.kind in STATUSES or fault.kind == "html"

    def send_body(
        self, status: int, body: bytes, headers: dict[str, str], fault: Fault | None
    ) -> None:
        kind, after = (fault.kind, min(fault.after, len(body))) if fault else ("", len(body))
        headers |= {"Content-Length": str(len(body))}
        if kind == "truncated":
            body = body[:after]
            headers["Content-Length"] = str(after)
        elif kind == "flip" and body:
            at = min(after, len(body) - 1)
            body = body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :]
            after = len(body)
        elif kind == "length":
            headers["Content-Length"] = str(len(body) + 7)
            after = len(body)
        elif kind == "range":
            headers["Content-Range"] = "bytes 1-2/3"
        elif kind == "gzip":
            headers["Content-Encoding"] = "gzip"
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.send_slowly(body[:after])
        if kind == "stall":
            self.hub.over.wait(self.hub.silence)
        self.close_connection = self.close_connection or bool(kind)

    def send_slowly(self, body: bytes) -> None:
        if not self.hub.pace:
            self.wfile.write(body)
            return
        for start in range(0, len(body), 4096):
            self.wfile.write(body[start : start + 4096])
            time.sleep(self.hub.pace)
