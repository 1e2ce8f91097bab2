"""The window with the demo model itself: the same code as on a user's PC, nothing scripted."""

from __future__ import annotations

import time

from PySide6.QtCore import QMimeData, Qt

from app.__main__ import load
from app.state.engine_status import Phase
from engine.messages import Draft, ErrorKind, FinishReason
from tests.app.driving import field, say, seen, spoken

LONG = 120_000  # milliseconds; a busy PC may take that, an idle one takes two seconds


def start_ready(qtbot, start, model="demo"):
    running = start(load=load, model=model)
    ended = (Phase.READY, Phase.FAILED)
    qtbot.waitUntil(lambda: running.status.state.phase in ended, timeout=LONG)
    assert running.status.state.error is None
    return running


def wait_end(qtbot, running):
    qtbot.waitUntil(lambda: not running.session.is_busy, timeout=LONG)
    qtbot.wait(1)


def test_it_answers_stops_and_goes_on(qtbot, start):
    running = start_ready(qtbot, start)
    assert "Demo" in running.window.status_line.text or "demo" in running.window.status_line.text
    drafts: list[Draft] = []
    running.session.draft_changed.connect(drafts.append)

    say(qtbot, running, "Hello!")
    wait_end(qtbot, running)
    answer = running.session.path[-1]
    assert answer.error is None
    assert answer.text.strip()
    assert answer.usage.denoising_steps >= len(drafts) > 0
    assert spoken(running) == ["Hello!", answer.text]

    for prompt in ("Tell me a story about Mara and a silver lamp.", "Thank you!"):
        count = len(drafts)
        say(qtbot, running, prompt)
        qtbot.waitUntil(lambda count=count: len(drafts) > count, timeout=LONG)
        began = time.monotonic()
        qtbot.keyClick(field(running), Qt.Key.Key_Escape)
        wait_end(qtbot, running)
        assert time.monotonic() - began < 5
        last = running.session.path[-1]
        assert last.reason in (FinishReason.STOPPED, FinishReason.END)
        assert last.usage.reused_tokens > 0  # the earlier turns were not read again


def test_a_megabyte_is_refused_in_plain_words(qtbot, start):
    running = start_ready(qtbot, start)
    data = QMimeData()
    data.setText("word " * (1 << 18))
    field(running).insertFromMimeData(data)
    qtbot.keyClick(field(running), Qt.Key.Key_Return)
    wait_end(qtbot, running)
    error = running.session.path[-1].error
    words = seen(running.window.chat)
    assert error.message in words
    assert error.remedy in words
    assert error.kind is ErrorKind.PROMPT_TOO_LONG
    assert "Edit the message" in words
    say(qtbot, running, "Hello!")  # the model is unharmed
    wait_end(qtbot, running)
    assert running.session.path[-1].error is None


def test_closing_while_it_writes_is_prompt(qtbot, start):
    running = start_ready(qtbot, start)
    drafts: list[Draft] = []
    running.session.draft_changed.connect(drafts.append)
    say(qtbot, running, "Tell me a story. Make it long.")
    qtbot.waitUntil(lambda: bool(drafts), timeout=LONG)
    running.window.close()
    assert not running.session.is_busy
    again = start(load=load)
    qtbot.waitUntil(lambda: spoken(again)[:1] == ["Tell me a story. Make it long."])
