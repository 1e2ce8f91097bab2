"""Networks as they are: proxies with a password, and servers nobody vouches for."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from huggingface_hub import close_session

from engine.messages import EngineFault, ErrorKind
from engine.store import fetch
from engine.store.download import download
from engine.store.hub import Hub, list_files
from tests.engine.store.fake_hub import REPO, FakeHub
from tests.engine.store.fake_proxy import HOST, FakeProxy
from tests.engine.store.small_model import FILES, SETTINGS, contents


@pytest.fixture(autouse=True)
def fresh_session() -> Iterator[None]:
    """huggingface-hub keeps a client, with the proxies of the moment it was made."""
    close_session()
    yield
    close_session()


def use(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy)


def test_a_proxy_with_a_password(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeProxy(target=fake.endpoint) as proxy:
        use(proxy.address(password=proxy.password), monkeypatch)
        hub = Hub(endpoint=f"http://{HOST}")
        download(hub, list_files(hub, REPO), tmp_path, settings=SETTINGS)
        assert contents(tmp_path) == FILES
        assert len(proxy.asked) == len(fake.seen) > len(FILES)  # all of it, and nothing else
        hosts = {address.split("/")[2].partition(":")[0] for address in proxy.asked}
        assert hosts == {HOST, "localhost"}  # the hub and where it says that the bytes are


@pytest.mark.parametrize("password", ["", "wrong"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_another_password(
    scheme: str, password: str, fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = list_files(Hub(endpoint=fake.endpoint), REPO)
    fake.seen.clear()
    close_session()
    with FakeProxy(target=fake.endpoint) as proxy:
        use(proxy.address(password=password), monkeypatch)
        hub = Hub(endpoint=f"{scheme}://{HOST}")
        for action in (
            lambda: list_files(hub, REPO),
            lambda: download(hub, listing, tmp_path, settings=SETTINGS),
        ):
            refused = proxy.refused
            with pytest.raises(EngineFault, match="proxy") as caught:
                action()
            error = caught.value.error
            assert error.kind is ErrorKind.NETWORK
            assert "password" in error.remedy
            assert proxy.password not in repr(error)
            assert proxy.refused > refused
    assert fake.seen == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_server_nobody_vouches_for(
    fake: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real TLS connection; trusted as soon as the system's store of certificates says so."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for server in fake._servers:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    fake.cdn = fake.cdn.replace("http:", "https:")
    hub = Hub(endpoint=fake.endpoint.replace("http:", "https:"))
    with pytest.raises(EngineFault, match="not certain") as caught:
        list_files(hub, REPO)
    assert "clock" in caught.value.error.remedy
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    close_session()
    listing = list_files(hub, REPO)
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(EngineFault, match="not certain"):
        download(hub, listing, tmp_path / "m", settings=SETTINGS)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    download(hub, listing, tmp_path / "m", settings=SETTINGS)
    assert contents(tmp_path / "m") == FILES


def test_how_long_to_wait_is_told_by_the_clock_of_the_server() -> None:
    """Also where the one of this PC is years behind."""
    headers = {
        "Date": "Wed, 21 Oct 2065 07:28:00 GMT",
        "Retry-After": "Wed, 21 Oct 2065 07:28:07 GMT",
    }
    assert fetch._retry_after(httpx2.Response(503, headers=headers)) == 7
    headers["Date"] = "no date"
    assert fetch._retry_after(httpx2.Response(503, headers=headers)) is None
