"""Every change is kept, on the disk or beside it, and older files come in once."""

from __future__ import annotations

import gc
import json

import pytest

from app.state.conversation import Message
from app.state.history import imports as history_import
from app.state.history.faults import Fault, HistoryError, fault_error
from app.state.history.history import History
from app.state.history.keeper import FILE, Change, Keeper
from app.state.unsent import Unsent
from engine.messages import FinishReason, Role


class Told:
    """Everything that keepers said."""

    def __init__(self):
        self.failed, self.noticed, self.recovered = [], [], 0

    def recover(self):
        self.recovered += 1


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def start(tmp_path, told):
    started = []

    def start_one():
        keeper = Keeper(tmp_path, told.failed.append, told.recover, told.noticed.append)
        started.append(keeper)
        return keeper

    yield start_one
    for keeper in started:
        keeper._history.close()


def saying(text, chat="chat", message="q"):
    asked = Message(id=message, parent=None, role=Role.USER, text=text)
    return Change(chat_id=chat, apply=lambda history: history.save(chat, [asked], message))


def said(keeper, chat="chat"):
    return [each.text for each in keeper.load(chat).conversation.messages.values()]


@pytest.fixture
def failing(monkeypatch):
    """While it holds a fault, every save of a file fails with it."""
    faults = []
    save = History.save

    def maybe(self, *arguments):
        if faults and self._path is not None:
            raise fault_error(faults[0], self._path)
        save(self, *arguments)

    monkeypatch.setattr(History, "save", maybe)
    return faults


def test_what_cannot_be_written_is_kept_shown_and_written_with_the_next(start, told, failing):
    keeper = start()
    assert keeper.write(saying("first"))
    failing.append(Fault.FULL)
    assert not keeper.write(saying("second", message="r"))
    assert not keeper.write(saying("new", chat="other", message="s"))
    assert [error.fault for error in told.failed] == [Fault.FULL]  # said once
    assert said(keeper) == ["first", "second"]
    assert said(keeper, "other") == ["new"]
    failing.clear()
    assert keeper.write(Change(chat_id="chat", apply=lambda history: history.rename("chat", "T")))
    assert told.recovered == 1
    assert keeper.close()
    again = start()
    assert (said(again), said(again, "other")) == (["first", "second"], ["new"])


def test_what_cannot_be_written_until_the_end_comes_in_at_the_next_start(start, failing, tmp_path):
    keeper = start()
    keeper.write(saying("first"))
    failing.append(Fault.FULL)
    keeper.write(saying("second", message="r"))
    unsent = Unsent(typed="half")
    keeper.write(Change(chat_id="chat", apply=lambda history: history.save_unsent("chat", unsent)))
    assert keeper.close()
    failing.clear()
    again = start()
    assert said(again) == ["first", "second"]
    assert again.load("chat").unsent == unsent
    assert not [each for each in tmp_path.glob("*unsaved*") if "imported" not in each.name]


def test_a_change_that_can_never_be_written_does_not_hold_up_the_others(start, told):
    keeper = start()
    bad = Change(chat_id="chat", apply=lambda history: history.save("chat", [], "nobody"))
    gone = Change(chat_id="chat", apply=lambda history: history.save_recording("nobody", b""))
    keeper.write(bad)
    keeper.write(gone)
    assert [error.fault for error in told.failed] == [Fault.GONE]
    assert keeper.write(saying("later"))
    assert said(keeper) == ["later"]


@pytest.mark.parametrize("fault", [Fault.LOCKED, Fault.NEWER, Fault.READ_ONLY])
def test_without_the_file_it_goes_on_apart_and_joins_later(start, told, monkeypatch, fault):
    before = start()
    before.write(saying("before"))
    assert before.close()

    def refuse(path):
        raise fault_error(fault, path)

    with monkeypatch.context() as patch:
        patch.setattr(
            "app.state.history.history.connect", lambda path: refuse(path) if path else plain(path)
        )
        keeper = start()
        assert keeper.write(saying("apart", chat="new", message="n"))
    assert [error.fault for error in told.failed] == [fault]
    assert "join" in told.failed[0].remedy
    keeper._history.close()  # killed, as it were: nothing is closed properly
    again = start()
    assert said(again) == ["before"]
    assert said(again, "new") == ["apart"]


def plain(path):
    from app.state.history.schema import connect

    return connect(path)


def test_with_nowhere_to_write_it_says_so_and_goes_on(start, told, monkeypatch, tmp_path):
    (tmp_path / FILE).mkdir()  # cannot be opened as a file

    def refuse(*_arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("app.state.history.keeper.write_unsaved", refuse)
    keeper = start()
    assert not keeper.write(saying("hello"))
    assert said(keeper) == ["hello"]
    assert "lost" in told.failed[0].remedy
    assert len(told.failed) == 1
    assert not keeper.close()


def test_damage_met_while_running_is_repaired_and_said(start, told, tmp_path):
    keeper = start()
    for number in range(200):
        keeper.write(saying("tea " * 300, message=f"m{number}"))
    assert keeper.close()
    keeper = start()
    with (tmp_path / FILE).open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * (size // 8))
    assert keeper.write(saying("after", message="after"))
    assert len(said(keeper)) > 50
    keeper.read(lambda history: history.search("tea"))
    assert said(keeper)[-1] == "after"
    assert len(told.noticed) == 1
    assert "damaged" in told.noticed[0]
    assert keeper.close()


# --- older files ----------------------------------------------------------------------------------

OLD = [
    {"role": "user", "text": "hi"},
    {"role": "model", "text": "hello", "thought": "hm", "reason": "end"},
    {"role": "user", "text": "more?"},
    {"role": "model", "text": "so f", "open": True},
]


def put(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def put_old_files(folder):
    put(folder / "conversation.json", OLD)
    put(folder / "conversation.earlier-20250101-000000.json", OLD[:2])
    put(folder / "conversation.earlier-20250202-000000.json", [*OLD[:2], *OLD[:2]])
    put(folder / "unsent.json", {"typed": "half", "pasted": "long"})


def check_old_chats(keeper):
    chats = keeper.read(lambda history: history.chats())
    assert [len(keeper.load(chat.id).conversation.path) for chat in chats] == [4, 4, 2]
    assert {chat.title for chat in chats} == {"hi"}
    newest = keeper.load(chats[0].id)
    assert newest.unsent == Unsent(typed="half", pasted="long")
    last = newest.conversation.path[-1]
    assert (last.text, last.is_open, last.reason) == ("so f", False, FinishReason.STOPPED)
    assert newest.conversation.path[1].thought == "hm"


def test_older_files_become_chats_and_are_kept(start, told, tmp_path):
    put_old_files(tmp_path)
    check_old_chats(start())
    assert told.noticed == told.failed == []
    names = sorted(each.name for each in tmp_path.glob("*.json"))
    assert len(names) == 4
    assert all(".imported-" in name for name in names)


@pytest.mark.parametrize("moment", range(9))
def test_killed_while_they_come_in_nothing_is_lost_or_doubled(start, tmp_path, monkeypatch, moment):
    put_old_files(tmp_path)
    left = [moment]

    class Killed(BaseException):
        pass

    def dying(function):
        def call(*arguments):
            if not left[0]:
                raise Killed
            left[0] -= 1
            return function(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(history_import, "set_aside", dying(history_import.set_aside))
        patch.setattr(History, "add", dying(History.add))
        try:
            start().close()
            was_killed = False
        except Killed:
            was_killed = True
    gc.collect()  # closes the file, as the end of a process does
    assert was_killed == (moment < 7)  # three chats and four files
    check_old_chats(start())
    assert all(".imported-" in each.name for each in tmp_path.glob("*.json"))


def test_what_was_typed_without_a_conversation_comes_in(start, tmp_path):
    put(tmp_path / "unsent.json", {"typed": "only this", "pasted": ""})
    put(tmp_path / "conversation.json", [])
    keeper = start()
    (chat,) = keeper.read(lambda history: history.chats())
    assert keeper.load(chat.id).unsent.typed == "only this"


@pytest.mark.parametrize(
    "garbage", [b"{", b"\xff\xfe", b"[" * 100_000, b"3", b'[{"role": "king"}]', b"[[]]",
                b'[{"role": "model", "text": "first"}]'],
)  # fmt: skip
def test_files_that_cannot_be_read_are_kept_and_said(start, told, tmp_path, garbage):
    names = [
        "conversation.json",
        "unsent.json",
        "conversation.earlier-1.json",
        "chats.unsaved-1.json",
    ]
    for name in names:
        (tmp_path / name).write_bytes(garbage)
    keeper = start()
    assert keeper.read(lambda history: history.chats()) == ()
    kept = list(tmp_path.glob("*.unreadable-*.json"))
    assert len(kept) == 4
    assert all(path.read_bytes() == garbage and path.name in told.noticed[0] for path in kept)
    assert keeper.close()
    start()
    assert len(told.noticed) == 1


def test_a_deleted_chat_is_gone_after_the_next_start(start):
    keeper = start()
    keeper.write(saying("hello"))
    keeper.write(Change(chat_id="chat", apply=lambda history: history.delete("chat")))
    keeper.close()
    again = start()
    assert again.read(lambda history: history.has("chat"))  # the list need not wait for it
    again.tidy()
    assert not again.read(lambda history: history.has("chat"))
    with pytest.raises(HistoryError):
        again.load("chat")
