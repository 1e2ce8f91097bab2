"""An installation whose engine is a few lines, fetched from a real package index on this machine.

uv, the locks, the hashes, the child processes and the folders are the real ones.
"""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import uv

from app.layers import Flavour, Installed, Layers

VERSION = "2.13.0"
TORCH = f'''
__version__ = "{VERSION}+tiny"


class _Sum:
    def __init__(self, value):
        self._value = value

    def __matmul__(self, other):
        return self

    def sum(self):
        return self

    def item(self):
        return self._value


def ones(rows, columns, device="cpu"):
    return _Sum(rows * rows * columns)


class cuda:
    @staticmethod
    def is_available():
        return False
'''


def wheel(folder: Path, code: str = TORCH) -> Path:
    """torch as a wheel of one file."""
    path = folder / f"torch-{VERSION}-py3-none-any.whl"
    info = f"torch-{VERSION}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("torch.py", code)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {VERSION}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


class Index:
    """A package index with one package. `holds` lets a download begin and not go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.go_on = threading.Event()
        self.go_on.set()
        self.asked = threading.Event()  # a wheel has been asked for
        self.files = 0  # how often one was sent whole
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/simple"

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wheels = {path.name: path for path in index.folder.glob("*.whl")}
                name = self.path.rsplit("/", 1)[-1]
                if name in wheels:
                    index.asked.set()
                    index.go_on.wait(20)
                    index.files += 1
                    self._send(wheels[name].read_bytes(), "application/octet-stream")
                elif self.path == "/simple/torch/":
                    links = "".join(f'<a href="/files/{each}">{each}</a>' for each in wheels)
                    self._send(f"<html><body>{links}</body></html>".encode(), "text/html")
                else:
                    self.send_error(404)

            def _send(self, data: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments: object) -> None:
                pass

        return Handler


@contextmanager
def index_of(folder: Path) -> Iterator[Index]:
    index = Index(folder)
    try:
        yield index
    finally:
        index.close()


def installation(folder: Path, address: str, path: Path, flavours=tuple(Flavour)) -> Installed:
    """What an installer leaves in `folder`: uv and the locks, which ask for the wheel at `path`."""
    (folder / "locks").mkdir(parents=True)
    (folder / "uv").symlink_to(uv.find_uv_bin())
    (folder / "version.json").write_text('{"version": "0.1.0"}', encoding="utf-8")
    installed = Installed(folder=folder)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    for flavour in flavours:
        text = f"--index-url {address}\ntorch=={VERSION} --hash=sha256:{digest}\n"
        installed.lock(flavour).write_text(f"# {flavour.value}\n{text}", encoding="utf-8")
    return installed


def layers(folder: Path, installed: Installed) -> Layers:
    return Layers(folder=folder / "layers", installed=installed)
