"""The window asks and goes on; answers come back in order, on its own thread."""

from __future__ import annotations

import json
import struct
import threading

import pytest

from app.state.conversation import Message
from app.state.history.export import Format, chat_from_json
from app.state.history.faults import Fault, fault_error
from app.state.history.history import History
from app.state.history.keeper import FILE
from app.state.history.library import Library
from app.state.recording.codec import encode
from app.state.unsent import Unsent
from engine.messages import Channel, Frame, Recording, Role, TokenState

PATIENCE = 10.0  # seconds, for what takes milliseconds


@pytest.fixture
def start(qapp, tmp_path):
    libraries = []

    def start_one():
        library = Library(tmp_path)
        libraries.append(library)
        return library

    yield start_one
    for library in libraries:
        library.close(PATIENCE)
    assert "redraft-history" not in {thread.name for thread in threading.enumerate()}


def question(text="hi", message="q"):
    return Message(id=message, parent=None, role=Role.USER, text=text)


@pytest.fixture
def gate(monkeypatch):
    """Holds the history's thread at its first search until it is opened. Counts searches."""
    event = threading.Event()
    event.queries = []
    event.reached = threading.Event()
    search = History.search

    def held(self, query, limit):
        event.queries.append(query)
        event.reached.set()
        assert event.wait(PATIENCE)
        return search(self, query, limit)

    monkeypatch.setattr(History, "search", held)
    return event


def test_answers_come_in_order_on_the_gui_thread(qtbot, start):
    library = start()
    seen = []

    def note(name):
        return lambda *_answer: seen.append((name, threading.current_thread()))

    library.opened.connect(note("opened"))
    library.chats_changed.connect(note("chats"))
    library.save("chat", [question()], "q", note("saved"))  # before it is open
    library.load("chat", note("loaded"))
    library.search("hi", note("found"))
    library.start()
    qtbot.waitUntil(lambda: len(seen) >= 6)
    assert [name for name, _ in seen] == ["opened", "chats", "saved", "loaded", "found", "chats"]
    assert {thread for _, thread in seen} == {threading.main_thread()}


RUN = Recording(
    request_id=1,
    pieces=("Hi", " there"),
    frames=(
        Frame(
            canvas=0,
            step=1,
            indices=struct.pack("<2I", 0, 1),
            confidence=b"\xff\x00",
            states=bytes([TokenState.ACCEPTED, TokenState.NOISE]),
            channels=bytes([Channel.ANSWER] * 2),
        ),
    ),
)


def test_what_is_confirmed_is_on_the_disk_and_comes_back(qtbot, start, tmp_path):
    library = start()
    library.start()
    confirmed = []
    library.save("chat", [question("日本語")], "q", confirmed.append)
    library.save_unsent("chat", Unsent(typed="half"))
    library.save_settings("chat", {"seed": 3})
    library.save_recording("chat", "q", RUN, is_more=False)
    library.rename("chat", "Mine")
    library.create("other", "Other")
    library.delete("other")
    assert library.close(PATIENCE)
    assert confirmed == [True]
    history = History.open(tmp_path / FILE)
    chat = history.load("chat")
    assert [each.text for each in chat.conversation.path] == ["日本語"]
    assert (chat.unsent.typed, chat.settings, chat.summary.title) == ("half", {"seed": 3}, "Mine")
    assert history.recording("q") == encode(RUN)
    assert [each.id for each in history.chats()] == ["chat"]
    history.close()
    again = start()
    loaded, films = [], []
    again.start()
    again.load("chat", loaded.append)
    again.recording("q", films.append)
    qtbot.waitUntil(lambda: bool(films))
    assert loaded[0].conversation == chat.conversation
    assert films == [encode(RUN)]


def test_only_the_newest_search_is_made_and_answered(qtbot, start, gate):
    library = start()
    library.start()
    library.save("chat", [question("tea time")], "q")
    answers = []
    library.search("t", lambda hits: answers.append(("t", hits)))
    assert gate.reached.wait(PATIENCE)
    for query in ("te", "tea", "tea t", "tea ti"):
        library.search(query, lambda hits, query=query: answers.append((query, hits)))
    gate.set()
    qtbot.waitUntil(lambda: bool(answers))
    library.close(PATIENCE)
    assert [query for query, _ in answers] == ["tea ti"]
    assert {hit.message_id for hit in answers[0][1]} == {None, "q"}
    assert gate.queries == ["t", "tea ti"]


def test_a_search_that_was_stopped_is_not_answered(qtbot, start, gate):
    library = start()
    library.start()
    answers = []
    library.search("t", answers.append)
    assert gate.reached.wait(PATIENCE)
    library.stop_search()
    gate.set()
    loaded = []
    library.recording("q", loaded.append)
    qtbot.waitUntil(lambda: bool(loaded))
    assert answers == []


def test_the_list_is_told_when_it_changes_and_only_then(qtbot, start):
    library = start()
    lists, typed = [], []
    library.chats_changed.connect(lists.append)
    library.start()
    qtbot.waitUntil(lambda: len(lists) == 1)
    library.save("one", [question()], "q")
    qtbot.waitUntil(lambda: len(lists) == 2)
    library.create("two", "Two")
    qtbot.waitUntil(lambda: len(lists) == 3)
    library.save_unsent("one", Unsent(typed="x"))
    library.load("one", typed.append)
    qtbot.waitUntil(lambda: bool(typed))
    library.delete("one")
    qtbot.waitUntil(lambda: len(lists) == 4)
    library.restore("one")
    qtbot.waitUntil(lambda: len(lists) == 5)
    names = [[chat.title for chat in chats] for chats in lists]
    assert names == [[], ["hi"], ["Two", "hi"], ["Two"], ["Two", "hi"]]


def test_a_disk_that_refuses_is_told_and_asked_again(qtbot, start, monkeypatch):
    refuses = [True]
    save = History.save

    def maybe(self, *arguments):
        if refuses[0] and self._path is not None:
            raise fault_error(Fault.FULL)
        save(self, *arguments)

    monkeypatch.setattr(History, "save", maybe)
    library = start()
    library.start()
    confirmed, loaded = [], []
    with qtbot.waitSignal(library.failed) as told:
        library.save("chat", [question("kept")], "q", confirmed.append)
    assert told.args[0].fault is Fault.FULL
    library.load("chat", loaded.append)
    qtbot.waitUntil(lambda: bool(loaded))
    assert [each.text for each in loaded[0].conversation.path] == ["kept"]
    refuses[0] = False
    with qtbot.waitSignal(library.recovered):
        library.save("chat", [question("more", "r")], "r", confirmed.append)
    qtbot.waitUntil(lambda: confirmed == [False, True])


def test_two_windows_keep_what_both_wrote(qtbot, start, tmp_path):
    first, second = start(), start()
    with qtbot.waitSignal(first.opened):
        first.start()
    with qtbot.waitSignal(second.failed) as told:
        second.start()
    assert told.args[0].fault is Fault.LOCKED
    first.save("one", [question("from one", "q1")], "q1")
    second.save("two", [question("from two", "q2")], "q2")
    assert second.close(PATIENCE)
    assert first.close(PATIENCE)
    history = start()
    lists = []
    history.chats_changed.connect(lists.append)
    history.start()
    qtbot.waitUntil(lambda: bool(lists))
    assert {chat.title for chat in lists[0]} == {"from one", "from two"}


def test_an_unexpected_error_does_not_end_the_thread(qtbot, start, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(History, "recording", broken)
    library = start()
    library.start()
    answers = []
    with qtbot.waitSignal(library.failed):
        library.recording("q", answers.append)
    library.save("chat", [question()], "q", answers.append)
    qtbot.waitUntil(lambda: answers == [True])


def test_a_chat_is_exported(qtbot, start, tmp_path):
    library = start()
    library.start()
    library.save("chat", [question("hello")], "q")
    path, done, loaded = tmp_path / "chat.json", [], []
    library.export("chat", path, Format.JSON, lambda: done.append(True))
    library.load("chat", loaded.append)
    qtbot.waitUntil(lambda: bool(loaded))
    assert done == [True]
    assert chat_from_json(json.loads(path.read_bytes())) == loaded[0]
    with qtbot.waitSignal(library.failed) as told:
        library.export("chat", tmp_path, Format.MARKDOWN, lambda: done.append(False))
    assert tmp_path.name in told.args[0].message
    assert done == [True]


def test_close_is_quick_when_nothing_was_started_and_twice(start):
    library = start()
    assert not library.close()
    other = start()
    other.start()
    assert other.close(PATIENCE)
    assert other.close(PATIENCE)
    other.save("chat", [question()], "q")  # too late, and no error


def test_while_old_recordings_are_forgotten_the_rest_goes_on(qtbot, start, monkeypatch):
    library = start()
    slices, lists, loaded = [], [], []
    load = History.load

    def forget(self, before, after=0):
        slices.append(after)
        return after + 1 if after < 200 else None

    def load_and_note(self, chat_id):
        loaded.append(len(slices))
        return load(self, chat_id)

    monkeypatch.setattr(History, "forget_recordings", forget)
    monkeypatch.setattr(History, "load", load_and_note)
    library.chats_changed.connect(lists.append)
    library.forget_recordings(30)
    library.save("chat", [question()], "q")
    library.load("chat", lambda _chat: None)
    library.start()
    qtbot.waitUntil(lambda: len(slices) == 201)
    qtbot.waitUntil(lambda: [each.title for each in lists[-1]] == ["hi"])
    assert slices == list(range(201))
    assert loaded[0] < 200
