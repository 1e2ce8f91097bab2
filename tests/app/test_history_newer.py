"""Somebody goes back to an older version of Redraft, and comes again: whatever was written is there.

The newer version is this one with one more change of the tables.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.paths import ASSETS
from app.state.conversation import Message
from app.state.editor import store as documents
from app.state.editor.changes import Change
from app.state.editor.encoding import FileText
from app.state.editor.store import EditRecord, Store
from app.state.history import copies, schema
from app.state.history.copies import copy_of
from app.state.history.faults import Fault, HistoryError
from app.state.history.history import History
from app.state.history.keeper import Change as Writing
from app.state.history.keeper import Keeper
from engine.messages import Role

# As the next change may well be: an old version could neither read nor write the messages.
CHANGE = "ALTER TABLE messages RENAME COLUMN text TO words; ALTER TABLE messages RENAME COLUMN words TO text;"
CHANGE += "ALTER TABLE chats ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"
DOCUMENTS = "ALTER TABLE drafts ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"


@contextmanager
def newer(count: int = 1):
    """The version of Redraft after this one, or one still later."""
    with pytest.MonkeyPatch.context() as patch:
        more = tuple(CHANGE.replace("colour", f"colour{each}") for each in range(count))
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, *more))
        drafts = tuple(DOCUMENTS.replace("colour", f"colour{each}") for each in range(count))
        patch.setattr(documents, "MIGRATIONS", (*documents.MIGRATIONS, *drafts))
        yield


@pytest.fixture
def start(tmp_path: Path):
    """Opens the history as a start does; what it tells is kept."""
    told = SimpleNamespace(failed=[], noticed=[])
    opened: list[Keeper] = []

    def open_one() -> Keeper:
        told.failed.clear()
        told.noticed.clear()
        opened.append(
            Keeper(
                tmp_path,
                failed=told.failed.append,
                recovered=lambda: None,
                noticed=told.noticed.append,
            )
        )
        return opened[-1]

    open_one.told = told
    return open_one


def say(keeper: Keeper, *texts: str, chat: str = "tea", after: str | None = None) -> None:
    """Each text follows the one before; its id is the text itself."""
    for text in texts:
        known = (
            keeper.load(chat).conversation.messages if keeper.read(lambda h: h.has(chat)) else {}
        )
        role = Role.MODEL if after and known[after].role is Role.USER else Role.USER
        message = Message(id=text, parent=after, role=role, text=text)

        def save(history: History, message: Message = message) -> None:
            history.save(chat, [message], message.id)

        assert keeper.write(Writing(chat_id=chat, apply=save))
        after = text


def shown(keeper: Keeper, chat: str = "tea") -> list[str]:
    """The branch that is shown, from its beginning."""
    conversation = keeper.load(chat).conversation
    path, place = [], conversation.leaf
    while place is not None:
        path.append(place)
        place = conversation.messages[place].parent
    return path[::-1]


def everything(keeper: Keeper) -> set[str]:
    chats = keeper.read(lambda history: history.chats())
    return {text for chat in chats for text in keeper.load(chat.id).conversation.messages}


def film(keeper: Keeper, message: str, data: bytes | None = None) -> bytes | None:
    if data is not None:
        keeper.write(
            Writing(chat_id="tea", apply=lambda history: history.save_recording(message, data))
        )
    return keeper.read(lambda history: history.recording(message))


def test_who_goes_back_finds_the_chats_as_they_were_and_later_all_of_it(start, tmp_path):
    first = start()
    say(first, "one", "two")
    say(first, "alone", chat="other")
    assert first.close()
    with newer():
        second = start()
        assert everything(second) == {"one", "two", "alone"}
        say(second, "three", "four", after="two")
        film(second, "four", b"film")
        say(second, "new", chat="new")
        assert second.close()
    older = start()  # somebody went back
    assert not start.told.failed
    assert "kept" in start.told.noticed[0]
    assert everything(older) == {"one", "two", "alone"}
    say(older, "five", after="alone", chat="other")
    assert older.close()
    again = start()  # tells it once
    assert not start.told.noticed
    assert again.close()
    with newer():
        last = start()
        assert not start.told.failed + start.told.noticed
        whole = {"one", "two", "three", "four", "alone", "new", "five"}
        assert everything(last) == whole
        assert shown(last) == ["one", "two", "three", "four"]
        assert shown(last, "other") == ["alone", "five"]
        assert film(last, "four") == b"film"
        assert [hit.chat_id for hit in last.read(lambda h: h.search("three"))] == ["tea"]
        assert last.close()
        assert everything(start()) == whole
    assert not list(tmp_path.glob("chats.unsaved*"))


def test_who_writes_on_in_the_older_version_sees_that_first(start):
    first = start()
    say(first, "one", "two")
    assert first.close()
    with newer():
        second = start()
        say(second, "three", after="two")
        assert second.close()
    older = start()
    say(older, "another three", after="two")
    assert older.close()
    with newer():
        last = start()
        assert shown(last) == ["one", "two", "another three"]
        assert everything(last) == {"one", "two", "three", "another three"}


def test_a_version_later_still_brings_it_all_in(start):
    first = start()
    say(first, "one")
    assert first.close()
    with newer():
        second = start()
        say(second, "two", after="one")
        assert second.close()
    older = start()
    say(older, "apart", chat="other")
    assert older.close()
    with newer(2):
        last = start()
        assert everything(last) == {"one", "two", "apart"}


def test_without_a_copy_the_file_is_not_touched(start, tmp_path):
    with newer():
        only = start()
        say(only, "one")
        assert only.close()
    before = (tmp_path / "chats.sqlite").read_bytes()
    older = start()
    assert [error.fault for error in start.told.failed] == [Fault.NEWER]
    say(older, "apart", chat="other")
    assert older.close()
    assert (tmp_path / "chats.sqlite").read_bytes() == before
    with newer():
        assert everything(start()) == {"one", "apart"}


def test_without_room_for_a_copy_nothing_is_changed(start, tmp_path, monkeypatch):
    first = start()
    say(first, "one")
    assert first.close()
    before = (tmp_path / "chats.sqlite").read_bytes()
    with newer(), monkeypatch.context() as patch:
        patch.setattr(copies, "SPARE", 10**18)
        second = start()
        assert [error.fault for error in start.told.failed] == [Fault.FULL]
        say(second, "apart", chat="other")
        assert second.close()
    assert (tmp_path / "chats.sqlite").read_bytes() == before
    with newer():
        assert everything(start()) == {"one", "apart"}


def without_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made:
        made.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        made.execute(f"PRAGMA user_version = {schema.newest()}")


@pytest.mark.parametrize(
    "make", [lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(9_000)), without_tables]
)
def test_a_damaged_file_that_was_set_aside_is_kept_and_told(start, tmp_path, make):
    first = start()
    say(first, "one")
    assert first.close()
    make(tmp_path / "chats.newer-20260101-000000.sqlite")
    again = start()
    assert everything(again) == {"one"}
    assert "chats.newer-20260101-000000.unreadable-" in start.told.noticed[0]
    assert list(tmp_path.glob("chats.newer*unreadable*"))


STEPS = """
import sys
from pathlib import Path
from app.state.history import schema
from app.state.history.history import History
from app.state.history.imports import bring_in
data = Path(sys.argv[1])
if sys.argv[2] == "newer":
    schema.MIGRATIONS = (*schema.MIGRATIONS, sys.argv[3])
print(flush=True)
history = History.open(data / "chats.sqlite")
bring_in(history, data)
history.close()
"""


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_kill_while_it_goes_to_and_fro_loses_nothing(start, tmp_path):
    """The old and the new version by turns, killed at random moments."""
    first = start()
    texts = [f"message {number} " + "tea " * 500 for number in range(60)]
    say(first, *texts)
    assert first.close()
    change = CHANGE.replace("colour", "colour0")
    chance = random.Random(11)
    for turn in range(24):
        kind = "newer" if turn % 2 == 0 else "older"
        with subprocess.Popen(
            [sys.executable, "-c", STEPS, tmp_path, kind, change],
            cwd=ASSETS.parent, stdout=subprocess.PIPE,
        ) as running:  # fmt: skip
            assert running.stdout.readline() == b"\n"
            time.sleep(chance.uniform(0, 0.05))
            running.send_signal(signal.SIGKILL)
    older = start()
    assert not start.told.failed
    assert everything(older) == set(texts)
    assert older.close()
    with newer():
        assert everything(start()) == set(texts)


# --- documents ------------------------------------------------------------------------------------


def draft(store: Store, name: str, typed: str) -> None:
    store.begin(name, None, FileText(text=""))
    store.append(name, [Change(at=0, removed=0, added=typed)])


def drafts(store: Store) -> dict[str, str]:
    return {each.id: each.text for each in store.drafts()}


def test_unsaved_texts_come_back_as_well(tmp_path):
    with closing(Store(tmp_path)) as first:
        draft(first, "a", "typed first")
    with newer(), closing(Store(tmp_path)) as second:
        draft(second, "b", "typed in the newer version")
        second.add_edit(
            EditRecord(document="b", made=7.0, kind="rewrite", instruction="Shorter", seed=1,
                       before=("long",), after=("short",)),
            b"film",
        )  # fmt: skip
    with closing(Store(tmp_path)) as older:
        assert drafts(older) == {"a": "typed first"}
        draft(older, "c", "typed after going back")
    with newer():
        for _ in range(2):
            with closing(Store(tmp_path)) as last:
                assert drafts(last) == {
                    "a": "typed first",
                    "b": "typed in the newer version",
                    "c": "typed after going back",
                }
                (edit,) = last.edits("b")
                assert edit.after == ("short",)
                assert last.recording(edit.number) == b"film"


@pytest.mark.parametrize(
    "make", [lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(9_000)), without_tables]
)
def test_damaged_documents_that_were_set_aside_are_in_nobodys_way(tmp_path, make):
    aside = tmp_path / "documents.newer-20260101-000000.sqlite"
    make(aside)
    for _ in range(2):
        with closing(Store(tmp_path)) as store:
            draft(store, "a", "typed")
            assert drafts(store) == {"a": "typed"}
    assert aside.exists()


def test_documents_of_a_newer_version_without_a_copy_stay_untouched(tmp_path):
    with newer(), closing(Store(tmp_path)) as only:
        draft(only, "a", "typed")
    with pytest.raises(HistoryError) as told:
        Store(tmp_path)
    assert told.value.fault is Fault.NEWER
    with newer(), closing(Store(tmp_path)) as again:
        assert drafts(again) == {"a": "typed"}


def test_a_copy_is_whole_and_of_the_tables_before(start, tmp_path):
    first = start()
    say(first, "one", "two")
    assert first.close()
    with newer():
        assert start().close()
    with closing(sqlite3.connect(copy_of(tmp_path / "chats.sqlite", schema.newest()))) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("SELECT text FROM messages ORDER BY number").fetchall() == [
            ("one",),
            ("two",),
        ]
