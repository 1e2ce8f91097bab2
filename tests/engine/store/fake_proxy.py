"""A proxy on loopback that wants a name and a password, as those of companies do."""

from __future__ import annotations

import base64
import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOST = "hub.example"  # a name that the proxy alone knows


@dataclass(eq=False)
class FakeProxy:
    """Use as a context manager. What is asked of `HOST` goes to `target`."""

    target: str  # an address with a port
    user: str = "anna"
    password: str = "secret of anna"
    asked: list[str] = field(default_factory=list)  # method and address of each request
    refused: int = 0

    def __enter__(self) -> FakeProxy:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def address(self, *, password: str = "") -> str:
        who = f"{self.user}:{password.replace(' ', '%20')}@" if password else ""
        return f"http://{who}127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FakeProxy

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.forward()

    def do_GET(self) -> None:
        self.forward()

    def forward(self) -> None:
        self.proxy.asked.append(f"{self.command} {self.path}")
        if self.headers.get("Proxy-Authorization") != self.proxy.key:
            self.proxy.refused += 1
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="office"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        address = urlsplit(self.path)
        place = urlsplit(self.proxy.target) if address.hostname == HOST else address
        line = http.client.HTTPConnection(place.hostname or "", place.port)
        path = f"{address.path}?{address.query}" if address.query else address.path
        wanted = {k: v for k, v in self.headers.items() if not k.startswith("Proxy-")}
        line.request("GET", path, headers=wanted)
        answer = line.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.read())
        line.close()
