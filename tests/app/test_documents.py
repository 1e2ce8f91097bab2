"""Documents: from files and back to the same bytes, and nothing typed is lost."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtGui import QTextCursor

from app.paths import ASSETS
from app.state.editor.changes import Change, Range, replay, units
from app.state.editor.documents import Documents
from app.state.editor.encoding import ENDINGS, SLICE, FileText, NotTextError, decode, encode
from app.state.editor.store import EditRecord, Store
from app.ui.editor.text_editor import plain_layout

KILLS = 6
WORDS = ("one", "zwei", "drei ", "日本", "😀", "", "tab\t", "x" * 30)


class World:
    """Documents over a folder, with what they have said."""

    def __init__(self, folder: Path) -> None:
        self.documents = Documents(folder, plain_layout)
        self.failures: list[str] = []
        self.said: list[str] = []
        self.from_disk: list[str] = []
        self.saves = 0
        self.documents.failed.connect(lambda error: self.failures.append(error.message))
        self.documents.noticed.connect(self.said.append)
        self.documents.disk_changed.connect(lambda each: self.from_disk.append(each.id))
        self.documents.saved.connect(self._on_saved)

    def _on_saved(self, _document) -> None:
        self.saves += 1


@pytest.fixture
def make(qapp, tmp_path):
    made: list[World] = []
    folder = tmp_path / "data"
    folder.mkdir()

    def make_one() -> World:
        made.append(World(folder))
        return made[-1]

    yield make_one
    for world in made:
        world.documents.close()


def opened(qtbot, world: World, path: Path):
    count = len(world.documents.all)
    world.documents.open(path)
    qtbot.waitUntil(lambda: len(world.documents.all) > count)
    document = world.documents.all[-1]
    qtbot.waitUntil(lambda: document.is_filled)
    return document


def saved(qtbot, world: World, document, path: Path | None = None) -> None:
    count = world.saves
    world.documents.save(document, path)
    qtbot.waitUntil(lambda: world.saves > count or bool(world.failures))


def type_at(document, at: int, text: str) -> None:
    cursor = QTextCursor(document.text_document)
    cursor.setPosition(at)
    cursor.insertText(text)


# --- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_any_text_comes_back_as_the_same_bytes(codec):
    rng = random.Random(codec)
    for _ in range(60):
        words = ("caf\xe9", "plain", "") if codec == "latin-1" else WORDS
        parts = [
            rng.choice(words) + rng.choice((*ENDINGS[:3], "\n", "\n"))
            for _ in range(rng.randrange(1, 30))
        ]
        text = "".join(parts) + rng.choice(("", "end"))
        data = text.encode(codec)
        file = decode(data)
        assert encode(file.text, file) == (data, False)
        assert not set(file.text) & {"\r", "\u2029"}


def test_a_long_text_is_cut_in_no_ending():
    """Against one search through all of it."""
    for before in range(SLICE - 3, SLICE + 3):
        text = "a" * before + "\r\n" + "b" * SLICE + "\r\r\n\n" + "c" * (SLICE - 5) + "\r\n\r\n"
        found = decode(text.encode())
        assert found.text == re.sub("\r\n|\r", "\n", text)
        assert [ENDINGS[int(digit)] for digit in found.mixed] == re.findall("\r\n|\r|\n", text)
        assert encode(found.text, found) == (text.encode(), False)


def test_untouched_lines_keep_their_endings():
    """Against a list of lines that are edited one by one."""
    rng = random.Random(5)
    for _ in range(200):
        lines = [
            (f"line {i} {rng.randrange(9)}", rng.choice(("\n", "\r\n", "\r")))
            for i in range(rng.randrange(2, 20))
        ]
        data = "".join(a + b for a, b in lines).encode()
        file = decode(data)
        texts = file.text.split("\n")
        at = rng.randrange(len(lines))
        if rng.random() < 0.5:
            texts[at] = f"another {at}"
            lines[at] = (f"another {at}", lines[at][1])
        else:
            del texts[at], lines[at]
        expected = "".join(a + b for a, b in lines).encode()
        assert encode("\n".join(texts), file)[0] == expected


def test_a_new_line_ends_as_most_lines_do():
    file = decode(b"a\r\nb\r\nc\n")
    assert encode("a\nnew\nb\nc\n", file)[0] == b"a\r\nnew\r\nb\r\nc\n"


@pytest.mark.parametrize(
    "data", [b"\x00\x01\x02", b"\x89PNG\r\n\x1a\n\x00", bytes(range(256)), b"\xff\xfea"]
)
def test_what_is_no_text_is_refused(data):
    with pytest.raises(NotTextError):
        decode(data)


def test_a_letter_that_the_encoding_lacks_makes_it_utf_8():
    file = decode("caf\xe9".encode("latin-1"))
    assert file.codec == "latin-1"
    assert encode("caf\xe9 日本", file) == ("caf\xe9 日本".encode(), True)


# --- changes --------------------------------------------------------------------------------------


def random_edit(document, rng: random.Random) -> None:
    starts = [units(document.text[:i]) for i in range(len(document.text) + 1)]
    cursor = QTextCursor(document.text_document)
    choice = rng.random()
    if choice < 0.15:
        document.text_document.undo()
    elif choice < 0.25:
        document.text_document.redo()
    else:
        a, b = sorted(rng.choice(starts) for _ in range(2))
        b = min(b, a + 8)
        cursor.setPosition(a)
        cursor.setPosition(b if b in starts else a, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText("".join(rng.choice("xy\n😀 ") for _ in range(rng.randrange(5))))


def test_the_changes_a_document_tells_lead_to_its_text(make):
    world = make()
    for seed in range(25):
        rng = random.Random(seed)
        start = "".join(rng.choice("ab\n é😀") for _ in range(rng.randrange(60)))
        document = world.documents.new(start)
        changes: list[Change] = []
        document.edited.connect(changes.append)
        for _ in range(30):
            random_edit(document, rng)
            assert replay(start, changes) == document.text


def test_a_range_moves_with_its_text():
    """Against marks that stand in a plain string."""
    rng = random.Random(3)
    moved = 0
    for _ in range(3000):
        text = "".join(rng.choice("abcdef") for _ in range(12))
        start, end = sorted(rng.randrange(13) for _ in range(2))
        at = rng.randrange(13)
        removed = rng.randrange(13 - at)
        added = "X" * rng.randrange(4)
        after = Range(start=start, end=end).after(Change(at=at, removed=removed, added=added))
        is_inside = at < end and at + removed > start
        assert (after is None) == is_inside
        if after is not None:
            changed = text[:at] + added + text[at + removed :]
            assert changed[after.start : after.end] == text[start:end]
            moved += after.start != start
    assert moved > 100


# --- files ----------------------------------------------------------------------------------------


def test_a_file_is_opened_edited_and_saved(qtbot, make, tmp_path):
    path = tmp_path / "Ünï.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\nthree\r\n")
    world = make()
    document = opened(qtbot, world, path)
    assert document.text == "one\ntwo\nthree\n"
    assert not document.is_modified
    type_at(document, 3, "!")
    assert document.is_modified
    saved(qtbot, world, document)
    assert path.read_bytes() == b"\xef\xbb\xbfone!\r\ntwo\nthree\r\n"
    assert not document.is_modified
    document.text_document.undo()
    assert document.is_modified
    assert world.failures == []


def test_a_long_file_comes_in_slices_and_is_whole(qtbot, make, tmp_path):
    text = "".join(f"line {i} 😀\n" for i in range(30_000))
    path = tmp_path / "long.txt"
    path.write_text(text, encoding="utf-8")
    world = make()
    document = opened(qtbot, world, path)
    assert document.text == text
    assert not document.is_modified
    assert not document.text_document.isUndoAvailable()


def test_what_cannot_be_opened_is_said_plainly(qtbot, make, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    world = make()
    for name in ("picture.png", "gone.txt", ""):
        world.documents.open(tmp_path / name)
    qtbot.waitUntil(lambda: len(world.failures) == 3)
    assert "holds no text" in world.failures[0]
    assert "not there any more" in world.failures[1]
    assert "is not a file" in world.failures[2]
    assert world.documents.all == ()


def test_a_read_only_file_can_be_saved_elsewhere(qtbot, make, tmp_path):
    path = tmp_path / "fixed.txt"
    path.write_bytes(b"fixed")
    path.chmod(0o444)
    world = make()
    document = opened(qtbot, world, path)
    assert not document.can_write
    type_at(document, 0, "not ")
    saved(qtbot, world, document)
    assert "may be read, but not changed" in world.failures[0]
    assert path.read_bytes() == b"fixed"
    assert document.is_modified
    other = tmp_path / "other.txt"
    saved(qtbot, world, document, other)
    qtbot.waitUntil(lambda: not document.is_modified)
    assert other.read_bytes() == b"not fixed"
    assert (document.path, document.name) == (other, "other.txt")


def test_permissions_and_links_stay(qtbot, make, tmp_path):
    path = tmp_path / "script.sh"
    path.write_bytes(b"echo\n")
    path.chmod(0o755)
    link = tmp_path / "link.sh"
    link.symlink_to(path)
    world = make()
    document = opened(qtbot, world, link)
    type_at(document, 4, " hi")
    saved(qtbot, world, document)
    assert link.is_symlink()
    assert path.read_bytes() == b"echo hi\n"
    assert path.stat().st_mode & 0o777 == 0o755
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", "link.sh", "script.sh"]


def test_another_program_changes_the_file(qtbot, make, tmp_path):
    path = tmp_path / "shared.txt"
    path.write_text("mine\nyours\n")
    world = make()
    document = opened(qtbot, world, path)
    path.write_text("mine\nyours, longer\n")
    qtbot.waitUntil(lambda: world.from_disk == [document.id])
    world.documents.reload(document)
    qtbot.waitUntil(lambda: document.text == "mine\nyours, longer\n")
    assert not document.is_modified
    document.text_document.undo()
    assert document.text == "mine\nyours\n"
    assert document.is_modified
    path.unlink()
    world.documents.look_at_all()
    qtbot.waitUntil(lambda: len(world.from_disk) == 2)
    saved(qtbot, world, document)
    assert path.read_text() == "mine\nyours\n"


def test_what_is_typed_while_it_is_being_saved_is_not_lost(qtbot, make, tmp_path):
    world = make()
    document = world.documents.new("first")
    world.documents.save(document, tmp_path / "a.txt")
    type_at(document, 5, " second")
    qtbot.waitUntil(lambda: world.saves == 1)
    assert (tmp_path / "a.txt").read_text() == "first"
    assert document.is_modified
    document.text_document.undo()
    assert document.is_modified  # the file may not be thought the same as something older
    document.text_document.redo()
    world.documents.close()
    again = make()
    again.documents.start(30)
    qtbot.waitUntil(lambda: len(again.documents.all) == 1)
    assert again.documents.all[0].text == "first second"
    assert again.documents.all[0].path == tmp_path / "a.txt"


def test_a_file_that_is_open_is_not_overwritten_by_another_tab(qtbot, make, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a")
    world = make()
    opened(qtbot, world, path)
    saved(qtbot, world, world.documents.new("b"), path)
    assert "open in another tab" in world.failures[0]
    assert path.read_text() == "a"


def test_a_long_text_is_saved_while_one_types_on(qtbot, make, tmp_path):
    """It is read in slices: what is in the file is the text of one moment."""
    world = make()
    text = "".join(f"line {i} 😀\n" for i in range(250_000))
    path = tmp_path / "long.txt"
    path.write_text(text, encoding="utf-8")
    document = opened(qtbot, world, path)
    type_at(document, 0, "first ")
    world.documents.save(document)
    assert path.read_text(encoding="utf-8") == text  # still being read
    type_at(document, 6, "second ")
    qtbot.waitUntil(lambda: world.saves == 1)
    assert path.read_text(encoding="utf-8") == "first second " + text
    assert not document.is_modified
    type_at(document, 0, "last ")
    world.documents.save(document)
    world.documents.close()  # at once, in the middle of it
    assert path.read_text(encoding="utf-8") == "last first second " + text


# --- unsaved text ---------------------------------------------------------------------------------


def test_unsaved_text_is_there_again_and_undoing_to_the_file_forgets_it(qtbot, make, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\r\nb\n")
    world = make()
    document = opened(qtbot, world, path)
    type_at(document, 1, " 😀")
    scrap = world.documents.new()
    type_at(scrap, 0, "scrap")
    other = world.documents.new()
    type_at(other, 0, "typed and undone")
    other.text_document.undo()
    world.documents.close()

    again = make()
    again.documents.start(30)
    qtbot.waitUntil(lambda: len(again.documents.all) == 2)
    first, second = again.documents.all
    assert (first.text, first.path, first.is_modified) == ("a 😀\nb\n", path, True)
    assert (second.text, second.path) == ("scrap", None)
    assert again.said == ["What you had not saved is here again."]
    saved(qtbot, again, first)
    assert path.read_bytes() == "a 😀\r\nb\n".encode()
    again.documents.remove(second)
    again.documents.close()
    third = make()
    third.documents.start(30)
    qtbot.wait(100)
    assert third.documents.all == ()


def test_very_many_changes_are_taken_together(qtbot, make, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\r\nb\n")
    world = make()
    document = opened(qtbot, world, path)
    for number in range(2_300):
        type_at(document, 1, chr(ord("a") + number % 26))
        if number % 100 == 0:
            world.documents.flush()
            qtbot.wait(1)
    expected = document.text
    world.documents.close()
    store = Store(tmp_path / "data")
    (count,) = store._db.execute("SELECT count(*) FROM changes").fetchone()
    assert count < 2_000
    (draft,) = store.drafts()
    assert draft.text == expected
    assert draft.file.text == "a\nb\n"  # what the file has, with its endings
    assert draft.file.mixed == "10"
    store.close()


def test_old_recordings_go(qtbot, make, tmp_path):
    store = Store(tmp_path / "data")
    for age in (40, 20):
        edit = EditRecord(
            document="a", made=time.time() - 86_400 * age, kind="infill", seed=age,
            instruction="", before=("a",), after=("b",),
        )  # fmt: skip
        store.add_edit(edit, b"film")
    store.close()
    world = make()
    world.documents.start(30)
    world.documents.close()
    store = Store(tmp_path / "data")
    assert [(each.seed, each.has_recording) for each in store.edits("a")] == [
        (20, True),
        (40, False),
    ]
    store.close()


def test_a_disk_that_fails_is_told_and_tried_again(qtbot, make, monkeypatch):
    world = make()
    document = world.documents.new()
    is_full = threading.Event()
    is_full.set()
    append = Store.append

    def failing(self, *arguments):
        if is_full.is_set():
            raise OSError(28, "No space left on device")
        append(self, *arguments)

    monkeypatch.setattr(Store, "append", failing)
    type_at(document, 0, "first ")
    world.documents.flush()
    qtbot.waitUntil(lambda: bool(world.failures))
    is_full.clear()
    type_at(document, 6, "second")
    world.documents.close()
    again = make()
    again.documents.start(30)
    qtbot.waitUntil(lambda: len(again.documents.all) == 1)
    assert again.documents.all[0].text == "first second"
    assert len(world.failures) == 1


def test_a_damaged_file_of_the_journal_is_set_aside(qtbot, make, tmp_path):
    (tmp_path / "data" / "documents.sqlite").write_bytes(b"no database at all" * 100)
    world = make()
    type_at(world.documents.new(), 0, "kept")
    world.documents.close()
    again = make()
    again.documents.start(30)
    qtbot.waitUntil(lambda: len(again.documents.all) == 1)
    assert len(list((tmp_path / "data").glob("*damaged*"))) == 1


def test_edits_are_remembered_and_follow_a_text_into_its_file(qtbot, make, tmp_path):
    world = make()
    document = world.documents.new("text")
    for number in range(3):
        world.documents.edit_log.add(
            EditRecord(
                document=document.key, made=float(number), kind="infill", seed=number,
                instruction=f"no. {number}", before=("a", "b"), after=("c", "d"),
            ),
            None,
        )  # fmt: skip
    saved(qtbot, world, document, tmp_path / "a.txt")
    found = []
    world.documents.edit_log.of(document, found.append)
    qtbot.waitUntil(lambda: bool(found))
    assert [each.instruction for each in found[0]] == ["no. 2", "no. 1", "no. 0"]
    assert found[0][0].after == ("c", "d")
    assert not found[0][0].has_recording


def kill_once(folder: Path, run: int, delay: float) -> list[tuple[str, str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.app.editor_kill", str(folder), str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ASSETS.parent,
        env=os.environ | {"QT_LOGGING_RULES": "*=false"},
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        timer = threading.Timer(delay, writer.send_signal, [signal.SIGKILL])
        timer.start()
        lines = (first + writer.stdout.read()).decode().split("\n")[:-1]
        timer.join()
    rows = [line.split(" ") for line in lines]
    return [(draft, bytes.fromhex(text).decode()) for draft, text in rows]


def test_a_kill_loses_nothing_that_was_kept(tmp_path):
    rng = random.Random(9)
    last: dict[str, str] = {}
    for run in range(KILLS):
        confirmed = kill_once(tmp_path, run, rng.random() * 0.15)
        assert confirmed
        store = Store(tmp_path)
        kept = {draft.id: draft.text for draft in store.drafts()}
        store.close()
        for draft, text in last.items():
            assert kept[draft] == text
        # the last text that was confirmed is there, or one that was typed later and kept, too
        draft, text = confirmed[-1]
        earlier = {each for _, each in confirmed[:-1]} - {text}
        assert kept[draft]
        assert kept[draft] not in earlier
        last |= kept


def test_a_text_without_a_file_begins_empty():
    assert decode(b"") == FileText()
