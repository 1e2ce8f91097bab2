"""An answer from its first noise to its footer: what is shown, what can be done, and what is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton

from app.state.progress import usage_details, usage_text
from app.ui.canvas.legend import Legend
from app.ui.chat import endings
from app.ui.widgets import IconButton
from engine.messages import (
    Channel,
    Committed,
    EngineError,
    ErrorKind,
    FinishReason,
    TokenState,
)
from tests.app.driving import press, say, seen, spoken, wait_idle
from tests.app.talks import answer, question, settle, show
from tests.fakes import FakePipeline, Gate, answering, draft, ending, usage

STORY = "Once a fox found a lantern by the river and carried it home."
ODD = "  tabs\tand   spaces \n\n**stars** <b>\n\ttrailing  "


def steps(*drafts, gates, then=STORY):
    """Shows the drafts one after the other, each until its gate is opened."""

    def script(request_id, request, cancelled):
        for number, (gate, values) in enumerate(zip(gates, drafts, strict=True), start=1):
            yield from values(request_id, number)
            gate.pass_through()
        yield from ending(request_id, then, FinishReason.END)

    return script


def thinking(*pieces, state=TokenState.PROVISIONAL):
    return lambda request_id, step: [
        draft(request_id, pieces, (state,) * len(pieces), channel=Channel.THOUGHT, step=step)
    ]


def writing(*pieces, state=TokenState.PROVISIONAL):
    return lambda request_id, step: [draft(request_id, pieces, (state,) * len(pieces), step=step)]


def thought_over(text):
    return lambda request_id, step: [
        Committed(request_id=request_id, canvas=0, channel=Channel.THOUGHT, text=text)
    ]


def one(running, text="An answer.", **values):
    show(running, (question(0, None), answer("a0", "q0", text, **values)))
    return running.window.chat.exchanges[0].answer


@pytest.mark.parametrize("first", [5, 200])
def test_nothing_moves_with_a_thought_above(qtbot, start, first):
    gates = [Gate() for _ in range(6)]
    script = steps(
        thinking(*(" hm",) * first),
        thought_over("hm " * first),
        writing(*(" word",) * 60),
        writing(*(" few",) * 4),
        writing(*(" word",) * 90),
        writing(STORY, state=TokenState.ACCEPTED),
        gates=gates,
    )
    running = start(FakePipeline(script))
    say(qtbot, running, "A question")
    view = running.window.chat.exchanges[0].answer
    qtbot.waitUntil(lambda: view.thought is not None and view.thought.text.count("hm") == first)
    assert view.canvas.shown_text == ""
    assert view.thought.title == "Thinking"
    gates[0].opened.set()
    gates[1].opened.set()
    places = []
    for gate, text in zip(gates[2:], (" word" * 60, " few" * 4, " word" * 90, STORY), strict=True):
        qtbot.waitUntil(lambda text=text: view.canvas.shown_text == text)
        settle()
        places.append(view.canvas.mapTo(running.window, QPoint(0, 0)))
        assert not view.thought.is_live
        gate.opened.set()
    wait_idle(qtbot, running)
    qtbot.waitUntil(lambda: spoken(running)[-1] == STORY)
    places.append(view.text.mapTo(running.window, QPoint(0, 0)))
    assert len({(place.x(), place.y()) for place in places}) == 1


def test_a_sure_word_of_the_answer_folds_the_thought_before_it_is_kept(qtbot, start):
    gates = [Gate(), Gate(), Gate()]

    def both(request_id, step):
        pieces = ("hm", " hm", "So", " be", " it")
        states = (TokenState.ACCEPTED,) * 3 + (TokenState.NOISE,) * 2
        made = draft(request_id, pieces, states, step=step)
        channels = bytes([Channel.THOUGHT] * 2 + [Channel.ANSWER] * 3)
        return [type(made)(**{**made.__dict__, "channels": channels})]

    script = steps(thinking("hm", " hm"), both, thought_over("hm hm"), gates=gates, then="So be it")
    running = start(FakePipeline(script))
    say(qtbot, running, "think")
    view = running.window.chat.exchanges[0].answer
    qtbot.waitUntil(lambda: view.thought is not None and view.thought.text == "hm hm")
    gates[0].opened.set()
    qtbot.waitUntil(lambda: view.canvas.shown_text == "So be it")
    assert view.thought.title == "Thinking"
    assert not view.thought.is_live
    gates[1].opened.set()
    qtbot.waitUntil(lambda: "2 words" in view.thought.title)
    gates[2].opened.set()
    wait_idle(qtbot, running)
    assert view.text.toPlainText() == "So be it"


def test_a_thought_that_goes_on_in_another_chat_is_whole_when_one_comes_back(qtbot, start):
    gates = [Gate(), Gate()]
    script = steps(
        lambda request_id, step: [
            *thought_over("First part. ")(request_id, step),
            *thinking("second", " part")(request_id, step),
        ],
        thinking("second", " part", " now"),
        gates=gates,
    )
    running = start(FakePipeline(script))
    say(qtbot, running, "think")
    view = running.window.chat.exchanges[0].answer
    qtbot.waitUntil(lambda: view.thought is not None and view.thought.text.endswith("second part"))
    session = running.session
    running.window.new_chat()
    settle()
    running.chats._show(session)
    settle()
    view = running.window.chat.exchanges[0].answer
    qtbot.waitUntil(lambda: view.thought.text == "First part. second part")
    gates[0].opened.set()
    qtbot.waitUntil(lambda: view.thought.text == "First part. second part now")
    gates[1].opened.set()
    wait_idle(qtbot, running)


def test_the_clipboard_has_exactly_the_text(qtbot, start):
    running = start()
    view = one(running, ODD)
    press(qtbot, view, "Copy the answer")
    assert QGuiApplication.clipboard().text() == ODD
    assert button_of(view, "Copied").isVisible()
    qtbot.waitUntil(lambda: button_of(view, "Copy the answer") is not None)  # it says so briefly


def button_of(view, name):
    return next(
        (each for each in view.findChildren(IconButton) if each.accessibleName() == name), None
    )


def test_figures_are_shown_explained_and_can_be_switched_off(qtbot, start):
    running = start()
    view = one(running)
    figures = next(each for each in view.findChildren(QLabel) if "tokens a step" in each.text())
    assert figures.text() == usage_text(usage())
    assert figures.toolTip() == usage_details(usage()) == figures.accessibleDescription()
    running.settings.change(show_figures=False)
    assert "tokens a step" not in seen(view)
    running.settings.change(show_figures=True)
    assert "tokens a step" in seen(view)


@pytest.mark.parametrize("reason", list(FinishReason))
def test_continue_is_offered_on_the_last_answer_where_the_model_can_write_on(qtbot, start, reason):
    running = start()
    first, second = question(0, None), question(1, "a0")
    messages = (
        first, answer("a0", "q0", "One.", reason=reason),
        second, answer("a1", "q1", "Two.", reason=reason),
    )  # fmt: skip
    session = show(running, messages)
    offered = [
        any(
            each.text() == "Continue" and each.isVisible()
            for each in view.findChildren(QPushButton)
        )
        for view in running.window.chat.exchanges
    ]
    assert offered == [False, session.can_continue(session.path[-1])]
    can = {
        FinishReason.STOPPED, FinishReason.LENGTH,
        FinishReason.CANVAS_EXHAUSTED, FinishReason.THOUGHT_EXHAUSTED,
    }  # fmt: skip
    assert offered[1] == (reason in can)


def test_continue_goes_on_and_is_gone(qtbot, start):
    pipeline = FakePipeline(answering(" And more."))
    running = start(pipeline)
    view = one(running, "It began.", reason=FinishReason.LENGTH)
    press(qtbot, view, "Continue")
    wait_idle(qtbot, running)
    assert running.session.path[-1].text == "It began. And more."
    assert "Continue" not in seen(view)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"text": "", "reason": FinishReason.STOPPED}, "Stopped before anything had settled."),
        ({"text": "Half", "reason": FinishReason.STOPPED}, "Stopped. What had settled is kept."),
        ({"text": "", "reason": FinishReason.END}, "The model answered with nothing."),
        ({"text": "", "was_empty": True}, "twice"),
        ({"text": "Yes.", "was_empty": True}, "asked once more"),
        ({"text": "Much", "reason": FinishReason.CONTEXT_FULL}, "This chat is full."),
    ],
)
def test_how_an_answer_ended_is_said_in_honest_words(qtbot, start, values, said):
    running = start()
    assert said in seen(one(running, **values))


def test_an_error_has_its_buttons_once(qtbot, start):
    running = start()
    error = EngineError(kind=ErrorKind.OUT_OF_MEMORY, message="Too little.", remedy="Close some.")
    view = one(running, "", reason=None, usage=None, error=error)
    words = seen(view).split("\n")
    assert [words.count(each) for each in ("Too little.", "Close some.", "Try again")] == [1, 1, 1]
    assert button_of(view, "Answer again") is None


def test_while_another_answer_is_written_nothing_else_can_be_asked(qtbot, start):
    gate = Gate()
    running = start(FakePipeline(steps(writing("some"), gates=[gate])))
    view = one(running, reason=FinishReason.LENGTH)
    again = button_of(view, "Answer again")
    assert again.isEnabled()
    say(qtbot, running, "next")
    qtbot.waitUntil(gate.reached.is_set)
    again = button_of(view, "Answer again")
    assert not again.isEnabled()
    gate.opened.set()
    wait_idle(qtbot, running)
    assert again.isEnabled()


def test_a_recording_is_opened(qtbot, start):
    running = start()
    asked = []
    object.__setattr__(running.window.around.actions, "replay", asked.append)
    view = one(running, has_recording=True)
    press(qtbot, view, "Watch how it was written")
    assert asked == ["a0"]


def test_the_legend_is_there_for_three_answers(qtbot, start):
    running = start(FakePipeline(answering("Words.")))
    shown = []
    for number in range(5):
        say(qtbot, running, f"question {number}")
        view = running.window.chat.exchanges[-1].answer
        qtbot.waitUntil(lambda: not running.session.is_busy)
        shown.append(running.settings.value.answers_made)
        assert view.legend is None  # with the answer it goes
        assert not any(each.isVisible() for each in view.findChildren(Legend))
    assert shown == [1, 2, 3, 3, 3]


def test_the_legend_stands_below_the_canvas_of_who_is_new_and_of_nobody_else(qtbot, start):
    for made, is_there in ((0, True), (2, True), (3, False)):
        gate = Gate()
        running = start(FakePipeline(steps(writing("some"), gates=[gate])))
        running.window.new_chat()
        running.settings.change(answers_made=made)
        say(qtbot, running, "hi")
        view = running.window.chat.exchanges[0].answer
        qtbot.waitUntil(lambda view=view: view.canvas.shown_text == "some")
        settle()
        assert (view.legend is not None) is is_there
        if view.legend is not None:
            assert view.legend.isVisible()
            assert view.legend.y() >= view.canvas.y() + view.canvas.height()
        gate.opened.set()
        wait_idle(qtbot, running)
        running.window.close()


def test_a_second_attempt_forgets_the_first_thought(qtbot, start):
    calls = []
    gate = Gate()

    def script(request_id, request, cancelled):
        calls.append(request)
        if len(calls) == 1:
            yield draft(request_id, ("hm",), channel=Channel.THOUGHT)
            yield Committed(request_id=request_id, canvas=0, channel=Channel.THOUGHT, text="hm")
            yield draft(request_id, (" ",))
            yield from ending(request_id, "", FinishReason.END)
            return
        yield draft(request_id, ("plain",))
        gate.pass_through()
        yield from ending(request_id, "Plain.", FinishReason.END)

    running = start(FakePipeline(script))
    say(qtbot, running, "hi")
    view = running.window.chat.exchanges[0].answer
    qtbot.waitUntil(lambda: view.canvas is not None and view.canvas.shown_text == "plain")
    assert view.thought is None
    gate.opened.set()
    wait_idle(qtbot, running)
    assert "asked once more" in seen(view)


def test_an_answer_that_ends_far_shorter_than_its_noise_stays_in_view(qtbot, start):
    gate = Gate()
    running = start(FakePipeline(steps(writing(*(" noise",) * 3000), gates=[gate], then="Short.")))
    say(qtbot, running, "long?")
    view = running.window.chat.exchanges[0]
    viewport = running.window.chat.viewport()
    qtbot.waitUntil(lambda: view.height() > 3 * viewport.height())
    gate.opened.set()
    wait_idle(qtbot, running)
    settle()
    top = view.answer.text.mapTo(viewport, QPoint(0, 0)).y()
    assert 0 <= top < viewport.height()


def test_a_screen_reader_hears_the_answer_and_how_it_ended():
    ended = answer("a0", "q0", "It began.", reason=FinishReason.LENGTH)
    assert endings.spoken(ended) == "It began.\nStopped at the length limit."
    error = EngineError(kind=ErrorKind.INTERNAL, message="It broke.", remedy="Try again.")
    assert endings.spoken(replace(ended, error=error)) == "It broke. Try again."
