"""A feed of updates on this machine: made and signed by the build's own code, sent by a real server.

A version is a folder of a few small files. Keys, signatures, digests and connections are real.
"""

from __future__ import annotations

import base64
import importlib
import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.state.setup.making import Cancelled
from app.state.updates import updates, work
from app.state.updates.place import Place
from app.state.updates.source import Source
from app.versions import Versions

PACKAGING = Path(__file__).parents[2] / "packaging"
SYSTEM = "linux"
BIG = bytes(range(256)) * 1500  # a file of several pieces
NOTES = {"en": "Faster.\nKinder.", "de": "Schneller.\nFreundlicher."}

Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@cache
def builder() -> ModuleType:
    """packaging/installer/feed.py, imported as the build imports it."""
    before = list(sys.path)
    sys.path[:0] = [str(PACKAGING / each) for each in ("", "installer", "windows", "linux")]
    try:
        return importlib.import_module("feed")
    finally:
        sys.path[:] = before


def new_key() -> Any:
    return Ed25519PrivateKey.generate()


def program(folder: Path, version: str, **files: bytes) -> Path:
    """What is installed of a version. Two versions differ in some files and share the others."""
    texts = {
        "redraft": b"#!/bin/sh\n",
        "launch.py": b"print()\n",
        "version.json": json.dumps({"version": version, "system": SYSTEM}).encode(),
        "wheels/qt-6-abi3-any.whl": b"q" * 5000,
        f"wheels/redraft-{version}-py3-none-any.whl": version.encode() + BIG,
        "licences/qt-6/LICENSE": b"LGPL",
    } | {name.replace("__", "/"): data for name, data in files.items()}
    for name, data in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if name == "redraft" else 0o644)
    return folder


class Feed:
    """A published feed. `answers` replaces what is sent for a path below it."""

    def __init__(self, folder: Path, key: Any = None) -> None:
        self.folder = folder
        self.key = key or new_key()
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []  # paths and headers
        self.go_on = threading.Event()  # what waits goes on
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/some/where"

    @property
    def public(self) -> str:
        return str(builder().public_key(self.key))

    def source(self, running: str = "0.1.0", **changes: Any) -> Source:
        given = {"url": self.url, "keys": (self.public,), "system": SYSTEM, "running": running}
        return Source(**(given | changes))

    def publish(self, version: str, *, signers: Any = None, **about: Any) -> Path:
        """Publishes a version of the few files. Returns the manifest's path."""
        files = about.pop("files", {})
        system = about.pop("system", SYSTEM)
        place = program(self.folder / f"made-{version}", version, **files)
        release = builder().Release(version=version, notes=NOTES, **about)
        return Path(builder().write(place, system, release, self.folder, signers or [self.key]))

    def sign(self, data: bytes, key: Any = None) -> None:
        """Publishes these bytes as the manifest, signed."""
        (self.folder / f"{SYSTEM}.json").write_bytes(data)
        signature = base64.b64encode((key or self.key).sign(data))
        (self.folder / f"{SYSTEM}.json.sig").write_bytes(signature + b"\n")

    def change(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Publishes the manifest with a change, signed as it is then."""
        row = json.loads((self.folder / f"{SYSTEM}.json").read_bytes())
        change(row)
        self.sign(json.dumps(row).encode())

    def path_of(self, name: str) -> str:
        """Where the file is published that is `name` in the manifest."""
        row = json.loads((self.folder / f"{SYSTEM}.json").read_bytes())
        (digest,) = [each["sha256"] for each in row["files"] if name in each["path"]]
        return f"files/{digest}"

    def files_sent(self) -> int:
        return sum(path.startswith("files/") for path, _ in self.asked)

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        feed = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.removeprefix("/some/where/")
                feed.asked.append((name, dict(self.headers)))
                path = feed.folder / name
                data = path.read_bytes() if path.is_file() else b""
                answer = feed.answers.get(name, send if path.is_file() else status(404))
                answer(self, data)

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


@contextmanager
def feed_in(folder: Path) -> Iterator[Feed]:
    folder.mkdir(parents=True, exist_ok=True)
    feed = Feed(folder)
    try:
        yield feed
    finally:
        feed.close()


def place(folder: Path, feed: Feed, running: str) -> Place:
    """An installation of 0.1.0, of which the version `running` runs."""
    installed = program(folder / "Prögram", "0.1.0")
    data = folder / "dätä"
    if running != "0.1.0":
        installed = data / "versions" / running
    return Place(
        source=feed.source(running),
        versions=Versions(data / "versions", running),
        installed=installed,
        memory=data / "updates.json",
        log=folder / "logs" / "update.log",
    )


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Looks as soon as it is started, and past any proxy."""
    patch.setattr(updates, "CALM_MS", 0)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        patch.delenv(name, raising=False)
        patch.delenv(name.upper(), raising=False)


def rename_only(patch: pytest.MonkeyPatch) -> list[str]:
    """Installing is a renaming. Returns the versions that are installed from now on."""
    done: list[str] = []

    def install(versions: Versions, version: str, _log: Path, is_cancelled: Any) -> None:
        done.append(version)
        if is_cancelled():
            raise Cancelled
        shutil.rmtree(versions.path(version), ignore_errors=True)
        versions.staging(version).rename(versions.path(version))

    patch.setattr(work, "install", install)
    return done


# --- what a server may do -------------------------------------------------------------------------


def send(handler: BaseHTTPRequestHandler, data: bytes, **headers: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def status(code: int) -> Answer:
    return lambda handler, _data: handler.send_error(code)


def redirect(to: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, _data: bytes) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def other(change: Callable[[bytes], bytes], **headers: str) -> Answer:
    return lambda handler, data: send(handler, change(data), **headers)


def endless(handler: BaseHTTPRequestHandler, _data: bytes) -> None:
    """More and more, without saying how much."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(400):
            handler.wfile.write(bytes(65_536))
    except OSError:
        return  # nobody listens any more


def cut_off(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """Promises all, sends half."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])


def stalled(feed: Feed, begun: threading.Event | None = None) -> Answer:
    """Sends half, then nothing until `feed.go_on`."""

    def answer(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.wfile.flush()
        if begun is not None:
            begun.set()
        feed.go_on.wait(30)
        handler.wfile.write(data[len(data) // 2 :])

    return answer


def once(first: Answer) -> Answer:
    """The second time all is well."""
    begun: list[bool] = []

    def answer(handler: BaseHTTPRequestHandler, data: bytes) -> None:
        if begun:
            send(handler, data)
        else:
            begun.append(True)
            first(handler, data)

    return answer
