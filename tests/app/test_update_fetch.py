"""A version comes over the network whole and right, or a sentence says why it does not."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import os
import random
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.state.setup.making import Cancelled
from app.state.updates import client as network
from app.state.updates import fetch as fetching
from app.state.updates.client import Client
from app.state.updates.fetch import fetch, missing
from app.state.updates.install import UpdateFailed
from app.state.updates.look import look
from app.state.updates.manifest import Manifest
from app.state.updates.status import Fetched
from tests.app import updates_rig
from tests.app.updates_rig import Feed

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    return updates_rig.program(tmp_path / "Prögram files", "0.1.0")


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    return tmp_path / "dätä" / "versions" / "0.2.0.part"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE", 0.01)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def client(feed: Feed):
    one = Client(feed.url, patience=2.0)
    yield one
    one.close()


def asked_now(client: Client, feed: Feed, seen: str = "", **source: Any) -> Manifest:
    return look(client, feed.source(**source), seen)


def fetched(client: Client, found: Manifest, staging: Path, installed: Path, **how: Any):
    progress: list[Fetched] = []
    fetch(client, found, staging, installed, progress.append, how.get("stop", lambda: False))
    return progress


def contents(folder: Path) -> dict[str, tuple[bytes, bool]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), os.access(path, os.X_OK))
        for path in folder.rglob("*")
        if path.is_file()
    }


def published(feed: Feed, version: str = "0.2.0") -> dict[str, tuple[bytes, bool]]:
    return contents(feed.folder / f"made-{version}")


# --- all is well ----------------------------------------------------------------------------------


def test_the_folder_is_that_of_the_version_and_only_what_is_new_is_fetched(
    client, feed, installed, staging
):
    found = asked_now(client, feed)
    assert found.version == "0.2.0"
    assert found.notes["de"] == "Schneller.\nFreundlicher."
    new = missing(found, staging, installed)
    progress = fetched(client, found, staging, installed)
    assert contents(staging) == published(feed)
    # same in both: the launcher, Qt, a licence; version.json has the same size, but other bytes
    assert feed.files_sent() == 2
    assert sum(each.size for each in new) <= progress[-1].total
    assert progress[-1].done == progress[-1].total == sum(len(each) for each in (
        published(feed)["version.json"][0],
        published(feed)["wheels/redraft-0.2.0-py3-none-any.whl"][0],
    ))  # fmt: skip
    assert missing(found, staging) == ()


def test_nothing_is_said_of_the_user(client, feed, installed, staging):
    feed.answers["linux.json"] = lambda handler, data: updates_rig.send(
        handler, data, Set_Cookie="who=42; Path=/", ETag='"1"'
    )
    fetched(client, asked_now(client, feed), staging, installed)
    assert len(feed.asked) == 4
    for path, headers in feed.asked:
        assert "?" not in path
        assert "0.1.0" not in json.dumps([path, headers])
        assert set(headers) == {"Host", "Accept", "Accept-Encoding", "Connection", "User-Agent"}
        assert headers["User-Agent"] == "Redraft"


def test_what_is_there_already_is_not_fetched_again(client, feed, installed, staging):
    found = asked_now(client, feed)
    fetched(client, found, staging, installed)
    before = feed.files_sent()
    fetched(client, found, staging, installed)
    assert feed.files_sent() == before


def test_what_an_earlier_try_left_is_put_right(client, feed, installed, staging, tmp_path):
    """Strange files, folders in the place of files, half files, links that lead elsewhere."""
    found = asked_now(client, feed)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "launch.py").write_text("mine", encoding="utf-8")
    (staging / "version.json").mkdir(parents=True)
    (staging / "version.json" / "x").write_text("x", encoding="utf-8")
    (staging / "env" / "bin").mkdir(parents=True)
    (staging / "env" / "bin" / "python").write_text("x", encoding="utf-8")
    (staging / "evil.pth").write_text("import evil", encoding="utf-8")
    (staging / "licences").symlink_to(precious, target_is_directory=True)
    (staging / "launch.py").symlink_to(precious / "launch.py")
    (staging / "wheels").mkdir()
    name = "wheels/redraft-0.2.0-py3-none-any.whl"
    (staging / name).write_bytes(published(feed)[name][0][:-5])
    fetched(client, found, staging, installed)
    assert contents(staging) == published(feed)
    assert contents(precious) == {"launch.py": (b"mine", False)}


def test_random_leftovers_never_end_up_in_a_version(client, feed, installed, staging):
    dice = random.Random(5)
    found = asked_now(client, feed)
    names = [each.path for each in found.files] + ["x", "wheels/x", "a/b/c"]
    for _ in range(40):
        for name in dice.sample(names, 4):
            path = staging / name
            if any(parent.is_file() for parent in path.parents) or path.is_dir():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dice.randbytes(dice.choice([0, 1, 5000])))
        fetched(client, found, staging, installed)
        assert contents(staging) == published(feed)


def test_an_installation_with_a_damaged_file_is_no_help(client, feed, installed, staging):
    (installed / "wheels" / "qt-6-abi3-any.whl").write_bytes(b"z" * 5000)
    fetched(client, asked_now(client, feed), staging, installed)
    assert contents(staging) == published(feed)
    assert feed.files_sent() == 3


# --- what is asked of the feed --------------------------------------------------------------------


def tampered(data: bytes) -> bytes:
    return data.replace(b"0.2.0", b"0.2.1", 1)


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("linux.json", updates_rig.other(tampered), "not signed"),
        ("linux.json", updates_rig.other(lambda data: data + b"\n"), "not signed"),
        ("linux.json.sig", updates_rig.other(lambda data: data[:40]), "not signed"),
        ("linux.json.sig", updates_rig.other(lambda _: b""), "not signed"),
        ("linux.json.sig", updates_rig.other(lambda _: b"A" * 2001), "cannot be understood"),
        ("linux.json.sig", updates_rig.status(404), "has no updates"),
        ("linux.json", updates_rig.status(404), "has no updates"),
        ("linux.json", updates_rig.status(403), "cannot answer now (error 403)"),
        ("linux.json", updates_rig.status(503), "cannot answer now (error 503)"),
        ("linux.json", updates_rig.status(407), "proxy"),
        ("linux.json", updates_rig.redirect("http://127.0.0.1:9/x"), "not encrypted"),
        ("linux.json", updates_rig.redirect("/elsewhere"), "not encrypted"),
        ("linux.json", updates_rig.redirect("file:///etc/passwd"), "not encrypted"),
        ("linux.json", updates_rig.redirect("https://127.0.0.1:9/x"), "cannot be reached"),
        ("linux.json", updates_rig.redirect("https://[::1"), "has no updates"),
        ("linux.json", updates_rig.endless, "cannot be understood"),
        ("linux.json", updates_rig.cut_off, "broke off"),
        ("linux.json", updates_rig.other(bytes, Content_Type="text/html"), "A web page came"),
        ("linux.json", updates_rig.other(bytes, Content_Encoding="gzip"), "cannot be understood"),
    ],
)
def test_a_feed_that_is_not_right_is_not_believed(client, feed, name, answer, words):
    feed.answers[name] = answer
    with pytest.raises(UpdateFailed) as caught:
        asked_now(client, feed)
    assert words in caught.value.trouble.message
    assert caught.value.trouble.remedy


def test_another_key_s_signature_is_none(client, feed):
    feed.sign((feed.folder / "linux.json").read_bytes(), updates_rig.new_key())
    with pytest.raises(UpdateFailed, match="not signed"):
        asked_now(client, feed)


def test_another_manifest_s_signature_is_none(client, feed):
    old = (feed.folder / "linux.json.sig").read_bytes()
    feed.publish("0.3.0")
    (feed.folder / "linux.json.sig").write_bytes(old)
    with pytest.raises(UpdateFailed, match="not signed"):
        asked_now(client, feed)


def test_a_key_is_replaced_in_two_releases(client, feed):
    old, new = feed.key, updates_rig.new_key()
    public = updates_rig.builder().public_key
    feed.publish("0.3.0", signers=[old, new])
    assert asked_now(client, feed, keys=(public(old),)).version == "0.3.0"
    assert asked_now(client, feed, keys=(public(new), public(old))).version == "0.3.0"
    feed.publish("0.4.0", signers=[new])
    assert asked_now(client, feed, keys=(public(new), public(old))).version == "0.4.0"
    with pytest.raises(UpdateFailed, match="not signed"):
        asked_now(client, feed, keys=(public(old),))


def test_an_old_manifest_played_again_is_refused(client, feed):
    old = {name: (feed.folder / name).read_bytes() for name in ("linux.json", "linux.json.sig")}
    feed.publish("0.3.0")
    assert asked_now(client, feed).version == "0.3.0"
    for name, data in old.items():
        (feed.folder / name).write_bytes(data)
    with pytest.raises(UpdateFailed, match="older Redraft was offered"):
        asked_now(client, feed, seen="0.3.0")
    with pytest.raises(UpdateFailed, match="older Redraft was offered"):
        asked_now(client, feed, running="0.2.1")


def test_a_manifest_for_another_system_is_refused(client, feed):
    feed.change(lambda row: row.update(system="windows"))
    with pytest.raises(UpdateFailed, match="cannot be understood"):
        asked_now(client, feed)


def test_a_format_of_later_times_is_said(client, feed):
    feed.change(lambda row: row.update(format=2))
    with pytest.raises(UpdateFailed, match="cannot fetch by itself"):
        asked_now(client, feed)


def test_paths_that_lead_elsewhere_never_reach_the_disk(client, feed):
    feed.change(lambda row: row["files"][0].update(path="../../.profile"))
    with pytest.raises(UpdateFailed, match="cannot be understood"):
        asked_now(client, feed)


def test_a_feed_that_is_gone_is_named(feed):
    client = Client("http://127.0.0.1:9/feed")
    with pytest.raises(UpdateFailed, match=r"127\.0\.0\.1 cannot be reached"):
        asked_now(client, feed)
    client.close()


def test_a_feed_without_encryption_is_not_even_asked(feed):
    client = Client("http://example.org")
    with pytest.raises(UpdateFailed, match="not encrypted"):
        asked_now(client, feed)
    client.close()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("http_proxy", "socks5://127.0.0.1:9", "proxy"),
        ("http_proxy", "http://127.0.0.1:9", "cannot be reached"),
        ("http_proxy", "gopher://127.0.0.1:9", "proxy"),
        ("http_proxy", "http://[::1", "proxy"),
        ("SSL_CERT_FILE", "/nothing/here.pem", "certificate"),
    ],
)
def test_a_system_whose_network_is_set_up_wrong_is_said(feed, monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    with pytest.raises(UpdateFailed, match=words):
        asked_now(Client(feed.url), feed)


def test_a_feed_that_says_nothing_is_given_up(feed):
    feed.answers["linux.json"] = updates_rig.stalled(feed)
    client = Client(feed.url, patience=0.3)
    with pytest.raises(UpdateFailed, match="broke off"):
        asked_now(client, feed)
    client.close()


def test_a_feed_that_drips_is_given_up(client, feed, monkeypatch):
    def drip(handler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        for place in range(len(data)):
            handler.wfile.write(data[place : place + 1])
            if feed.go_on.wait(0.05):
                return

    monkeypatch.setattr(network, "SMALL_PATIENCE", 0.3)
    feed.answers["linux.json"] = drip
    with pytest.raises(UpdateFailed, match="broke off"):
        asked_now(client, feed)


# --- over https -----------------------------------------------------------------------------------


def certificate(folder: Path) -> Path:
    """A key and a certificate of 127.0.0.1 that nobody but its owner trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(tmp_path: Path, feed: Feed):
    """The same feed over https."""
    with updates_rig.feed_in(feed.folder) as other:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate(tmp_path))
        other._server.socket = context.wrap_socket(other._server.socket, server_side=True)
        yield other, other.url.replace("http:", "https:")


def test_over_https_a_certificate_is_checked(
    feed, secure, tmp_path, monkeypatch, staging, installed
):
    _, address = secure
    client = Client(address)
    with pytest.raises(UpdateFailed, match="certificate"):
        asked_now(client, feed)
    client.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    client = Client(address)
    fetched(client, asked_now(client, feed), staging, installed)
    client.close()
    assert contents(staging) == published(feed)


def test_a_redirect_leads_to_https_and_never_back(feed, secure, tmp_path, monkeypatch):
    other, address = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    client = Client(feed.url)
    for name in ("linux.json", "linux.json.sig"):
        feed.answers[name] = updates_rig.redirect(f"{address}/{name}")
    assert asked_now(client, feed).version == "0.2.0"
    assert not any("Referer" in headers for _, headers in other.asked)
    other.answers["linux.json"] = updates_rig.redirect(f"{feed.url}/linux.json")
    with pytest.raises(UpdateFailed, match="not encrypted"):
        asked_now(client, feed)
    other.answers["linux.json"] = updates_rig.redirect(f"{address}/linux.json")
    with pytest.raises(UpdateFailed, match="has no updates"):
        asked_now(client, feed)
    client.close()


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (updates_rig.other(lambda data: bytes(len(data))), "not what it should be"),
        (updates_rig.other(lambda data: data[:-1]), "not what it should be"),
        (updates_rig.other(lambda data: data + b"x"), "not what it should be"),
        (updates_rig.other(lambda _: b""), "not what it should be"),
        (updates_rig.endless, "not what it should be"),
        (updates_rig.cut_off, "broke off"),
        (updates_rig.status(404), "has no updates"),
        (updates_rig.status(500), "error 500"),
        (updates_rig.redirect("http://127.0.0.1:9/x"), "not encrypted"),
        (updates_rig.other(bytes, Content_Type="text/html; charset=utf-8"), "web page"),
    ],
)
def test_a_file_that_is_not_right_is_not_kept(client, feed, installed, staging, answer, words):
    found = asked_now(client, feed)
    name = "wheels/redraft-0.2.0-py3-none-any.whl"
    feed.answers[feed.path_of("wheels/redraft")] = answer
    with pytest.raises(UpdateFailed) as caught:
        fetched(client, found, staging, installed)
    assert words in caught.value.trouble.message
    assert not (staging / name).exists()
    feed.answers.clear()
    fetched(client, found, staging, installed)
    assert contents(staging) == published(feed)


@pytest.mark.parametrize("first", [updates_rig.cut_off, updates_rig.status(503)])
def test_a_connection_that_breaks_is_taken_up_again(
    client, feed, installed, staging, first, monkeypatch
):
    monkeypatch.setattr(fetching, "PERIOD", 0.0)
    found = asked_now(client, feed)
    feed.answers[feed.path_of("wheels/redraft")] = updates_rig.once(first)
    progress = fetched(client, found, staging, installed)
    assert contents(staging) == published(feed)
    assert [each.done == each.total for each in progress].index(True) == len(progress) - 1


def test_a_file_without_an_end_is_given_up_at_its_size(client, feed, installed, staging):
    sent = 0

    def flood(handler, _data: bytes) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):  # nobody listens any more
            while sent < 200_000_000:
                sent += handler.wfile.write(bytes(1 << 20))

    found = asked_now(client, feed)
    feed.answers[feed.path_of("wheels/redraft")] = flood
    with pytest.raises(UpdateFailed, match="not what it should be"):
        fetched(client, found, staging, installed)
    assert sent < 50_000_000


def test_a_full_disk_is_said_before_anything_is_fetched(
    client, feed, installed, staging, monkeypatch
):
    found = asked_now(client, feed)
    monkeypatch.setattr(fetching, "MARGIN", shutil.disk_usage("/").total * 10)
    with pytest.raises(UpdateFailed, match="GB are free"):
        fetched(client, found, staging, installed)
    assert feed.files_sent() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_is_said(client, feed, installed, staging, monkeypatch):
    found = asked_now(client, feed)
    whole = Path.open

    def opened(path: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        is_new = "w" in mode and path.name.startswith("redraft-0.2.0")
        return whole(Path("/dev/full") if is_new else path, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(UpdateFailed, match="disk is full"):
        fetched(client, found, staging, installed)


def test_a_folder_that_cannot_be_made_is_said(client, feed, installed, staging):
    found = asked_now(client, feed)
    staging.parent.parent.write_text("a file in its place", encoding="utf-8")
    with pytest.raises(UpdateFailed, match="cannot write to its own folder"):
        fetched(client, found, staging, installed)


def test_whatever_a_server_does_only_whole_files_stay(client, feed, installed, staging):
    """Each file is met by some of the faults, at random; then all is well, and nothing is wrong."""
    dice = random.Random(11)
    found = asked_now(client, feed)
    good = published(feed)
    faults = (
        updates_rig.cut_off,
        updates_rig.status(404),
        updates_rig.status(503),
        updates_rig.other(lambda data: bytes(len(data))),
        updates_rig.other(lambda data: data[: len(data) // 3]),
        updates_rig.other(lambda data: data + b"more"),
        updates_rig.other(lambda data: data[::-1]),
        updates_rig.redirect("http://127.0.0.1:9/x"),
        updates_rig.other(bytes, Content_Type="text/html"),
        updates_rig.other(bytes, Content_Encoding="br"),
    )
    ended = {"whole": 0, "not": 0}
    for _ in range(80):
        shutil.rmtree(staging, ignore_errors=True)
        helped = dice.random() < 0.5  # else all of it is fetched
        feed.answers = {
            f"files/{each.sha256}": updates_rig.once(dice.choice(faults))
            for each in found.files
            if dice.random() < 0.4
        }
        while True:
            try:
                fetched(client, found, staging, installed if helped else staging)
            except UpdateFailed:
                ended["not"] += 1
                for name, (data, _) in contents(staging).items():
                    assert data == good[name][0]
                continue
            break
        ended["whole"] += 1
        assert contents(staging) == good
    assert ended["whole"] == 80
    assert ended["not"] > 20


# --- stopping -------------------------------------------------------------------------------------


def test_stopping_ends_a_connection_that_stalls(feed, installed, staging):
    client, stop, begun = Client(feed.url, patience=30), threading.Event(), threading.Event()
    found = asked_now(client, feed)
    feed.answers[feed.path_of("wheels/redraft")] = updates_rig.stalled(feed, begun)

    def end() -> None:
        assert begun.wait(10)
        stop.set()
        client.cut()

    ending = threading.Thread(target=end)
    ending.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        fetched(client, found, staging, installed, stop=stop.is_set)
    assert time.monotonic() - started < 20  # far from the 30 seconds of its patience
    ending.join()
    client.close()
    feed.answers.clear()
    feed.go_on.set()
    again = Client(feed.url)
    fetched(again, found, staging, installed)
    again.close()
    assert contents(staging) == published(feed)


def test_stopping_between_two_pieces_keeps_whole_files(client, feed, installed, staging):
    found = asked_now(client, feed)
    for calls in range(1, 60):
        count = iter(range(calls))
        try:
            fetched(client, found, staging, installed, stop=lambda c=count: next(c, None) is None)
        except Cancelled:
            for path in staging.rglob("*"):
                name = path.relative_to(staging).as_posix()
                assert path.is_dir() or path.read_bytes() == published(feed)[name][0]
        else:
            break
    else:
        pytest.fail("it never came to an end")
    assert contents(staging) == published(feed)
    assert calls > 5


CHILD = """
import sys
from pathlib import Path
from app.state.updates.client import Client
from app.state.updates.fetch import fetch
from app.state.updates.manifest import parse
url, manifest, staging, installed = sys.argv[1:]
found = parse(Path(manifest).read_bytes())
fetch(Client(url), found, Path(staging), Path(installed), lambda p: print(p.done, flush=True),
      lambda: False)
"""


def test_killed_while_fetching_it_goes_on(client, feed, installed, staging):
    """The process is killed inside of each file in turn; what was whole is not fetched again."""
    for number in range(3):
        (feed.folder / "made-0.3.0" / f"extra{number}").parent.mkdir(exist_ok=True)
    extras = {f"extra{number}": bytes([number]) * 200_000 for number in range(3)}
    feed.publish("0.3.0", files=extras)
    found = asked_now(client, feed)
    for number in range(3):
        begun = threading.Event()
        path = feed.path_of(f"extra{number}")
        feed.answers = {path: updates_rig.stalled(feed, begun)}
        arguments = (feed.url, feed.folder / "linux.json", staging, installed)
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, *map(str, arguments)], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        assert begun.wait(60)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    feed.answers = {}
    fetched(client, found, staging, installed)
    assert contents(staging) == published(feed, "0.3.0")
    sent = [path for path, _ in feed.asked if path.startswith("files/")]
    for number in range(3):
        digest = hashlib.sha256(extras[f"extra{number}"]).hexdigest()
        assert sent.count(f"files/{digest}") == 2  # once it was killed, once it went on
