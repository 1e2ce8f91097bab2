"""Everything that goes wrong is one plain sentence with what to do next, and nothing is lost."""

from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QMimeData, Qt

from engine.messages import EngineFault, ErrorKind, FinishReason
from tests.app.driving import field, press, say, seen, spoken, wait_chat, wait_idle
from tests.fakes import FakePipeline, Gate, answering, draft, ending, prompt_of

TOO_LONG = EngineFault(
    ErrorKind.PROMPT_TOO_LONG,
    "Your message is too long for this model.",
    "Shorten it, or send it in parts.",
)


def failing_once(error: BaseException, then: str = "Fine now."):
    """Fails in mid-generation the first time, answers the next."""
    calls = []

    def script(request_id, request, cancelled):
        calls.append(request)
        yield draft(request_id, ("half", " done"))
        if len(calls) == 1:
            raise error
        yield from ending(request_id, then, FinishReason.END)

    return script


def paste(running, text: str) -> None:
    data = QMimeData()
    data.setText(text)
    field(running).insertFromMimeData(data)


def test_an_exception_in_mid_generation_is_told_plainly_and_tried_again(qtbot, start):
    running = start(FakePipeline(failing_once(RuntimeError("expected scalar type Float"))))
    say(qtbot, running, "my question")
    wait_idle(qtbot, running)
    words = seen(running.window)
    assert "Something went wrong inside the engine." in words
    assert "scalar type" not in words
    assert "Traceback" not in words
    assert spoken(running) == ["my question"]
    press(qtbot, running.window, "Try again")
    wait_idle(qtbot, running)
    assert spoken(running) == ["my question", "Fine now."]


def test_a_failed_message_is_brought_back_to_be_edited(qtbot, start):
    pipeline = FakePipeline(failing_once(TOO_LONG))
    running = start(pipeline)
    say(qtbot, running, "far too long")
    wait_idle(qtbot, running)
    assert "Shorten it, or send it in parts." in seen(running.window)
    qtbot.keyClicks(field(running), "typed since")
    press(qtbot, running.window, "Edit the message")
    assert field(running).toPlainText() == "far too long\n\ntyped since"
    assert running.session.path == ()
    qtbot.keyClick(field(running), Qt.Key.Key_Return)
    wait_idle(qtbot, running)
    assert pipeline.seen[-1] == "far too long\n\ntyped since"
    assert len(pipeline.requests[-1].turns) == 1  # the failed attempt is no context


def test_an_empty_message_is_not_sent(qtbot, start):
    pipeline = FakePipeline(answering("?"))
    running = start(pipeline)
    for text in ("", "   ", "\u200b\u200d", "\u202e"):
        field(running).setPlainText(text)
        qtbot.keyClick(field(running), Qt.Key.Key_Return)
        assert not running.session.is_busy
    assert pipeline.seen == []


def test_a_megabyte_is_sent_whole_and_its_refusal_is_plain(qtbot, start):
    text = "word " * (1 << 18)
    pipeline = FakePipeline(failing_once(TOO_LONG))
    running = start(pipeline)
    slowest = 0.0
    for step in (lambda: paste(running, text),
                 lambda: qtbot.keyClick(field(running), Qt.Key.Key_Return),
                 lambda: wait_idle(qtbot, running)):  # fmt: skip
        began = time.thread_time()
        step()
        slowest = max(slowest, time.thread_time() - began)
    assert slowest < 2.0
    assert pipeline.seen == [text]
    assert "too long" in seen(running.window)
    press(qtbot, running.window, "Edit the message")
    assert running.window.composer.unsent.pasted == text


def test_a_megabyte_in_one_line_does_not_freeze_the_window(qtbot, start):
    running = start()
    began = time.thread_time()
    paste(running, "x" * (1 << 20))
    qtbot.keyClick(field(running), Qt.Key.Key_Return)
    wait_idle(qtbot, running)
    running.window.grab()
    assert time.thread_time() - began < 3.0
    assert "more characters" in spoken(running)[0]


@pytest.mark.parametrize(
    ("given", "arrives", "shows"),
    [
        ("a\ud800b", "a\ufffdb", "a\ufffdb"),
        ("pay \u202e001 me", "pay \u202e001 me", "pay \ufffd001 me"),
        ("zero\u200bwidth\u200d", "zero\u200bwidth\u200d", "zero\u200bwidth\u200d"),
        ("nul\x00 esc\x1b", None, "nul\ufffd esc\ufffd"),
    ],
)
def test_odd_characters_are_sent_as_they_are_and_shown_safely(qtbot, start, given, arrives, shows):
    pipeline = FakePipeline(
        lambda request_id, request, cancelled: ending(
            request_id, prompt_of(request), FinishReason.END
        )
    )
    running = start(pipeline)
    running.status.load()
    assert running.session.send(given)
    wait_idle(qtbot, running)
    if arrives is not None:
        assert pipeline.seen == [arrives]
    assert spoken(running) == [shows, shows]
    pipeline.seen[0].encode()


@pytest.mark.parametrize(
    "kind", [ErrorKind.MODEL_MISSING, ErrorKind.MODEL_BROKEN, ErrorKind.MODEL_UNSUPPORTED]
)
def test_a_model_that_cannot_be_loaded_is_told_and_the_message_waits(qtbot, start, kind):
    attempts = []

    def load(request, report, cancelled):
        attempts.append(request)
        if len(attempts) == 1:
            raise EngineFault(kind, "This model cannot be used.", "Choose another folder.", "trace")
        return FakePipeline(answering("At last."))

    running = start(load=load, model="/models/broken")
    qtbot.waitUntil(running.window.notice.isVisible)
    assert running.window.notice.text == "This model cannot be used. Choose another folder."
    say(qtbot, running, "hello?")
    wait_idle(qtbot, running)
    words = seen(running.window.chat)
    assert "The model could not be loaded. This model cannot be used." in words
    assert spoken(running) == ["hello?"]
    assert not running.window.notice.isVisible()  # said once is enough
    press(qtbot, running.window.chat, "Try again")  # loads the model again, then asks
    wait_idle(qtbot, running)
    assert spoken(running) == ["hello?", "At last."]
    assert not running.window.notice.isVisible()


def test_the_notice_loads_again(qtbot, start):
    attempts = []

    def load(request, report, cancelled):
        attempts.append(request)
        if len(attempts) == 1:
            raise RuntimeError("weird")
        return FakePipeline(answering("x"))

    running = start(load=load)
    qtbot.waitUntil(running.window.notice.isVisible)
    assert "weird" not in seen(running.window)
    press(qtbot, running.window.notice, "Try again")
    qtbot.waitUntil(lambda: "Test model" in running.window.status_line.text)
    assert not running.window.notice.isVisible()


def test_closing_in_mid_generation_keeps_what_has_settled(qtbot, start):
    gate = Gate()

    def script(request_id, request, cancelled):
        yield draft(request_id, ("Settled.", " noise"))
        gate.until_cancelled(cancelled)
        yield from ending(request_id, "Settled.", FinishReason.STOPPED)

    running = start(FakePipeline(script))
    say(qtbot, running, "a question")
    qtbot.keyClicks(field(running), "next one")
    qtbot.waitUntil(gate.reached.is_set)
    began = time.monotonic()
    running.window.close()
    assert time.monotonic() - began < 2.0
    assert not any(thread.name.startswith("redraft") for thread in threading.enumerate())
    again = start()
    wait_chat(qtbot, again, ["a question", "Settled."])
    assert "What had settled is kept" in seen(again.window)
    assert field(again).toPlainText() == "next one"


def test_closing_while_the_model_loads_is_prompt(qtbot, start):
    gate = Gate()

    def load(request, report, cancelled):
        gate.until_cancelled(cancelled)
        return FakePipeline(answering("x"))

    running = start(load=load)
    qtbot.waitUntil(gate.reached.is_set)
    say(qtbot, running, "waiting")
    running.window.close()
    assert running.session.path[0].text == "waiting"
    assert not running.session.is_busy


def test_closing_at_once_does_not_harm(start):
    for _ in range(5):
        start().window.close()


def test_a_history_that_cannot_be_read_is_told_and_kept(qtbot, start, paths):
    (paths.data / "chats.sqlite").write_bytes(b"{broken" * 1000)
    running = start()
    qtbot.waitUntil(running.window.notice.isVisible)
    assert "damaged" in running.window.notice.text
    qtbot.waitUntil(lambda: "Test model" in running.window.status_line.text)
    assert running.window.notice.isVisible()  # the model being ready does not wipe it away
    kept = [file for file in paths.data.iterdir() if file.read_bytes()[:7] == b"{broken"]
    assert kept
    say(qtbot, running, "still here?")
    wait_idle(qtbot, running)
    assert spoken(running) == ["still here?", "Hello there, friend."]


def test_settings_that_cannot_be_read_are_told_and_kept(qtbot, start, paths):
    paths.settings.write_bytes(b"{broken")
    running = start()
    assert running.window.notice.isVisible()
    assert "settings" in running.window.notice.text.lower()
    kept = [file for file in paths.data.iterdir() if file.read_bytes()[:7] == b"{broken"]
    assert kept
