"""Whatever happens to the file: nothing that was confirmed is lost unsaid, and the words are plain."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.paths import ASSETS
from app.state.conversation import Message, interrupted
from app.state.history.faults import Fault, HistoryError, fault_error, in_plain_words
from app.state.history.history import History
from app.state.history.schema import MIGRATIONS
from engine.messages import Role

HOLDER = """
import sys
from pathlib import Path
from app.state.history.history import History
history = History.open(Path(sys.argv[1]))
history.create("theirs", "Theirs")
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chats.sqlite"


def fill(path, chats=6, messages=60):
    """Chats of one branch each, with texts long enough to fill many pages."""
    history = History.open(path)
    for chat in range(chats):
        parent, saved = None, []
        for number in range(messages):
            role = Role.MODEL if number % 2 else Role.USER
            text = f"message {chat}.{number} " + "tea " * 60
            saved.append(Message(id=f"{chat}.{number}", parent=parent, role=role, text=text))
            parent = saved[-1].id
        history.save(f"chat {chat}", saved, parent)
        history.save_recording(parent, b"film" * 100)
    history.close()


def texts(history):
    """Message ids with their texts, of all chats; every branch can be walked."""
    found = {}
    for chat in history.chats():
        conversation = history.load(chat.id).conversation
        assert conversation.path or not conversation.messages
        found |= {each.id: each.text for each in conversation.messages.values()}
    return found


def is_sound(path):
    with sqlite3.connect(path) as raw:
        (check,) = raw.execute("PRAGMA integrity_check").fetchone()
    raw.close()
    return check == "ok"


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"hello", b"\0" * 5000, b"SQLite format 3\0" + b"x" * 9000])
def test_a_file_that_is_no_database_is_set_aside_and_said(path, garbage):
    path.write_bytes(garbage)
    history = History.open(path)
    (kept,) = path.parent.glob("chats.damaged-*.sqlite")
    assert kept.read_bytes() == garbage
    assert kept.name in history.notice
    history.create("new")
    history.close()
    again = History.open(path)
    assert (again.notice, [chat.id for chat in again.chats()]) == ("", ["new"])
    again.close()


def test_an_empty_file_is_a_new_history(path):
    path.touch()
    history = History.open(path)
    assert (history.chats(), history.notice) == ((), "")
    history.close()


def test_somebody_elses_database_is_set_aside_whole(path):
    with sqlite3.connect(path) as other:
        other.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1); PRAGMA user_version = 4")
    other.close()
    History.open(path).close()
    (kept,) = path.parent.glob("chats.damaged-*.sqlite")
    with sqlite3.connect(kept) as other:
        assert other.execute("SELECT a FROM t").fetchall() == [(1,)]
    other.close()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_off_gives_back_what_is_left_of_it(path, share):
    fill(path)
    whole = History.open(path)
    before = texts(whole)
    whole.close()
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * share) // 4096 * 4096)
    left = path.read_bytes()
    history = History.open(path)
    after = texts(history)
    history.close()
    written = {key for key in before if before[key].encode() in left}  # titles are shorter
    assert len(written) > 20
    assert {key: after.get(key) for key in written} == {key: before[key] for key in written}
    assert is_sound(path)


def pages(path, where):
    """Numbers of pages by what is on them, as SQLite itself says."""
    with sqlite3.connect(path) as raw:
        rows = raw.execute(f"SELECT pageno, ncell FROM dbstat WHERE {where}").fetchall()
    raw.close()
    return rows


def damage(path, page):
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(random.Random(page).randbytes(4096))


def repaired(path):
    """As the app does it: on opening, or when a damage is met."""
    history = History.open(path)
    try:
        texts(history)
        history.search("tea")
    except HistoryError as error:
        if error.fault is not Fault.DAMAGED:
            raise
        history.close()
        history = History.repair(path)
    return history


@pytest.mark.parametrize("turn", range(4))
def test_a_damaged_page_of_messages_costs_no_more_than_its_messages(path, turn):
    fill(path)
    whole = History.open(path)
    before = texts(whole)
    whole.close()
    page, cells = random.Random(turn).choice(pages(path, "name = 'messages' AND pagetype = 'leaf'"))
    damage(path, page)
    history = repaired(path)
    after = texts(history)
    kept = {key for key in before if after.get(key) == before[key]}
    assert len(before) - cells <= len(kept) < len(before)
    for key in set(before) - kept:  # in its place is a note, and the branch goes on
        assert key not in after or "lost" in after[key]
    for chat in range(6):
        assert len(history.load(f"chat {chat}").conversation.path) >= 60 - cells
    assert history.search("message")
    assert str(len(after)) in history.notice
    history.close()
    assert is_sound(path)
    assert len(list(path.parent.glob("chats.damaged-*.sqlite"))) == 1


@pytest.mark.parametrize(
    "where",
    ["name = 'message_words_data' AND pagetype = 'leaf'", "name LIKE 'sqlite_autoindex_messages%'",
     "name = 'messages_by_chat'", "name = 'recordings'", "name = 'title_words_data'", "pageno = 1"],
)  # fmt: skip
def test_damage_outside_of_the_messages_costs_none(path, where):
    fill(path)
    whole = History.open(path)
    before = texts(whole)
    whole.close()
    for page, _cells in pages(path, where)[-2:]:
        damage(path, page)
    history = repaired(path)
    assert texts(history) == before
    history.close()


def test_chats_whose_row_is_lost_come_back_with_their_messages(path):
    fill(path)
    whole = History.open(path)
    before = texts(whole)
    whole.close()
    for page, _cells in pages(path, "name = 'chats'"):
        damage(path, page)
    history = repaired(path)
    assert texts(history) == before
    assert len(history.chats()) == 6
    assert all(chat.title.startswith("message") for chat in history.chats())
    assert len(history.load(history.chats()[0].id).conversation.path) == 60
    history.close()


def test_a_kill_while_the_file_is_replaced_loses_nothing(path):
    fill(path, chats=1)
    path.rename(path.with_name("chats.sqlite.salvaged"))
    history = History.open(path)
    assert len(texts(history)) == 60
    history.close()


# --- others ---------------------------------------------------------------------------------------


def test_a_file_that_another_process_has_is_told_and_free_when_it_is_killed(path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ASSETS.parent,
    ) as holder:  # fmt: skip
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(HistoryError) as told:
            History.open(path)
        assert told.value.fault is Fault.LOCKED
        holder.kill()
    history = History.open(path)
    assert [chat.id for chat in history.chats()] == ["theirs"]
    history.close()


def test_a_newer_file_is_not_touched(path):
    fill(path, chats=1)
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError) as told:
        History.open(path)
    assert told.value.fault is Fault.NEWER
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@contextmanager
def unprivileged():
    """Root may write everywhere; the tests may run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("what", ["file", "folder", "new"])
def test_what_may_not_be_written_is_told(what):
    folder = Path(tempfile.mkdtemp())
    path = folder / "chats.sqlite"
    try:
        if what != "new":
            fill(path, chats=1)
            path.chmod(0o444)
        folder.chmod(0o777 if what == "file" else 0o555)
        with unprivileged(), pytest.raises(HistoryError) as told:
            History.open(path)
        assert told.value.fault is Fault.READ_ONLY
        assert str(folder) in told.value.message
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def full_disk(history, path, how):
    """Lets no file grow, as a full disk does."""
    if how == "pages":
        (count,) = history._db.execute("PRAGMA page_count").fetchone()
        history._db.execute(f"PRAGMA max_page_count = {count}")
        yield
        history._db.execute("PRAGMA max_page_count = 1000000")
        return
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize(("how", "fault"), [("pages", Fault.FULL), ("limit", Fault.DISK)])
def test_a_full_disk_is_told_and_written_to_again_when_there_is_room(path, how, fault):
    history = History.open(path)
    first = Message(id="first", parent=None, role=Role.USER, text="first")
    long = Message(id="long", parent="first", role=Role.MODEL, text="long " * 100_000)
    history.save("chat", [first], "first")
    with full_disk(history, path, how):
        for _ in range(3):
            with pytest.raises(HistoryError) as told:
                history.save("chat", [long], "long")
            assert told.value.fault is fault
        assert history.load("chat").conversation.path == (first,)
    history.save("chat", [long], "long")
    history.close()
    assert is_sound(path)
    again = History.open(path)
    assert again.load("chat").conversation.path == (first, long)
    again.close()


def test_a_disk_that_is_full_at_the_start_hides_nothing(path):
    history = History.open(path)
    first = Message(id="first", parent=None, role=Role.USER, text="first")
    answer = Message(id="a", parent="first", role=Role.MODEL, text="so far", is_open=True)
    history.save("chat", [first, answer], "a")
    history.close()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, old[1]))
    try:
        history = History.open(path)
        found = history.load("chat").conversation.path
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert found == (first, interrupted(answer))
    history.save("chat", [found[1]], "a")
    assert history.load("chat").conversation.path == found
    history.close()


def test_the_disk_fills_up_while_a_damaged_file_is_repaired(path, monkeypatch):
    fill(path, chats=1)
    damage(path, pages(path, "name = 'messages' AND pagetype = 'leaf'")[1][0])
    before = path.read_bytes()

    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(HistoryError):
            History.repair(path)
    assert path.read_bytes() == before
    history = History.repair(path)
    assert len(texts(history)) > 30
    history.close()


def test_every_fault_says_what_to_do_and_our_own_mistakes_stay_mistakes():
    for fault in Fault:
        error = fault_error(fault, Path("/some/chats.sqlite"), "reason")
        assert error.message.endswith(".")
        assert error.remedy.endswith(".")
        assert "sqlite" not in error.message.lower()
    connection = sqlite3.connect(":memory:")
    for wrong in ("nonsense", "SELECT ?"):
        with pytest.raises(sqlite3.Error), in_plain_words(None):
            connection.execute(wrong)
    connection.close()
