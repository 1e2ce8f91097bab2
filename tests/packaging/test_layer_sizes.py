"""What a layer takes is read from the ends of its wheels, on a server that gives parts of files."""

from __future__ import annotations

import importlib
import json
import re
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

SIZES = {"small.txt": 10, "folder/large.bin": 300_000, "empty": 0}


class Server(ThreadingHTTPServer):
    files: dict[str, bytes]
    sent = 0
    gives_parts = True


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.files[self.path]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.server.gives_parts:
            data = data[int(wanted[1]) : int(wanted[2]) + 1]
        self.send_response(206 if wanted and self.server.gives_parts else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.server.sent += len(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    wheel = tmp_path / "wheel"
    with zipfile.ZipFile(wheel, "w") as archive:  # stored, so that unpacked is what lies in it
        for name, size in SIZES.items():
            archive.writestr(name, b"x" * size)
    found = Server(("127.0.0.1", 0), Handler)
    found.files = {"/one.whl": wheel.read_bytes()}
    Thread(target=found.serve_forever, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def sizes(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = importlib.import_module("layer_sizes")
    one = {
        "url": f"http://127.0.0.1:{server.server_port}/one.whl",
        "size": len(server.files["/one.whl"]),
    }
    monkeypatch.setattr(module, "_resolved", lambda *_: [{"wheels": [one]}, {"wheels": [one]}])
    return module


def test_only_the_ends_of_the_wheels_are_read(sizes: Any, server: Server) -> None:
    length = len(server.files["/one.whl"])
    found = sizes.measure("engine", (), None, Path("uv"))
    assert found == {"download": 2 * length, "disk": 2 * sum(SIZES.values())}
    assert server.sent < length / 10


def test_a_server_without_parts_of_files_is_no_answer(sizes: Any, server: Server) -> None:
    server.gives_parts = False
    with pytest.raises(importlib.import_module("project").BuildError, match="no part"):
        sizes.measure("engine", (), None, Path("uv"))


def test_the_layers_that_the_index_knows_have_sizes() -> None:
    locks = importlib.import_module("locks")
    found = json.loads((locks.LOCKS / locks.SIZES).read_text(encoding="utf-8"))
    assert {"engine-cpu-linux", "engine-cuda-linux", "engine-cpu-windows"} <= found.keys()
    assert all(1e8 < each["download"] < each["disk"] < 1e10 for each in found.values())
