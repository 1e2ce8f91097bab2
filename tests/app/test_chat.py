"""One chat: what is asked of the model, what is kept, and what becomes of every kind of ending."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.bridge import EngineBridge
from app.state.chat import ChatSession
from app.state.conversation import Conversation, Message
from app.state.presets import Preset, built_in
from app.state.progress import added
from engine.messages import (
    Channel,
    Committed,
    EngineFault,
    ErrorKind,
    Finished,
    FinishReason,
    Frame,
    LoadRequest,
    Prefill,
    Recording,
    Role,
    Sampling,
)
from engine.service import EngineService
from tests.fakes import FakePipeline, Gate, answering, draft, ending, no_jobs, usage

DEFAULT = built_in()[0]
FILM = Frame(canvas=0, step=1, indices=b"", confidence=b"", states=b"", channels=b"")


class FakeKeeper:
    """Confirms at once, or when it is let go; remembers what was kept, in order."""

    def __init__(self):
        self.is_held = False
        self.is_refusing = False
        self.messages: dict[str, Message] = {}
        self.leaf: str | None = None
        self.log: list[tuple[str, str]] = []
        self.films: list[tuple[str, Recording]] = []
        self._held = []

    def save(self, chat_id, messages, leaf, on_saved=None):
        if not self.is_refusing:
            self.messages |= {message.id: message for message in messages}
            self.leaf = leaf
        self.log += [(chat_id, message.text) for message in messages]
        if on_saved is not None:
            self._held.append(on_saved)
        if not self.is_held:
            self.let_go()

    def save_recording(self, chat_id, message_id, recording, *, is_more):
        assert message_id in self.messages
        self.films.append((message_id, recording))

    def let_go(self):
        while self._held:
            self._held.pop(0)(not self.is_refusing)


@pytest.fixture
def keeper():
    return FakeKeeper()


@pytest.fixture
def talk(qapp, keeper):
    """Starts chats with a loaded scripted model; the engines are ended after the test."""
    bridges = []

    def begin(script=None, **more) -> tuple[ChatSession, FakePipeline]:
        pipeline = FakePipeline(script or answering("Hello there."))
        bridge = EngineBridge(EngineService(pipeline.load, no_jobs))
        bridges.append(bridge)
        bridge.submit(LoadRequest(model="demo"))
        options = {"chat_id": "chat", "preset": DEFAULT} | more
        session = ChatSession(bridge, keeper, parent=bridge, **options)
        return session, pipeline

    yield begin
    ended = [bridge.shutdown() for bridge in bridges]
    assert all(ended)


def wait(qtbot, session):
    qtbot.waitUntil(lambda: not session.is_busy)


def ask(qtbot, session, text):
    assert session.send(text)
    wait(qtbot, session)


def texts(session):
    return [message.text for message in session.path]


def said(request):
    return [(turn.role, turn.parts[0].text) for turn in request.turns]


def in_turn(*scripts):
    """A script for each request, one after the other."""
    left = list(scripts)

    def script(request_id, request, cancelled):
        return left.pop(0)(request_id, request, cancelled)

    return script


def saying(text="", reason=FinishReason.END, *, thought="", frames=(), tokens=4):
    """Settles a thought and a text, and ends."""

    def script(request_id, _request, _cancelled):
        for channel, part in ((Channel.THOUGHT, thought), (Channel.ANSWER, text)):
            if part:
                yield Committed(request_id=request_id, canvas=0, channel=channel, text=part)
        yield Recording(request_id=request_id, pieces=("x",), frames=frames)
        yield Finished(request_id=request_id, reason=reason, usage=usage(new_tokens=tokens))

    return script


def failing(kind=ErrorKind.INTERNAL, text=""):
    def script(request_id, _request, _cancelled):
        if text:
            yield from list(ending(request_id, text, FinishReason.END))[:1]
        raise EngineFault(kind, "It broke.", "Try again.")

    return script


def stopped_at(gate, text="Kept."):
    def script(request_id, _request, cancelled):
        yield draft(request_id, (text, " noise"))
        gate.until_cancelled(cancelled)
        yield from ending(request_id, text, FinishReason.STOPPED)

    return script


# --- asking and answering -------------------------------------------------------------------------


def test_question_and_answer_alternate_along_the_branch(qtbot, talk, keeper):
    session, pipeline = talk(in_turn(saying("One."), saying("Two.")))
    ask(qtbot, session, "first")
    ask(qtbot, session, "second")
    assert texts(session) == ["first", "One.", "second", "Two."]
    assert [m.role for m in session.path] == [Role.USER, Role.MODEL] * 2
    assert said(pipeline.requests[1]) == [
        (Role.USER, "first"), (Role.MODEL, "One."), (Role.USER, "second")
    ]  # fmt: skip
    assert keeper.messages == dict(session.conversation.messages)
    assert keeper.leaf == session.conversation.leaf


@pytest.mark.parametrize("text", ["", "  \n", "\u200b\u2060", "\x00"])
def test_nothing_is_not_sent(talk, keeper, text):
    session, _ = talk()
    assert not session.send(text)
    assert session.path == ()
    assert keeper.log == []


def test_while_busy_everything_else_is_refused(qtbot, talk):
    gate = Gate()
    session, pipeline = talk(in_turn(saying("Done."), stopped_at(gate)))
    ask(qtbot, session, "first")
    question, answer = session.path
    session.send("second")
    before = session.conversation
    assert not session.send("third")
    assert not session.edit(question.id, "else")
    assert not session.regenerate(answer.id)
    assert not session.go_on()
    assert session.take_back(question.id) == ""
    session.show_variant(question.id)
    assert session.conversation is before
    gate.wait_reached()
    session.stop()
    wait(qtbot, session)
    assert len(pipeline.requests) == 2


def test_foreign_text_is_made_storable_on_its_way_in_and_out(qtbot, talk, keeper):
    session, pipeline = talk(saying("b\ud800"))
    ask(qtbot, session, "a\udfff")
    assert texts(session) == ["a\ufffd", "b\ufffd"]
    assert pipeline.seen == ["a\ufffd"]


def test_progress_and_draft_are_those_of_the_open_answer(qtbot, talk):
    gate = Gate()

    def script(request_id, _request, cancelled):
        yield Prefill(request_id=request_id, done=2, total=9)
        yield draft(request_id, ("half",), step=5)
        gate.until_cancelled(cancelled)
        yield from ending(request_id, "half", FinishReason.STOPPED)

    session, _ = talk(script)
    read = []
    session.progress_changed.connect(lambda progress: read.append((progress.read, progress.step)))
    session.send("go")
    qtbot.waitUntil(lambda: session.draft is not None)
    assert session.draft.pieces == ("half",)
    assert session.progress.step == 5
    assert read == [(2, 0), (0, 5)]
    session.stop()
    wait(qtbot, session)
    assert session.draft is None
    assert session.progress is None


# --- kept before it is asked ----------------------------------------------------------------------


def test_the_model_is_asked_when_the_question_is_kept_and_not_before(qtbot, talk, keeper):
    keeper.is_held = True
    session, pipeline = talk()
    session.send("precious")
    assert session.is_busy
    qtbot.wait(50)
    assert pipeline.seen == []
    assert [m.text for m in keeper.messages.values()] == ["precious", ""]
    keeper.let_go()
    keeper.is_held = False
    wait(qtbot, session)
    assert texts(session) == ["precious", "Hello there."]


def test_what_could_not_be_kept_is_asked_all_the_same(qtbot, talk, keeper):
    keeper.is_refusing = True
    session, _ = talk()
    ask(qtbot, session, "hi")
    assert texts(session) == ["hi", "Hello there."]


def test_stop_while_the_question_is_being_kept(qtbot, talk, keeper):
    keeper.is_held = True
    session, pipeline = talk()
    session.send("never mind")
    session.stop()
    assert not session.is_busy
    keeper.let_go()
    qtbot.wait(50)
    assert pipeline.seen == []
    assert session.path[-1].reason is FinishReason.STOPPED
    assert keeper.messages[session.path[-1].id] == session.path[-1]


def test_stopped_while_it_is_kept_and_asked_again_it_is_asked_once(qtbot, talk, keeper):
    keeper.is_held = True
    session, pipeline = talk()
    session.send("now")
    session.stop()
    assert session.regenerate(session.path[-1].id)
    keeper.is_held = False
    keeper.let_go()
    wait(qtbot, session)
    assert pipeline.seen == ["now"]
    assert texts(session) == ["now", "Hello there."]


def test_each_settled_part_is_kept_at_once(qtbot, talk, keeper):
    gate = Gate()

    def script(request_id, _request, _cancelled):
        yield Committed(request_id=request_id, canvas=0, channel=Channel.ANSWER, text="One. ")
        gate.pass_through()
        yield from ending(request_id, "Two.", FinishReason.END)

    session, _ = talk(script)
    session.send("go")
    answer = session.path[-1].id
    qtbot.waitUntil(lambda: keeper.messages[answer].text == "One. ")
    assert keeper.messages[answer].is_open
    gate.opened.set()
    wait(qtbot, session)
    assert keeper.messages[answer] == session.path[-1]
    assert keeper.messages[answer].text == "One. Two."


# --- stopping and failing -------------------------------------------------------------------------


def test_stop_keeps_what_has_settled(qtbot, talk, keeper):
    gate = Gate()
    session, _ = talk(stopped_at(gate))
    session.send("long")
    gate.wait_reached()
    session.stop()
    session.stop()  # once is enough, twice does no harm
    wait(qtbot, session)
    assert session.path[-1].text == "Kept."
    assert session.path[-1].reason is FinishReason.STOPPED
    session.stop()
    assert keeper.messages[session.path[-1].id] == session.path[-1]


def test_a_failure_keeps_what_had_settled_and_the_question_is_answered_again(qtbot, talk):
    session, pipeline = talk(in_turn(failing(text="Half"), saying("Whole.")))
    ask(qtbot, session, "q")
    failed = session.path[-1]
    assert (failed.text, failed.error.message) == ("Half", "It broke.")
    assert session.regenerate(failed.id)
    wait(qtbot, session)
    assert texts(session) == ["q", "Whole."]
    assert session.conversation.messages[failed.id] == failed
    assert said(pipeline.requests[1]) == [(Role.USER, "q")]


def test_a_failed_answer_without_a_word_is_replaced_not_doubled(qtbot, talk):
    session, _ = talk(in_turn(failing(), saying("Better.")))
    ask(qtbot, session, "q")
    failed = session.path[-1]
    session.regenerate(failed.id)
    assert session.path[-1].error is None
    wait(qtbot, session)
    assert session.conversation.variants(failed.id) == (failed.id,)
    assert session.path[-1].text == "Better."


def test_an_empty_answer_that_was_talked_on_from_gets_a_variant_of_its_own(qtbot, talk):
    """What was asked since then was asked without it: it must not become its context."""
    session, pipeline = talk(in_turn(failing(), saying("Later."), saying("At last.")))
    ask(qtbot, session, "one")
    ask(qtbot, session, "two")
    failed, branch = session.path[1], session.path
    session.regenerate(failed.id)
    wait(qtbot, session)
    assert texts(session) == ["one", "At last."]
    assert said(pipeline.requests[-1]) == [(Role.USER, "one")]
    session.show_variant(branch[-1].id)
    assert session.path == branch


# --- variants -------------------------------------------------------------------------------------


def test_asking_again_keeps_every_variant_and_one_can_go_through_them(qtbot, talk, keeper):
    session, pipeline = talk(in_turn(saying("a"), saying("b"), saying("c"), saying("d")))
    ask(qtbot, session, "q")
    for _ in range(2):
        assert session.regenerate(session.path[-1].id)
        wait(qtbot, session)
    variants = session.conversation.variants(session.path[-1].id)
    assert [session.conversation.messages[each].text for each in variants] == ["a", "b", "c"]
    assert all(said(request) == [(Role.USER, "q")] for request in pipeline.requests)
    shown = []
    for each in (*variants, *reversed(variants)):
        session.show_variant(each)
        shown.append(session.path[-1].text)
        assert keeper.leaf == each
    assert shown == ["a", "b", "c", "c", "b", "a"]
    ask(qtbot, session, "more")
    assert said(pipeline.requests[-1])[1] == (Role.MODEL, "a")


def test_an_edited_question_is_a_branch_and_the_old_one_is_whole(qtbot, talk, keeper):
    session, pipeline = talk(in_turn(*(saying(text) for text in ("A", "B", "C"))))
    ask(qtbot, session, "first")
    ask(qtbot, session, "second")
    old = session.path
    places = []
    session.path_changed.connect(places.append)
    assert session.edit(old[2].id, "instead")
    wait(qtbot, session)
    assert texts(session) == ["first", "A", "instead", "C"]
    assert places == [2]
    assert said(pipeline.requests[-1])[-1] == (Role.USER, "instead")
    assert len(session.conversation.variants(old[2].id)) == 2
    session.show_variant(old[2].id)
    assert session.path == old
    assert places == [2, 2]
    assert set(keeper.messages) == set(session.conversation.messages)


def test_the_first_question_can_be_edited_too(qtbot, talk):
    session, pipeline = talk()
    ask(qtbot, session, "first")
    assert session.edit(session.path[0].id, "other")
    wait(qtbot, session)
    assert texts(session) == ["other", "Hello there."]
    assert said(pipeline.requests[-1]) == [(Role.USER, "other")]


def test_showing_what_is_shown_changes_and_keeps_nothing(qtbot, talk, keeper):
    session, _ = talk()
    ask(qtbot, session, "q")
    before = len(keeper.log), session.conversation
    for message in session.path:
        session.show_variant(message.id)
    assert (len(keeper.log), session.conversation) == before


def test_a_question_taken_back_is_hidden_and_not_lost(qtbot, talk, keeper):
    session, _ = talk(in_turn(saying("A"), saying("B"), saying("C")))
    ask(qtbot, session, "one")
    ask(qtbot, session, "two")
    hidden = session.path[2]
    assert session.take_back(session.path[1].id) == ""  # an answer is not a question
    assert session.take_back(hidden.id) == "two"
    assert texts(session) == ["one", "A"]
    assert keeper.leaf == session.path[-1].id
    ask(qtbot, session, "two!")
    assert len(session.conversation.variants(hidden.id)) == 2
    session.show_variant(hidden.id)
    assert texts(session) == ["one", "A", "two", "B"]


def test_the_first_question_taken_back_leaves_an_empty_branch(qtbot, talk, keeper):
    session, _ = talk()
    ask(qtbot, session, "one")
    assert session.take_back(session.path[0].id) == "one"
    assert session.path == ()
    assert keeper.leaf is None
    assert not session.go_on()


# --- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason",
    [
        FinishReason.STOPPED,
        FinishReason.LENGTH,
        FinishReason.CANVAS_EXHAUSTED,
        FinishReason.THOUGHT_EXHAUSTED,
    ],
)
def test_an_answer_that_was_cut_off_is_written_on(qtbot, talk, keeper, reason):
    text = "" if reason is FinishReason.THOUGHT_EXHAUSTED else "Half a "
    session, pipeline = talk(
        in_turn(saying(text, reason, thought="Hm. ", tokens=5), saying("sentence.", tokens=2))
    )
    ask(qtbot, session, "q")
    cut = session.path[-1]
    assert session.can_continue(cut)
    assert session.go_on()
    wait(qtbot, session)
    answer, request = session.path[-1], pipeline.requests[-1]
    assert (request.thought_so_far, request.answer_so_far) == ("Hm. ", text)
    assert said(request) == [(Role.USER, "q")]
    assert (answer.id, answer.thought, answer.text) == (cut.id, "Hm. ", text + "sentence.")
    assert answer.reason is FinishReason.END
    assert answer.usage == added(usage(new_tokens=5), usage(new_tokens=2))
    assert answer.usage.new_tokens == 7
    assert not session.can_continue(answer)
    assert keeper.messages[answer.id] == answer


@pytest.mark.parametrize(
    "reason", [FinishReason.END, FinishReason.CONTEXT_FULL, FinishReason.TOOL_CALL]
)
def test_an_answer_that_came_to_its_end_is_not(qtbot, talk, reason):
    session, pipeline = talk(saying("All.", reason))
    ask(qtbot, session, "q")
    assert not session.can_continue(session.path[-1])
    assert not session.go_on()
    assert len(pipeline.requests) == 1


def test_only_the_last_answer_is_gone_on_with(qtbot, talk):
    session, _ = talk(saying("Half", FinishReason.LENGTH))
    ask(qtbot, session, "one")
    ask(qtbot, session, "two")
    assert not session.can_continue(session.path[1])
    assert session.can_continue(session.path[3])
    assert not session.can_continue(session.path[2])


def test_going_on_can_fail_or_be_stopped_and_be_gone_on_with(qtbot, talk):
    gate = Gate()
    session, pipeline = talk(
        in_turn(
            saying("a", FinishReason.LENGTH),
            failing(ErrorKind.OUT_OF_MEMORY),
            stopped_at(gate, "b"),
            saying("c"),
        )
    )
    ask(qtbot, session, "q")
    session.go_on()
    wait(qtbot, session)
    assert session.path[-1].text == "a"
    assert session.path[-1].error.kind is ErrorKind.OUT_OF_MEMORY
    assert session.go_on()
    gate.wait_reached()
    session.stop()
    wait(qtbot, session)
    assert (session.path[-1].text, session.path[-1].error) == ("ab", None)
    assert session.go_on()
    wait(qtbot, session)
    assert session.path[-1].text == "abc"
    assert [request.answer_so_far for request in pipeline.requests] == ["", "a", "a", "ab"]
    assert session.path[-1].usage.new_tokens == 4 + 1 + 4  # the failed one has no figures


def test_stop_before_going_on_is_kept_leaves_it_to_be_gone_on_with(qtbot, talk, keeper):
    session, pipeline = talk(in_turn(saying("a", FinishReason.LENGTH), saying("b")))
    ask(qtbot, session, "q")
    figures = session.path[-1].usage
    keeper.is_held = True
    session.go_on()
    session.stop()
    assert (session.path[-1].text, session.path[-1].usage) == ("a", figures)
    session.go_on()
    keeper.is_held = False
    keeper.let_go()
    wait(qtbot, session)
    assert session.path[-1].text == "ab"
    assert len(pipeline.requests) == 2


# --- empty answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", ["", " \n", "\u200b"])
def test_an_empty_answer_is_asked_for_once_more_with_another_seed(qtbot, talk, keeper, nothing):
    session, pipeline = talk(
        in_turn(saying(nothing, thought="Lost.", tokens=3), saying("Here.", tokens=2)),
        preset=replace(DEFAULT, seed=7),
    )
    ask(qtbot, session, "q")
    answer = session.path[-1]
    assert [request.seed for request in pipeline.requests] == [7, None]
    assert (answer.text, answer.thought, answer.was_empty) == ("Here.", "", True)
    assert answer.usage.new_tokens == 5
    assert said(pipeline.requests[1]) == [(Role.USER, "q")]
    assert keeper.messages[answer.id] == answer


def test_an_answer_that_is_empty_twice_is_left_so_and_said(qtbot, talk):
    session, pipeline = talk(in_turn(saying(), saying(), saying("Third.")))
    ask(qtbot, session, "q")
    answer = session.path[-1]
    assert (answer.text, answer.was_empty, answer.reason) == ("", True, FinishReason.END)
    assert len(pipeline.requests) == 2
    session.regenerate(answer.id)
    wait(qtbot, session)
    assert (session.path[-1].text, session.path[-1].was_empty) == ("Third.", False)
    assert session.conversation.variants(answer.id) == (answer.id,)


def test_an_empty_end_of_going_on_does_not_cost_the_thought_there_was(qtbot, talk):
    session, pipeline = talk(
        in_turn(
            saying(reason=FinishReason.THOUGHT_EXHAUSTED, thought="Precious."),
            saying(),
            saying("So."),
        )
    )
    ask(qtbot, session, "q")
    session.go_on()
    wait(qtbot, session)
    assert [r.thought_so_far for r in pipeline.requests] == ["", "Precious.", "Precious."]
    assert (session.path[-1].thought, session.path[-1].text) == ("Precious.", "So.")


def test_an_empty_answer_that_was_to_stop_is_not_asked_for_again(qtbot, talk):
    gate = Gate()

    def script(request_id, _request, cancelled):
        gate.until_cancelled(cancelled)
        yield from ending(request_id, "", FinishReason.END)  # it was just at its end

    session, pipeline = talk(script)
    session.send("q")
    gate.wait_reached()
    session.stop()
    wait(qtbot, session)
    assert len(pipeline.requests) == 1


def test_a_stopped_answer_without_a_word_is_not_asked_for_again(qtbot, talk):
    session, pipeline = talk(saying(reason=FinishReason.STOPPED))
    ask(qtbot, session, "q")
    assert len(pipeline.requests) == 1


# --- presets and recordings -----------------------------------------------------------------------

OWN = Preset(
    id="own",
    name="Own",
    system_prompt="Answer in rhymes.",
    thinking=True,
    thought_budget=99,
    sampling=Sampling(max_denoising_steps=7, entropy_bound=0.25),
    seed=0,
)


def test_the_preset_reaches_the_model_whole(qtbot, talk):
    session, pipeline = talk(preset=OWN)
    ask(qtbot, session, "q")
    request = pipeline.requests[0]
    assert said(request) == [(Role.SYSTEM, "Answer in rhymes."), (Role.USER, "q")]
    assert (request.thinking, request.thought_budget, request.seed) == (True, 99, 0)
    assert request.sampling == OWN.sampling


def test_another_preset_holds_from_the_next_answer_on(qtbot, talk):
    session, pipeline = talk(in_turn(saying(), saying("b"), saying("c")))
    session.send("one")
    session.set_preset(OWN)  # while it is being answered, also by a second try
    wait(qtbot, session)
    ask(qtbot, session, "two")
    assert [request.sampling for request in pipeline.requests] == [
        DEFAULT.sampling, DEFAULT.sampling, OWN.sampling
    ]  # fmt: skip


def test_a_recording_is_kept_where_the_user_wants_it(qtbot, talk, keeper):
    wants = [True]
    session, _ = talk(saying("x", frames=(FILM,)), keeps_recordings=lambda: wants[0])
    ask(qtbot, session, "one")
    wants[0] = False
    ask(qtbot, session, "two")
    assert [message_id for message_id, _ in keeper.films] == [session.path[1].id]
    assert [m.has_recording for m in session.path] == [False, True, False, False]


def test_a_recording_of_nothing_is_not_kept(qtbot, talk, keeper):
    session, _ = talk(saying("x"))
    ask(qtbot, session, "one")
    assert keeper.films == []
    assert not session.path[-1].has_recording


def test_a_chat_hears_nothing_of_another(qtbot, talk, keeper):
    gate = Gate()
    session, _ = talk(in_turn(stopped_at(gate, "Mine."), saying("Yours.")))
    other = ChatSession(session._bridge, keeper, chat_id="other", preset=DEFAULT, parent=session)
    drafts = []
    other.draft_changed.connect(drafts.append)
    session.send("mine")
    other.send("yours")
    gate.wait_reached()
    qtbot.waitUntil(lambda: session.draft is not None)
    session.stop()
    wait(qtbot, session)
    wait(qtbot, other)
    assert texts(session) == ["mine", "Mine."]
    assert texts(other) == ["yours", "Yours."]
    assert drafts == []
    assert {chat for chat, text in keeper.log if text in ("yours", "Yours.")} == {"other"}


def test_a_chat_from_the_disk_is_gone_on_with(qtbot, talk):
    first = Message(id="q", parent=None, role=Role.USER, text="Old?")
    second = Message(id="a", parent="q", role=Role.MODEL, text="Old.")
    old = Conversation().with_message(first).with_message(second)
    session, pipeline = talk(conversation=old)
    ask(qtbot, session, "New?")
    assert [text for _, text in said(pipeline.requests[0])] == ["Old?", "Old.", "New?"]


def test_a_failure_event_by_the_service_ends_the_answer(qtbot, talk):
    def script(request_id, _request, _cancelled):
        yield draft(request_id, ("x",))  # and no last event: the service makes one

    session, _ = talk(script)
    ask(qtbot, session, "q")
    assert session.path[-1].error.kind is ErrorKind.INTERNAL
