"""What was saved is there: whole, in order, as the tree that it was."""

from __future__ import annotations

import random
import sqlite3

import pytest

from app.state.conversation import Conversation, Message, interrupted, new_id
from app.state.history.copies import copy_of
from app.state.history.faults import Fault, HistoryError
from app.state.history.history import History
from app.state.history.rows import SavedChat
from app.state.history.schema import MIGRATIONS, connect
from app.state.unsent import Unsent
from engine.messages import EngineError, ErrorKind, FinishReason, Role
from tests.fakes import usage

ERROR = EngineError(kind=ErrorKind.INTERNAL, message="It broke.", remedy="Again.", detail="trace")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "Ünï 名前" / "chats.sqlite"


@pytest.fixture
def reopen(path):
    """Closes the history and opens it again, as the next start does."""
    path.parent.mkdir()
    opened = []

    def again(**more):
        if opened:
            opened.pop().close()
        opened.append(History.open(path, **more))
        return opened[0]

    yield again
    for history in opened:
        history.close()


def asked(text="hi", parent=None, **more):
    return Message(id=new_id(), parent=parent, role=Role.USER, text=text, **more)


def answered(parent, text="hello", **more):
    return Message(id=new_id(), parent=parent, role=Role.MODEL, text=text, **more)


def grown(seed, steps=40):
    """A conversation with variants of questions and answers at random places."""
    chooser = random.Random(seed)
    conversation = Conversation()
    for number in range(steps):
        places = [None, *(m.id for m in conversation.messages.values() if m.role is Role.MODEL)]
        open_questions = [m.id for m in conversation.messages.values() if m.role is Role.USER]
        if open_questions and chooser.random() < 0.6:
            message = answered(chooser.choice(open_questions), f"answer {number}")
        else:
            message = asked(f"question {number}", chooser.choice(places))
        conversation = conversation.with_message(message)
    return conversation.showing(chooser.choice(list(conversation.messages)))


def save(history, chat_id, conversation):
    history.save(chat_id, tuple(conversation.messages.values()), conversation.leaf)


def same(one, other):
    """Equal with the order of the messages, which plain equality of mappings does not look at."""
    return one == other and list(one.messages) == list(other.messages)


@pytest.mark.parametrize("seed", range(5))
def test_a_tree_comes_back_as_it_was(reopen, seed):
    conversation = grown(seed)
    save(reopen(), "chat", conversation)
    found = reopen().load("chat").conversation
    assert same(found, conversation)
    assert found.path == conversation.path
    some = random.Random(seed).choice(list(conversation.messages))
    assert found.variants(some) == conversation.variants(some)


def test_every_field_of_a_message_comes_back(reopen):
    question = asked("\u202e 日本語 \U0001f600 \0 end\r\n", created=12.5)
    answer = answered(
        question.id, "b", thought="hm", reason=FinishReason.END, usage=usage(), thought_seconds=3.25
    )
    failed = answered(question.id, "", error=ERROR)
    reopen().save("chat", (question, answer, failed), answer.id)
    found = reopen().load("chat").conversation
    assert tuple(found.messages.values()) == (question, answer, failed)
    assert found.leaf == answer.id


def test_saving_again_replaces_a_message_in_its_place(reopen):
    history = reopen()
    conversation = grown(9)
    for message in conversation.messages.values():
        history.save("chat", [message], message.id)
    first = next(iter(conversation.messages.values()))
    longer = Message(**{**vars(first), "text": "much longer"})
    history.save("chat", [longer], conversation.leaf)
    expected = conversation.with_message(longer)
    assert same(reopen().load("chat").conversation, expected)


def test_what_cannot_be_stored_as_it_is_is_stored_as_text(reopen):
    question = asked("a\ud800b \ud83d\ude00")
    reopen().save("chat", [question], question.id)
    assert reopen().load("chat").conversation.path[0].text == "a\ufffdb \U0001f600"


@pytest.mark.parametrize("messages", ["parent", "leaf", "other chat"])
def test_a_tree_that_does_not_hold_together_is_refused_whole(reopen, messages):
    history = reopen()
    elsewhere = asked("elsewhere")
    history.save("other", [elsewhere], elsewhere.id)
    good = asked("good")
    bad, leaf = {
        "parent": ([good, answered("nobody")], good.id),
        "leaf": ([good], "nobody"),
        "other chat": ([good, elsewhere], good.id),
    }[messages]
    with pytest.raises(ValueError, match="chat"):
        history.save("chat", bad, leaf)
    assert [chat.id for chat in history.chats()] == ["other"]
    history.save("chat", [good], good.id)
    assert history.load("chat").conversation.leaf == good.id


def test_an_answer_that_was_being_written_comes_back_as_interrupted(reopen):
    question = asked()
    answer = answered(question.id, "so far", is_open=True, thought="hm")
    history = reopen()
    history.save("chat", (question, answer), answer.id)
    assert history.load("chat").conversation.messages[answer.id].is_open  # it still is
    found = reopen().load("chat").conversation
    assert found.messages[answer.id] == interrupted(answer)
    assert [hit.message_id for hit in reopen().search("far")] == [answer.id]


def test_the_newest_change_comes_first_whatever_the_clock_says(reopen):
    times = iter([100.0, 50.0, 900.0, 3.0, 2.0, 1.0] + [0.5] * 20)
    history = reopen(clock=lambda: next(times))
    for name in ("one", "two", "three"):
        history.save(name, [asked(f"about {name}")], None)
    first, second = asked("a"), asked("b")
    history.save("one", [first], first.id)
    history.save("one", [second], second.id)
    assert [chat.id for chat in history.chats()] == ["one", "three", "two"]
    texts = [m.text for m in reopen().load("one").conversation.messages.values()]
    assert texts == ["about one", "a", "b"]


def test_a_chat_is_named_after_its_first_question_until_it_is_renamed(reopen):
    history = reopen()
    history.save_unsent("chat", Unsent(typed="half"))
    assert history.chats()[0].title == ""
    first = asked("\n\n  What   is\ttea?  \nAnd coffee?")
    history.save("chat", [first], first.id)
    assert history.chats()[0].title == "What is tea?"
    history.rename("chat", "Drinks")
    second = asked("something else")
    history.save("chat", [second], second.id)
    assert history.chats()[0].title == "Drinks"
    assert reopen().load("chat").title_is_given
    history = reopen()
    history.rename("chat", "  ")
    assert history.chats()[0].title == "What is tea?"
    assert not history.load("chat").title_is_given
    long = asked("x" * 500)
    history.save("long", [long], long.id)
    assert len(history.chats()[0].title) == 80


def test_deleting_can_be_undone_until_it_is_purged(reopen):
    history = reopen()
    conversation = grown(1)
    save(history, "chat", conversation)
    keep = asked("question to keep")
    history.save("kept", [keep], keep.id)
    history.save_recording(conversation.leaf, b"film")
    history.delete("chat")
    assert [chat.id for chat in history.chats()] == ["kept"]
    assert {hit.chat_id for hit in history.search("question")} == {"kept"}
    history.restore("chat")
    found = history.load("chat").conversation
    assert [each.text for each in found.messages.values()] == [
        each.text for each in conversation.messages.values()
    ]
    assert found.leaf == conversation.leaf
    assert len(history.search("question")) > 1
    history.delete("chat")
    history.purge()
    history.restore("chat")
    with pytest.raises(HistoryError) as told:
        history.load("chat")
    assert told.value.fault is Fault.GONE
    assert {hit.chat_id for hit in history.search("question")} == {"kept"}
    assert not history.search("answer")
    assert history.recording(conversation.leaf) is None


def test_unsent_text_settings_and_recordings_come_back(reopen):
    history = reopen()
    question = asked()
    history.save("chat", [question], question.id)
    unsent = Unsent(typed="half a sen \ud800", pasted="long\n" * 9)
    history.save_unsent("chat", unsent)
    history.save_settings("chat", {"seed": 7, "thinking": True})
    history.save_recording(question.id, b"\0film\xff")
    found = reopen().load("chat")
    assert found.unsent == Unsent(typed="half a sen \ufffd", pasted="long\n" * 9)
    assert found.settings == {"seed": 7, "thinking": True}
    assert found.conversation.messages[question.id].has_recording
    assert reopen().recording(question.id) == b"\0film\xff"
    assert reopen().recording("nobody") is None
    with pytest.raises(HistoryError):
        reopen().save_recording("nobody", b"film")


def test_a_whole_chat_is_added_and_adding_it_again_changes_nothing(reopen):
    source = reopen()
    save(source, "chat", grown(3))
    source.rename("chat", "Mine")
    source.save_unsent("chat", Unsent(typed="half"))
    chat = source.load("chat")
    other = History.open()
    other.add(chat)
    assert other.load("chat") == chat
    other.add(chat)
    assert other.load("chat") == chat
    assert isinstance(chat, SavedChat)
    other.close()


def test_messages_whose_details_are_damaged_keep_their_text(reopen, path):
    question = asked("kept")
    reopen().save("chat", [question], question.id)
    reopen().close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE messages SET more = '{\"usage\": 3'")
        raw.execute("UPDATE chats SET unsent = 'x', settings = '[]'")
    raw.close()
    found = reopen().load("chat")
    assert found.conversation.path[0].text == "kept"
    assert (found.unsent, found.settings) == (Unsent(), {})


def test_an_older_file_becomes_a_newer_one_or_stays_as_it_is(reopen, path):
    question = asked()
    reopen().save("chat", [question], question.id)
    reopen().close()
    bad = (*MIGRATIONS, "ALTER TABLE chats ADD COLUMN colour TEXT; nonsense;")
    with pytest.raises(sqlite3.OperationalError):
        connect(path, bad)
    assert reopen().load("chat").conversation.path == (question,)
    reopen().close()
    newer = connect(path, (*MIGRATIONS, "ALTER TABLE chats ADD COLUMN colour TEXT;"))
    assert newer.execute("SELECT id, colour FROM chats").fetchall() == [("chat", None)]
    newer.close()
    copy_of(path, len(MIGRATIONS)).unlink()  # with it one could go back: see test_history_newer
    with pytest.raises(HistoryError) as told:
        reopen()
    assert told.value.fault is Fault.NEWER


def test_a_write_is_on_the_disk_at_once(reopen):
    history = reopen()
    (level,) = history._db.execute("PRAGMA synchronous").fetchone()
    (mode,) = history._db.execute("PRAGMA journal_mode").fetchone()
    assert (level, mode) == (2, "wal")  # FULL


@pytest.mark.parametrize("most", [1, 3, 7, 200])
def test_old_recordings_are_forgotten_a_few_at_a_time(reopen, most):
    """Also those of messages that do not know their time, or whose details are damaged."""
    history = reopen(clock=lambda: 500.0)
    chooser = random.Random(most)
    ages = [chooser.choice([0.0, 100.0, 999.0, 1000.0, 2000.0]) for _ in range(20)]
    messages = [asked(str(place), created=created) for place, created in enumerate(ages)]
    history.save("chat", messages, None)
    for message in messages:
        history.save_recording(message.id, message.text.encode())
    history._db.execute("UPDATE messages SET more = '{' WHERE id = ?", (messages[3].id,))
    gone = {place for place, created in enumerate(ages) if created < 1000.0} | {3}
    place, looks = history.forget_recordings(1000.0, most=most), 1
    while place is not None:
        place, looks = history.forget_recordings(1000.0, place, most), looks + 1
    assert looks == 20 // most + 1
    kept = reopen()
    assert {n for n, each in enumerate(messages) if kept.recording(each.id) is None} == gone
    assert len(kept.load("chat").conversation.messages) == 20
    assert kept.forget_recordings(1000.0) is None
