"""All chats over a real history: switching, deleting, names, drafts, presets, and the next start."""

from __future__ import annotations

import json
import time

import pytest

from app.bridge import EngineBridge
from app.settings import SettingsStore
from app.state import presets
from app.state.autosave import Writer
from app.state.chats import Chats
from app.state.conversation import Message
from app.state.history.export import Format
from app.state.history.faults import Fault, fault_error
from app.state.history.history import History
from app.state.history.keeper import FILE
from app.state.history.library import Library
from app.state.presets import Preset
from app.state.unsent import Unsent
from engine.messages import Channel, Committed, Finished, FinishReason, LoadRequest, Role
from engine.service import EngineService
from tests.fakes import FakePipeline, Gate, answering, draft, ending, no_jobs, prompt_of, usage


class World:
    """The chats of one run over one data folder."""

    def __init__(self, folder, script):
        self.pipeline = FakePipeline(script)
        self.writer = Writer()
        self.settings = SettingsStore(folder / "settings.json", self.writer)
        self.bridge = EngineBridge(EngineService(self.pipeline.load, no_jobs))
        self.library = Library(folder, self.bridge)
        self.chats = Chats(self.bridge, self.library, self.settings, self.bridge)
        self.bridge.submit(LoadRequest(model="demo"))
        self.library.start()
        self.is_ended = False

    def end(self):
        if self.is_ended:
            return True
        self.is_ended = True
        self.chats.close()
        ended = self.bridge.shutdown()
        kept = self.library.close()
        self.settings.close()
        self.writer.close()
        return ended and kept


@pytest.fixture
def start(qtbot, tmp_path):
    worlds = []

    def start_one(script=None):
        world = World(tmp_path, script or answering("Hello there."))
        worlds.append(world)
        if not world.chats.summaries:
            qtbot.waitSignal(world.chats.list_changed).wait()
        return world

    yield start_one
    ended = [world.end() for world in worlds]
    assert all(ended)


def texts(chats):
    return [message.text for message in chats.current.path]


def titles(chats):
    return [summary.title for summary in chats.summaries]


def ask(qtbot, chats, text):
    """In a chat of its own."""
    chats.new()
    assert chats.current.send(text)
    session = chats.current
    qtbot.waitUntil(lambda: not session.is_busy)
    qtbot.waitUntil(lambda: text in titles(chats))
    return session.chat_id


def show(qtbot, chats, chat_id):
    chats.open(chat_id)
    qtbot.waitUntil(lambda: chats.current.chat_id == chat_id)


def held(gates):
    """Answers each prompt when its gate opens, or with what has settled when it is stopped."""

    def script(request_id, request, cancelled):
        prompt = prompt_of(request)
        yield draft(request_id, (f"draft of {prompt}",))
        gate = gates.get(prompt)
        if gate is not None:
            gate.reached.set()
            while not gate.opened.wait(0.001):
                if cancelled():
                    yield from ending(request_id, f"part of {prompt}", FinishReason.STOPPED)
                    return
        yield from ending(request_id, f"answer to {prompt}", FinishReason.END)

    return script


def disk(tmp_path):
    """All chats that are on the disk, also deleted ones, after the end."""
    history = History.open(tmp_path / FILE)
    found = {summary.title: history.load(summary.id) for summary in history.chats()}
    history.close()
    return found


# --- new and old ----------------------------------------------------------------------------------


def test_the_first_start_has_one_empty_chat_and_nothing_on_the_disk(qtbot, start, tmp_path):
    world = start()
    assert world.chats.summaries == ()
    assert texts(world.chats) == []
    world.chats.new()
    assert world.end()
    assert disk(tmp_path) == {}


def test_a_new_chat_where_the_shown_one_is_empty_is_that_one(start):
    chats = start().chats
    first = chats.current
    chats.new()
    assert chats.current is first
    chats.set_unsent(Unsent(typed="x"))
    chats.new()
    assert chats.current is not first


def test_a_chat_whose_only_question_was_taken_back_is_not_empty(qtbot, start):
    chats = start().chats
    ask(qtbot, chats, "hidden")
    session = chats.current
    session.take_back(session.path[0].id)
    chats.new()
    assert chats.current is not session


def test_the_newest_chat_is_shown_at_the_next_start(qtbot, start):
    world = start()
    old = ask(qtbot, world.chats, "old")
    ask(qtbot, world.chats, "new")
    show(qtbot, world.chats, old)
    assert world.end()
    again = start()
    qtbot.waitUntil(lambda: texts(again.chats) == ["new", "Hello there."])
    assert titles(again.chats) == ["new", "old"]


def test_who_has_begun_to_type_before_the_list_is_read_is_left_alone(qtbot, start, tmp_path):
    world = start()
    ask(qtbot, world.chats, "old")
    assert world.end()
    again = World(tmp_path, answering("x"))
    again.chats.set_unsent(Unsent(typed="quick"))
    qtbot.waitUntil(lambda: bool(again.chats.summaries))
    qtbot.wait(30)
    assert texts(again.chats) == []
    assert again.chats.unsent.typed == "quick"
    assert again.end()


def test_closing_before_the_list_is_read_asks_for_nothing_more(qtbot, start, tmp_path, caplog):
    world = start()
    ask(qtbot, world.chats, "old")
    assert world.end()
    again = World(tmp_path, answering("x"))
    assert again.end()
    assert [summary.title for summary in again.chats.summaries] == ["old"]  # told in the end
    assert caplog.records == []


def test_an_empty_chat_that_is_left_behind_is_cleared_away(qtbot, start, tmp_path):
    world = start()
    chats = world.chats
    kept = ask(qtbot, chats, "kept")
    chats.new()
    chats.set_unsent(Unsent(typed="x"))
    qtbot.waitUntil(lambda: titles(chats) == ["", "kept"])
    show(qtbot, chats, kept)
    assert titles(chats) == ["", "kept"]  # something is typed in it
    show(qtbot, chats, chats.summaries[0].id)
    assert chats.unsent.typed == "x"
    chats.set_unsent(Unsent())
    show(qtbot, chats, kept)
    assert titles(chats) == ["kept"]
    assert world.end()
    assert set(disk(tmp_path)) == {"kept"}


def test_the_last_of_many_clicks_wins(qtbot, start):
    chats = start().chats
    ids = [ask(qtbot, chats, f"chat {number}") for number in range(4)]
    chats.new()
    shown = []
    chats.current_changed.connect(lambda: shown.append(chats.current.chat_id))
    for chat_id in (ids[0], ids[1], ids[0], ids[2]):
        chats.open(chat_id)
    qtbot.waitUntil(lambda: bool(shown))
    qtbot.wait(30)
    assert shown == [ids[2]]
    chats.open(ids[0])
    chats.open(ids[2])  # back, before the other was there
    qtbot.wait(30)
    assert shown == [ids[2]]


# --- several at a time ----------------------------------------------------------------------------


def test_a_chat_that_one_leaves_goes_on_and_its_answer_is_there(qtbot, start, tmp_path):
    gates = {"slow": Gate()}
    world = start(held(gates))
    chats = world.chats
    other = ask(qtbot, chats, "other")
    chats.new()
    chats.current.send("slow")
    slow = chats.current
    qtbot.waitUntil(lambda: slow.draft is not None)
    changes = []
    chats.busy_changed.connect(lambda: changes.append(chats.busy_ids))
    show(qtbot, chats, other)
    assert chats.busy_ids == {slow.chat_id}
    assert texts(chats) == ["other", "answer to other"]
    show(qtbot, chats, slow.chat_id)
    assert chats.current is slow  # the same one: its drafts go on
    assert slow.draft.pieces == ("draft of slow",)
    show(qtbot, chats, other)
    gates["slow"].opened.set()
    qtbot.waitUntil(lambda: not chats.busy_ids)
    assert changes == [frozenset()]
    show(qtbot, chats, slow.chat_id)
    assert texts(chats) == ["slow", "answer to slow"]
    assert not chats.current.path[-1].is_open


def test_questions_in_two_chats_are_answered_in_turn(qtbot, start):
    gates = {"one": Gate(), "two": Gate()}
    chats = start(held(gates)).chats
    first = chats.current
    first.send("one")
    chats.new()
    second = chats.current
    second.send("two")
    assert chats.busy_ids == {first.chat_id, second.chat_id}
    qtbot.waitUntil(lambda: first.draft is not None)
    assert second.draft is None
    gates["one"].opened.set()
    qtbot.waitUntil(lambda: chats.busy_ids == {second.chat_id})
    gates["two"].opened.set()
    qtbot.waitUntil(lambda: not chats.busy_ids)
    assert texts(chats) == ["two", "answer to two"]


def test_closing_keeps_what_every_chat_had(qtbot, start, tmp_path):
    gates = {"one": Gate(), "two": Gate()}
    world = start(held(gates))
    world.chats.current.send("one")
    qtbot.waitUntil(lambda: world.chats.current.draft is not None)
    world.chats.new()
    world.chats.current.send("two")
    world.chats.new()
    world.chats.set_unsent(Unsent(typed="third"))
    assert world.end()
    found = disk(tmp_path)
    assert [m.text for m in found["one"].conversation.path] == ["one", "part of one"]
    assert [m.text for m in found["two"].conversation.path] == ["two", ""]
    assert found[""].unsent.typed == "third"
    for chat in (found["one"], found["two"]):
        assert chat.conversation.path[-1].reason is FinishReason.STOPPED


# --- what is typed --------------------------------------------------------------------------------


def test_each_chat_keeps_what_is_typed_in_it(qtbot, start):
    world = start()
    chats = world.chats
    one, two = ask(qtbot, chats, "one"), ask(qtbot, chats, "two")
    chats.set_unsent(Unsent(typed="to two", pasted="long"))
    show(qtbot, chats, one)
    assert chats.unsent == Unsent()
    chats.set_unsent(Unsent(typed="to one"))
    show(qtbot, chats, two)
    assert chats.unsent == Unsent(typed="to two", pasted="long")
    show(qtbot, chats, one)
    assert chats.unsent == Unsent(typed="to one")
    assert world.end()
    again = start()
    qtbot.waitUntil(lambda: bool(texts(again.chats)))
    found = {}
    for chat_id in (one, two):
        show(qtbot, again.chats, chat_id)
        found[chat_id] = again.chats.unsent.typed
    assert found == {one: "to one", two: "to two"}


def test_what_is_typed_in_a_busy_chat_is_there_when_one_comes_back(qtbot, start):
    gates = {"slow": Gate()}
    chats = start(held(gates)).chats
    chats.current.send("slow")
    slow = chats.current.chat_id
    chats.set_unsent(Unsent(typed="next"))
    chats.new()
    assert chats.unsent == Unsent()
    gates["slow"].opened.set()
    qtbot.waitUntil(lambda: not chats.busy_ids)
    show(qtbot, chats, slow)
    assert chats.unsent.typed == "next"


# --- deleting and naming --------------------------------------------------------------------------


def test_deleting_and_undoing_another_chat_leaves_the_shown_one(qtbot, start, tmp_path):
    world = start()
    chats = world.chats
    one = ask(qtbot, chats, "one")
    ask(qtbot, chats, "two")
    shown = chats.current
    with qtbot.waitSignal(chats.deleted) as told:
        chats.delete(one)
    assert told.args[0].id == one
    assert titles(chats) == ["two"]
    chats.undelete(one)
    qtbot.waitUntil(lambda: titles(chats) == ["two", "one"])
    assert chats.current is shown
    chats.delete(one)
    assert world.end()
    assert set(disk(tmp_path)) == {"two"}


def test_deleting_the_shown_chat_shows_a_new_one_and_undo_brings_it_back(qtbot, start):
    chats = start().chats
    one = ask(qtbot, chats, "one")
    chats.set_unsent(Unsent(typed="unsent"))
    chats.delete(one)
    assert texts(chats) == []
    assert chats.unsent == Unsent()
    assert titles(chats) == []
    chats.undelete(one)
    qtbot.waitUntil(lambda: texts(chats) == ["one", "Hello there."])
    assert chats.unsent.typed == "unsent"
    qtbot.waitUntil(lambda: titles(chats) == ["one"])


def test_deleting_twice_is_deleting_once(qtbot, start):
    chats = start().chats
    one = ask(qtbot, chats, "one")
    told = []
    chats.deleted.connect(told.append)
    chats.delete(one)
    chats.delete(one)
    chats.delete("never there")
    assert len(told) == 1


@pytest.mark.parametrize("waits", [True, False])
def test_a_busy_chat_that_is_deleted_is_stopped_and_comes_back_whole(qtbot, start, waits):
    gates = {"slow": Gate()}
    chats = start(held(gates)).chats
    chats.current.send("slow")
    slow = chats.current
    chat_id = slow.chat_id
    qtbot.waitUntil(lambda: slow.draft is not None and bool(chats.summaries))
    chats.delete(chat_id)
    assert chats.current is not slow
    if waits:
        qtbot.waitUntil(lambda: not chats.busy_ids)
    chats.undelete(chat_id)
    qtbot.waitUntil(lambda: chats.current.chat_id == chat_id and not chats.current.is_busy)
    assert texts(chats) == ["slow", "part of slow"]
    assert not chats.current.path[-1].is_open
    assert chats.current.can_continue(chats.current.path[-1])


def test_a_chat_deleted_while_it_is_read_is_not_shown(qtbot, start):
    chats = start().chats
    one = ask(qtbot, chats, "one")
    ask(qtbot, chats, "two")
    shown = chats.current
    chats.open(one)
    chats.delete(one)
    qtbot.wait(50)
    assert chats.current is shown


def test_a_deleted_chat_stays_out_of_the_list_where_the_disk_is_full(qtbot, start, monkeypatch):
    chats = start().chats
    one = ask(qtbot, chats, "one")

    def refuse(*_arguments):
        raise fault_error(Fault.FULL)

    with monkeypatch.context() as patch:
        patch.setattr(History, "delete", refuse)
        with qtbot.waitSignal(chats.failed):
            chats.delete(one)
        qtbot.wait(50)
        assert titles(chats) == []
    chats.undelete(one)
    qtbot.waitUntil(lambda: titles(chats) == ["one"])


def test_names_are_given_and_taken_from_the_first_question_again(qtbot, start, tmp_path):
    world = start()
    chats = world.chats
    one = ask(qtbot, chats, "first question")
    chats.rename(one, "  My chat ")
    qtbot.waitUntil(lambda: titles(chats) == ["My chat"])
    assert disk_title_is_given(world, one, qtbot)
    chats.rename(one, "   ")
    qtbot.waitUntil(lambda: titles(chats) == ["first question"])
    assert not disk_title_is_given(world, one, qtbot)


def disk_title_is_given(world, chat_id, qtbot):
    loaded = []
    world.library.load(chat_id, loaded.append)
    qtbot.waitUntil(lambda: bool(loaded))
    return loaded[0].title_is_given


def test_what_can_be_deleted_or_exported_is_what_is_stored(qtbot, start):
    chats = start().chats
    assert not chats.is_stored(chats.current.chat_id)
    chats.set_unsent(Unsent(typed="x"))
    qtbot.waitUntil(lambda: chats.is_stored(chats.current.chat_id))


# --- searching and opening a message --------------------------------------------------------------


def test_a_message_on_a_hidden_branch_is_found_and_its_branch_shown(qtbot, start):
    chats = start(held({})).chats
    one = ask(qtbot, chats, "apples")
    old = chats.current.path[-1].id
    chats.current.edit(chats.current.path[0].id, "pears")
    qtbot.waitUntil(lambda: not chats.current.is_busy)
    ask(qtbot, chats, "else")
    found, shown = [], []
    chats.search("apples", found.append)
    qtbot.waitUntil(lambda: bool(found))
    assert old in {hit.message_id for hit in found[0]}
    chats.open_message(one, old, lambda: shown.append(texts(chats)))
    qtbot.waitUntil(lambda: bool(shown))
    assert shown == [["apples", "answer to apples"]]
    chats.open_message(one, old, lambda: shown.append(texts(chats)))  # it is shown already
    assert len(shown) == 2


def test_a_click_on_another_chat_overtakes_a_message_that_is_being_opened(qtbot, start):
    chats = start().chats
    one, two = ask(qtbot, chats, "one"), ask(qtbot, chats, "two")
    message = chats.current.path[0].id
    three = ask(qtbot, chats, "three")
    shown = []
    chats.open_message(two, message, lambda: shown.append("two"))
    chats.open(one)
    qtbot.waitUntil(lambda: chats.current.chat_id == one)
    qtbot.wait(30)
    assert shown == []
    assert three != chats.current.chat_id


def test_a_chat_is_exported_as_it_is_on_the_disk(qtbot, start, tmp_path):
    chats = start().chats
    one = ask(qtbot, chats, "to a file")
    done = []
    chats.export(one, tmp_path / "out.md", Format.MARKDOWN, lambda: done.append(True))
    qtbot.waitUntil(lambda: bool(done))
    assert "> to a file" in (tmp_path / "out.md").read_text(encoding="utf-8")


# --- presets --------------------------------------------------------------------------------------


def test_new_chats_have_the_preset_of_the_settings_and_old_ones_their_own(qtbot, start):
    world = start()
    chats = world.chats
    one = ask(qtbot, chats, "plain")
    chats.new()
    shown = []
    chats.current_changed.connect(lambda: shown.append(chats.current.preset.id))
    world.settings.change(preset_id="careful")
    assert chats.current.preset.id == "careful"  # it is empty, so it is new
    assert shown == ["careful"]
    world.settings.change(reading_points=14.0)
    assert shown == ["careful"]
    ask(qtbot, chats, "with care")
    assert world.pipeline.requests[-1].sampling == presets.find((), "careful").sampling
    show(qtbot, chats, one)
    assert chats.current.preset.id == "default"
    world.settings.change(preset_id="fast")
    assert chats.current.preset.id == "default"


def test_what_is_typed_or_chosen_in_a_new_chat_is_not_touched_by_the_settings(qtbot, start):
    world = start()
    chats = world.chats
    chats.set_preset(presets.find((), "think"))
    world.settings.change(preset_id="fast")
    assert chats.current.preset.id == "think"
    chats.current.send("x")
    qtbot.waitUntil(lambda: not chats.current.is_busy)
    chats.new()
    assert chats.current.preset.id == "fast"
    chats.set_unsent(Unsent(typed="half"))
    world.settings.change(preset_id="careful")
    assert chats.unsent.typed == "half"


def test_the_preset_of_a_chat_is_there_at_the_next_start(qtbot, start):
    own = Preset(id="own", name="Own", system_prompt="Be short.", seed=0, thought_budget=64)
    world = start()
    chats = world.chats
    chats.set_preset(own)  # before anything is stored
    chats.current.send("q")
    qtbot.waitUntil(lambda: not chats.current.is_busy)
    assert world.end()
    again = start()
    qtbot.waitUntil(lambda: bool(texts(again.chats)))
    assert again.chats.current.preset == own


# --- recordings -----------------------------------------------------------------------------------


def test_old_recordings_are_gone_after_the_start(qtbot, start, tmp_path):
    day = 86_400
    (tmp_path / "settings.json").write_text(json.dumps({"recording_days": 30}))
    history = History.open(tmp_path / FILE)
    for name, age in (("old", 31 * day), ("young", 29 * day)):
        message = Message(
            id=name, parent=None, role=Role.MODEL, text=name, created=time.time() - age
        )
        history.save("chat", [message], name)
        history.save_recording(name, b"film")
    history.close()
    world = start()
    films = {}
    for name in ("old", "young"):
        world.chats.recording(name, lambda data, name=name: films.update({name: data}))
    qtbot.waitUntil(lambda: len(films) == 2)
    assert films["young"] == b"film"
    assert world.end()
    history = History.open(tmp_path / FILE)
    assert history.recording("old") is None
    assert history.recording("young") == b"film"
    history.close()


# --- two windows ----------------------------------------------------------------------------------


def test_two_windows_on_one_folder_lose_nothing(qtbot, start, tmp_path):
    first = start()
    ask(qtbot, first.chats, "in the first")
    second = World(tmp_path, held({}))
    told = []
    second.chats.failed.connect(told.append)
    qtbot.waitUntil(lambda: bool(told))
    assert told[0].fault is Fault.LOCKED
    ask(qtbot, second.chats, "in the second")
    second.chats.set_unsent(Unsent(typed="typed in the second"))
    ask(qtbot, first.chats, "again in the first")
    assert second.end()
    assert first.end()
    third = start()
    qtbot.waitUntil(lambda: len(third.chats.summaries) == 3)
    assert sorted(titles(third.chats)) == ["again in the first", "in the first", "in the second"]
    chat_id = next(each.id for each in third.chats.summaries if each.title == "in the second")
    show(qtbot, third.chats, chat_id)
    assert texts(third.chats) == ["in the second", "answer to in the second"]
    assert third.chats.unsent.typed == "typed in the second"


def test_settled_text_is_on_the_disk_while_another_chat_is_shown(qtbot, start):
    gate = Gate()

    def script(request_id, _request, _cancelled):
        gate.pass_through()
        yield Committed(request_id=request_id, canvas=0, channel=Channel.ANSWER, text="Late.")
        yield Finished(request_id=request_id, reason=FinishReason.END, usage=usage())

    world = start(script)
    world.chats.current.send("q")
    chat_id = world.chats.current.chat_id
    world.chats.new()
    gate.opened.set()
    qtbot.waitUntil(lambda: not world.chats.busy_ids)
    loaded = []
    world.library.load(chat_id, loaded.append)
    qtbot.waitUntil(lambda: bool(loaded))
    assert [m.text for m in loaded[0].conversation.path] == ["q", "Late."]
