"""What a manifest, a signature and an installation's own words may be, and what is refused."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest

from app.layers import Installed
from app.state.updates import manifest as rules
from app.state.updates.manifest import ManifestError, NewerFormat, parse
from app.state.updates.memory import Memory, read_memory, write_memory
from app.state.updates.signature import NotSigned, TooOld, check_not_older, check_signed
from app.state.updates.source import is_address, source_of
from tests.app import updates_rig

DIGEST = "0" * 64
# Section 7.1 of RFC 8032, the third test: a public key, a message and its signature.
PUBLIC = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"
MESSAGE = bytes.fromhex("af82")
SIGNATURE = (
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def file(path: str = "version.json", **changes: Any) -> dict[str, Any]:
    return {"path": path, "size": 1, "sha256": DIGEST, "executable": False} | changes


def row(**changes: Any) -> dict[str, Any]:
    about = {
        "format": 1,
        "system": "linux",
        "version": "0.2.0",
        "released": "2026-11-21",
        "oldest": "0.1.0",
        "notes": {"en": "New."},
        "files": [file(), file("wheels/redraft-0.2.0-py3-none-any.whl", size=7, executable=True)],
    }
    return about | changes


def read(**changes: Any) -> rules.Manifest:
    return parse(json.dumps(row(**changes)).encode())


def test_a_good_one_is_read() -> None:
    found = read(added_later={"by": ["a newer version"]})
    assert (found.version, found.oldest, found.system) == ("0.2.0", "0.1.0", "linux")
    assert found.notes == {"en": "New."}
    assert found.size == 8
    assert [each.executable for each in found.files] == [False, True]


PATHS = [
    "", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "..", ".", "./a", "a//b", "a/", "~/x",
    "C:/x", "c:x", "\\\\host\\share", "a\\b", "a\\..\\..\\b", "con", "a/NUL.txt", "com1", "lpt9.log",
    "a.", "a/b.", "a ", " a", "a\0b", "a\nb", "ä", ".hidden", "a/.ssh/x", "-x", "x" * 201,
    "a/" * 101 + "a", "a:b", "a*b", "aux/x", "%2e%2e/x", "a\u2024\u2024/b", "file://x", "$HOME", "`x`",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_the_folder(path: str) -> None:
    with pytest.raises(ManifestError):
        read(files=[file(), file(path)])


@pytest.mark.parametrize(
    "files",
    [
        [],
        {},
        None,
        ["version.json"],
        [file("other")],
        [file(), file()],
        [file(), file("Version.JSON")],
        [file(), file("a"), file("a/b")],
        [file(), file("A/x"), file("a")],
        [file(size=-1)],
        [file(size=1.0)],
        [file(size=True)],
        [file(size="1")],
        [file(size=rules.MOST_SIZE + 1)],
        [file(size=10**400)],
        [file(), *(file(f"f{i}", size=rules.MOST_SIZE) for i in range(3))],
        [file(), *(file(f"f{i}") for i in range(rules.MOST_FILES))],
        [file(sha256="0" * 63)],
        [file(sha256="0" * 63 + "G")],
        [file(sha256="A" * 64)],
        [file(sha256=None)],
        [file(executable=1)],
        [{"path": "version.json"}],
    ],
    ids=str,
)
def test_files_without_sense_are_refused(files: Any) -> None:
    with pytest.raises(ManifestError):
        read(files=files)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("format", 0.5), ("format", "1"), ("format", None), ("system", "macos"), ("system", None),
        ("version", "0.2"), ("version", "0.2.0rc1"), ("version", "../0.2.0"), ("version", "00.2.0"),
        ("version", 2), ("version", "0.2.0\n"), ("version", "\u0660.2.0"), ("oldest", "0.2.1"),
        ("oldest", None), ("released", "yesterday"), ("released", "2026-11-21T00:00"),
        ("released", "2026-02-30"), ("released", "20261121"), ("released", 20261121),
        ("notes", []), ("notes", {"english": "x"}), ("notes", {"en": 1}),
        ("notes", {"en": "x" * (rules.MOST_NOTES + 1)}),
    ],
)  # fmt: skip
def test_every_field_is_what_it_should_be(name: str, value: Any) -> None:
    with pytest.raises(ManifestError):
        read(**{name: value})


def test_a_later_format_is_told_apart() -> None:
    with pytest.raises(NewerFormat):
        parse(b'{"format": 2, "anything": "else"}')


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"format": 1, "format": 1}',
        b'{"format": NaN}',
        b'{"format": Infinity}',
        b"9" * 5000,
        b" " * (rules.MOST_BYTES + 1),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError):
        parse(data)


def test_a_name_that_comes_twice_is_refused() -> None:
    twice = json.dumps(row()).replace('"version":', '"version": "9.9.9", "version":', 1)
    with pytest.raises(ManifestError):
        parse(twice.encode())


PIECES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 1e308, "", "..", "../..", "/", "\\", "a/../b", "C:\\x", "NUL",
    "0.2.0", "linux", DIGEST, "\ud800", "\uff41", "a\u202e", [], {}, [[]], {"path": ".."}, "x" * 300,
)  # fmt: skip


def mutated(value: Any, dice: random.Random) -> Any:
    """The same with one place changed, removed, doubled, or put elsewhere."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        changed = dict(value)
        name = dice.choice(list(changed))
        if dice.random() < 0.1:
            del changed[name]
        else:
            changed[name] = mutated(changed[name], dice)
        return changed
    if isinstance(value, list) and value and dice.random() < 0.9:
        place = dice.randrange(len(value))
        if dice.random() < 0.2:
            return [*value, dice.choice(value)]
        return [*value[:place], mutated(value[place], dice), *value[place + 1 :]]
    if isinstance(value, str) and value and dice.random() < 0.6:
        place = dice.randrange(len(value) + 1)
        sign = dice.choice(["/", "..", ".", "\\", ":", "\0", " ", "é", "A", "", "-", "con"])
        return value[:place] + sign + value[place + dice.randrange(3) :]
    return dice.choice(PIECES)


def check_harmless(found: rules.Manifest) -> None:
    """What an installation relies on, said in another way than the parser does."""
    top = Path("/top/of/it")
    names = [each.path for each in found.files]
    for name in names:
        assert (top / name).resolve().is_relative_to(top)
        there = PureWindowsPath("C:/top", name)
        assert ".." not in there.parts
        assert there.is_relative_to("C:/top")
        assert not there.is_reserved()
        assert name.isascii()
        assert name == Path(name).as_posix()
    assert len({name.casefold() for name in names}) == len(names) <= 600
    assert all(0 <= each.size <= 10**9 and len(each.sha256) == 64 for each in found.files)
    assert sum(each.size for each in found.files) <= 2 * 10**9


def test_whatever_is_changed_nothing_harmful_is_let_through() -> None:
    dice = random.Random(20)
    read_well = 0
    for _ in range(20_000):
        value: Any = row()
        for _ in range(dice.randrange(1, 4)):
            value = mutated(value, dice)
        try:
            found = parse(json.dumps(value).encode("utf-8", "surrogatepass"))
        except ManifestError:
            continue
        read_well += 1
        check_harmless(found)
    assert 200 < read_well < 19_000  # it let some through, and not all


def test_whatever_bytes_are_changed_only_a_refusal_is_raised() -> None:
    dice = random.Random(21)
    good = json.dumps(row()).encode()
    for _ in range(5_000):
        data = bytearray(good)
        for _ in range(dice.randrange(1, 5)):
            place = dice.randrange(len(data))
            data[place : place + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
        try:
            check_harmless(parse(bytes(data)))
        except ManifestError:
            continue


# --- signatures -----------------------------------------------------------------------------------


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_the_signature_of_the_standard_s_example_is_good() -> None:
    key, line = encoded(bytes.fromhex(PUBLIC)), encoded(bytes.fromhex(SIGNATURE)).encode()
    check_signed(MESSAGE, line, [key])
    for data, signature in (
        (MESSAGE + b"\0", line),
        (b"", line),
        (MESSAGE, line[:-8] + b"AAAAAAA="),
    ):
        with pytest.raises(NotSigned):
            check_signed(data, signature, [key])


def test_one_good_signature_of_a_known_key_is_enough() -> None:
    old, new, other = (updates_rig.new_key() for _ in range(3))
    public = updates_rig.builder().public_key
    lines = [encoded(key.sign(b"text")).encode() for key in (old, new)]
    both = b"\n".join(lines) + b"\n"
    check_signed(b"text", both, [public(old)])
    check_signed(b"text", both, [public(new)])
    check_signed(b"text", both, [public(other), public(new)])
    check_signed(b"text", b"nonsense\n\n" + lines[1], [public(new)])
    with pytest.raises(NotSigned):
        check_signed(b"text", both, [public(other)])
    with pytest.raises(NotSigned):
        check_signed(b"text", both, [])


@pytest.mark.parametrize("length", [0, 1, 40, 84, 87])
def test_a_signature_that_is_cut_off_is_none(length: int) -> None:
    key = updates_rig.new_key()
    line = encoded(key.sign(b"text")).encode()[:length]
    with pytest.raises(NotSigned):
        check_signed(b"text", line, [updates_rig.builder().public_key(key)])


def test_no_flipped_bit_passes() -> None:
    key, data = updates_rig.new_key(), b"a manifest"
    public, signature = updates_rig.builder().public_key(key), key.sign(data)
    for place in range(8 * len(data)):
        changed = bytearray(data)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(NotSigned):
            check_signed(bytes(changed), encoded(signature).encode(), [public])
    for place in range(8 * len(signature)):
        changed = bytearray(signature)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(NotSigned):
            check_signed(data, encoded(bytes(changed)).encode(), [public])


def test_there_is_no_way_back_to_an_older_version() -> None:
    found = read(version="0.10.0")
    check_not_older(found, "0.9.0", "")
    check_not_older(found, "0.10.0", "0.10.0")
    for running, seen in (("0.10.1", ""), ("0.9.0", "0.11.0"), ("1.0.0", "0.2.0")):
        with pytest.raises(TooOld):
            check_not_older(found, running, seen)


# --- what an installation says --------------------------------------------------------------------

KEY = encoded(bytes(32))


def installed(folder: Path, updates: Any, **about: Any) -> Installed:
    text = json.dumps({"version": "0.1.0", "system": "linux", "updates": updates} | about)
    (folder / "version.json").write_text(text, encoding="utf-8")
    return Installed(folder=folder)


def test_an_installation_names_its_feed(tmp_path: Path) -> None:
    found = source_of(installed(tmp_path, {"url": "https://example.org/a/", "keys": [KEY]}))
    assert found is not None
    assert (found.url, found.keys, found.host) == ("https://example.org/a", (KEY,), "example.org")
    assert (found.running, found.system) == ("0.1.0", "linux")


def test_a_source_checkout_has_no_feed() -> None:
    assert source_of(None) is None


@pytest.mark.parametrize(
    "updates",
    [
        None, {}, [], "https://example.org", {"url": "https://example.org"}, {"keys": [KEY]},
        {"url": "https://example.org", "keys": []}, {"url": "https://example.org", "keys": ["x"]},
        {"url": "http://example.org", "keys": [KEY]}, {"url": "file:///etc", "keys": [KEY]},
        {"url": "https://example.org", "keys": [KEY] * 9}, {"url": 1, "keys": [KEY]},
        {"url": "https://me:secret@example.org", "keys": [KEY]},
    ],
)  # fmt: skip
def test_one_without_a_sound_feed_has_none(tmp_path: Path, updates: Any) -> None:
    assert source_of(installed(tmp_path, updates)) is None


def test_one_of_a_strange_version_has_none(tmp_path: Path) -> None:
    good = {"url": "https://example.org", "keys": [KEY]}
    assert source_of(installed(tmp_path, good)) is not None
    assert source_of(installed(tmp_path, good, version="0.1")) is None
    assert source_of(installed(tmp_path, good, system="beos")) is None
    (tmp_path / "version.json").write_bytes(b"\xff{")
    assert source_of(Installed(folder=tmp_path)) is None


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://example.org/x", True), ("http://127.0.0.1:8/x", True), ("http://[::1]:8", True),
        ("http://localhost/x", True), ("http://example.org", False), ("http://10.0.0.1", False),
        ("http://localhost.example.org", False), ("http://127.0.0.1.example.org", False),
        ("ftp://example.org", False), ("https://", False), ("", False), ("https://x:0", False),
        ("https://[::1", False), ("https://x/?version=1", False), ("HTTPS://example.org", True),
    ],
)  # fmt: skip
def test_addresses_are_encrypted_or_of_this_pc(url: str, is_one: bool) -> None:
    assert is_address(url) is is_one


# --- what is remembered ---------------------------------------------------------------------------


def test_what_is_remembered_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "updates.json"
    assert read_memory(path) == Memory()
    kept = Memory(newest="0.3.0", wanted="0.3.0", skipped="0.2.0", looked=1_790_000_000.5)
    write_memory(path, kept)
    assert read_memory(path) == kept


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "null", '{"newest": "../x", "wanted": 1, "looked": "now"}',
        '{"looked": -1}', '{"looked": NaN}', '{"looked": 1e400}', '{"newest": ["0.1.0"]}',
    ],
)  # fmt: skip
def test_a_damaged_memory_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "updates.json").write_text(text, encoding="utf-8")
    assert read_memory(tmp_path / "updates.json") == Memory()
