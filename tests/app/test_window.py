"""The window, driven with real keys around a scripted model: talking, stopping, starting again."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel

from app.settings import Scheme
from app.state.history.library import Library
from app.ui.text_view import TextView
from app.ui.theme import DARK, LIGHT
from engine.messages import (
    Channel,
    Committed,
    FinishReason,
    Role,
    TokenState,
)
from tests.app.driving import field, press, saved, say, seen, spoken, wait_chat, wait_idle
from tests.fakes import FakePipeline, Gate, answering, draft, ending

STORY = "Once a fox found a lantern by the river and carried it home."


def waiting_at(gate: Gate, pieces=("Kept.", " noise")):
    """Shows one draft, then waits to be stopped; keeps the first piece."""

    def script(request_id, request, cancelled):
        states = (TokenState.ACCEPTED,) + (TokenState.NOISE,) * (len(pieces) - 1)
        yield draft(request_id, pieces, states, step=3)
        gate.until_cancelled(cancelled)
        yield from ending(request_id, pieces[0], FinishReason.STOPPED)

    return script


def test_a_typed_message_is_answered(qtbot, start):
    running = start(FakePipeline(answering(STORY)))
    say(qtbot, running, "Tell me a story")
    assert field(running).toPlainText() == ""
    wait_idle(qtbot, running)
    assert spoken(running) == ["Tell me a story", STORY]
    words = seen(running.window)
    assert "tokens a step" in words
    assert "tokens/s" in words


def test_the_canvas_shows_each_draft_and_the_line_below_says_where_it_is(qtbot, start):
    gate = Gate()
    running = start(FakePipeline(waiting_at(gate)))
    say(qtbot, running, "hi")
    (exchange,) = running.window.chat.exchanges
    qtbot.waitUntil(lambda: exchange.canvas.shown_text == "Kept. noise")
    assert "Canvas 1 · step 3 of at most 48" in running.window.status_line.text
    qtbot.keyClick(field(running), Qt.Key.Key_Escape)
    wait_idle(qtbot, running)
    assert spoken(running) == ["hi", "Kept."]
    assert "What had settled is kept" in seen(exchange)


def test_the_stop_button_stops(qtbot, start):
    gate = Gate()
    running = start(FakePipeline(waiting_at(gate)))
    say(qtbot, running, "hi")
    qtbot.waitUntil(gate.reached.is_set)
    press(qtbot, running.window.composer, "Stop")
    wait_idle(qtbot, running)
    assert running.session.path[-1].reason is FinishReason.STOPPED


def test_a_message_typed_before_the_model_is_ready_is_answered_when_it_is(qtbot, start):
    gate, pipeline = Gate(), FakePipeline(answering("Here now."))

    def load(request, report, cancelled):
        report("Reading the model", 1, 4)
        gate.pass_through()
        return pipeline

    running = start(load=load)
    qtbot.waitUntil(gate.reached.is_set)
    qtbot.waitUntil(lambda: "Reading the model · 25 %" in running.window.status_line.text)
    say(qtbot, running, "are you there?")
    assert running.session.is_busy
    assert pipeline.seen == []
    gate.opened.set()
    wait_idle(qtbot, running)
    assert spoken(running) == ["are you there?", "Here now."]


def test_the_next_turn_knows_what_was_said(qtbot, start):
    pipeline = FakePipeline(answering("Mossy."))
    running = start(pipeline)
    for text in ("My frog is called?", "Say it again"):
        say(qtbot, running, text)
        wait_idle(qtbot, running)
    turns = [(turn.role, turn.parts[0].text) for turn in pipeline.requests[-1].turns]
    assert turns == [
        (Role.USER, "My frog is called?"),
        (Role.MODEL, "Mossy."),
        (Role.USER, "Say it again"),
    ]


def test_an_answer_of_several_canvases_grows(qtbot, start):
    def script(request_id, request, cancelled):
        for canvas in range(3):
            yield draft(request_id, (f"part {canvas} noise",), canvas=canvas)
            yield Committed(
                request_id=request_id,
                canvas=canvas,
                channel=Channel.ANSWER,
                text=f"Part {canvas}. ",
            )
        yield from list(ending(request_id, "", FinishReason.END))

    running = start(FakePipeline(script))
    say(qtbot, running, "go on")
    wait_idle(qtbot, running)
    assert running.session.path[-1].text == "Part 0. Part 1. Part 2. "


def test_thoughts_are_kept_apart(qtbot, start):
    def script(request_id, request, cancelled):
        yield draft(request_id, ("hmm",), channel=Channel.THOUGHT)
        yield Committed(request_id=request_id, canvas=0, channel=Channel.THOUGHT, text="hmm")
        yield from ending(request_id, "Said.", FinishReason.END)

    running = start(FakePipeline(script))
    say(qtbot, running, "think")
    wait_idle(qtbot, running)
    assert spoken(running) == ["think", "Said."]
    assert running.session.path[-1].thought == "hmm"


def test_nothing_moves_while_the_answer_is_written_or_when_it_settles(qtbot, start):
    gates = [Gate() for _ in range(4)]
    drafts = [(" a word",) * 60, (" few",) * 4, (" a word",) * 90, (STORY,)]

    def script(request_id, request, cancelled):
        for step, (gate, pieces) in enumerate(zip(gates, drafts, strict=True), start=1):
            yield draft(request_id, pieces, step=step)
            gate.pass_through()
        yield from ending(request_id, STORY, FinishReason.END)

    running = start(FakePipeline(script))
    window = running.window
    say(qtbot, running, "A question")
    (exchange,) = window.chat.exchanges
    places = []
    for gate, pieces in zip(gates, drafts, strict=True):
        qtbot.waitUntil(lambda pieces=pieces: exchange.canvas.shown_text == "".join(pieces))
        places.append(exchange.canvas.mapTo(window, QPoint(0, 0)))
        gate.opened.set()
    wait_idle(qtbot, running)
    qtbot.waitUntil(lambda: len(spoken(running)) == 2)
    view = next(v for v in exchange.findChildren(TextView) if v.accessibleName() == "Answer")
    places.append(view.mapTo(window, QPoint(0, 0)))
    assert len({(place.x(), place.y()) for place in places}) == 1


def test_a_new_question_stands_at_the_top_with_room_below(qtbot, start):
    running = start(FakePipeline(answering(STORY)))
    chat = running.window.chat
    for i in range(4):
        say(qtbot, running, f"question {i}")
        wait_idle(qtbot, running)
    last = chat.exchanges[-1]
    qtbot.waitUntil(lambda: last.mapTo(chat.viewport(), QPoint(0, 0)).y() == 0)
    assert last.height() == chat.viewport().height()


def test_a_scroll_bar_moves_nothing_sideways(qtbot, start):
    running = start(FakePipeline(answering(STORY)))
    chat, composer = running.window.chat, running.window.composer
    for i in range(3):
        say(qtbot, running, f"question {i}")
        wait_idle(qtbot, running)
        last = chat.exchanges[-1]
        assert (
            last.mapTo(running.window, QPoint(0, 0)).x()
            == composer.mapTo(running.window, QPoint(0, 0)).x()
        )
        assert last.width() == composer.width()
    assert chat.verticalScrollBar().maximum() > 0


def test_the_view_stays_where_the_user_scrolled(qtbot, start):
    gate = Gate()
    long = tuple(f" word{i}" for i in range(1200))

    def script(request_id, request, cancelled):
        yield draft(request_id, long)
        gate.pass_through()
        yield draft(request_id, long * 2, step=2)
        yield from ending(request_id, "".join(long * 2), FinishReason.END)

    running = start(FakePipeline(script))
    bar = running.window.chat.verticalScrollBar()
    say(qtbot, running, "long")
    qtbot.waitUntil(lambda: bar.maximum() > 300 and bar.value() == bar.maximum())
    bar.setValue(100)
    gate.opened.set()
    wait_idle(qtbot, running)
    assert bar.value() == 100


def test_suggestions_are_sent(qtbot, start):
    pipeline = FakePipeline(answering("Hello!"))
    running = start(pipeline)
    assert running.window.empty_state.isVisible()
    press(qtbot, running.window.empty_state, "Hello! Who are you?")
    wait_idle(qtbot, running)
    assert pipeline.seen == ["Hello! Who are you?"]
    assert not running.window.empty_state.isVisible()


def test_the_demo_model_is_labelled(qtbot, start):
    running = start()
    qtbot.waitUntil(lambda: "knows almost nothing" in running.window.status_line.text)


def test_what_is_typed_and_said_is_there_at_the_next_start(qtbot, start, paths):
    first = start(FakePipeline(answering("Noted.")))
    say(qtbot, first, "Remember me")
    wait_idle(qtbot, first)
    qtbot.keyClicks(field(first), "half a sent")
    first.window.close()
    second = start(FakePipeline(answering("Again.")))
    wait_chat(qtbot, second, ["Remember me", "Noted."])
    assert field(second).toPlainText() == "half a sent"
    say(qtbot, second, "ence")
    wait_idle(qtbot, second)
    assert spoken(second)[2:] == ["half a sentence", "Again."]


def test_typing_is_on_disk_without_closing(qtbot, start, paths):
    running = start()
    qtbot.keyClicks(field(running), "unsent words")
    qtbot.waitUntil(lambda: [chat.unsent.typed for chat in saved(paths)] == ["unsent words"])


def test_what_has_settled_is_on_disk_while_the_answer_goes_on(qtbot, start, paths):
    gate = Gate()

    def script(request_id, request, cancelled):
        yield Committed(request_id=request_id, canvas=0, channel=Channel.ANSWER, text="First. ")
        gate.until_cancelled(cancelled)
        yield from list(ending(request_id, "", FinishReason.STOPPED))

    running = start(FakePipeline(script))
    say(qtbot, running, "two canvases")

    def texts():
        return [message.text for chat in saved(paths) for message in chat.conversation.path]

    qtbot.waitUntil(lambda: texts() == ["two canvases", "First. "])
    assert running.session.is_busy


def test_a_message_is_on_disk_before_the_model_sees_it(qtbot, start, paths):
    found = []

    def script(request_id, request, cancelled):
        found.append([m.text for chat in saved(paths) for m in chat.conversation.path])
        yield from ending(request_id, "Seen.", FinishReason.END)

    running = start(FakePipeline(script))
    say(qtbot, running, "precious")
    wait_idle(qtbot, running)
    assert found == [["precious", ""]]


def test_a_new_chat_leaves_the_old_one_in_the_list(qtbot, start, paths):
    pipeline = FakePipeline(answering("Old answer."))
    running = start(pipeline)
    say(qtbot, running, "old question")
    wait_idle(qtbot, running)
    press(qtbot, running.window.chat_list, "New chat")
    assert running.window.empty_state.isVisible()
    say(qtbot, running, "new question")
    wait_idle(qtbot, running)
    assert len(pipeline.requests[-1].turns) == 1
    chats = running.window.chat_list
    qtbot.waitUntil(lambda: chats.titles == ("new question", "old question"))
    rect = chats.view.visualRect(chats.view.model().index(1, 0))
    qtbot.mouseClick(chats.view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    wait_chat(qtbot, running, ["old question", "Old answer."])
    assert running.window.header.title == "old question"


def test_a_disk_that_refuses_is_told_and_the_model_answers_all_the_same(qtbot, start, monkeypatch):
    save = Library.save
    monkeypatch.setattr(
        Library, "save", lambda self, chat, messages, leaf, on_saved=None: (
            save(self, chat, messages, leaf),
            on_saved and on_saved(False),
        ),
    )  # fmt: skip
    running = start(FakePipeline(answering("Here.")))
    say(qtbot, running, "hello")
    wait_idle(qtbot, running)
    assert spoken(running) == ["hello", "Here."]


def test_every_label_shows_its_text_as_it_is(qtbot, start):
    running = start(FakePipeline(answering("<b>not bold</b> ![x](file:///etc/hostname)")))
    say(qtbot, running, "<img src='file:///etc/hostname'>")
    wait_idle(qtbot, running)
    labels = running.window.findChildren(QLabel)
    assert labels
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)
    qtbot.waitUntil(lambda: running.window.chat.exchanges[0].answer.text.is_rich)
    question, answer = spoken(running)
    assert question == "<img src='file:///etc/hostname'>"
    assert "<b>not bold</b>" in answer
    assert "file:///etc/hostname" in answer


def test_dark_and_light_change_at_once(qtbot, start, theme):
    running = start(FakePipeline(answering(STORY)))
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    theme.set_scheme(Scheme.DARK)
    try:
        corner = running.window.grab().toImage().pixelColor(3, 3)
        assert corner.name().upper() == DARK.window
    finally:
        theme.set_scheme(Scheme.LIGHT)
    assert running.window.grab().toImage().pixelColor(3, 3).name().upper() == LIGHT.window
