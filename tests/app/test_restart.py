"""A GPU that is lost: said once, nothing lost, and a new process that shows what the old one did."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QPushButton, QWidget

from app.paths import ASSETS
from app.restart import Shown, command
from app.state.engine_status import Phase
from engine.faults import LOST
from engine.messages import EngineError, EngineFault, ErrorKind
from tests.app.driving import field, press, saved, say, seen, wait_idle
from tests.fakes import FakePipeline, answering

FAILS_ONCE = answering("Hello there.")


def breaks(request_id, request, cancelled):
    """Answers the first question; the second one costs the GPU."""
    if "second" in request.turns[-1].parts[0].text:
        raise EngineFault(LOST.kind, LOST.message, LOST.remedy)
    yield from FAILS_ONCE(request_id, request, cancelled)


def test_a_lost_gpu_is_said_and_a_restart_is_offered(qtbot, start, paths):
    pipeline = FakePipeline(breaks)
    running = start(pipeline)
    asked: list[bool] = []
    running.status.restart_requested.connect(lambda: asked.append(True))
    say(qtbot, running, "the first one")
    wait_idle(qtbot, running)
    say(qtbot, running, "the second one")
    wait_idle(qtbot, running)
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.FAILED)
    assert running.status.state.is_lost
    words = seen(running.window.notice).split("\n")
    assert LOST.message in words
    assert "Restart Redraft" in words
    assert "Try again" not in words
    seen_before = len(pipeline.seen)
    say(qtbot, running, "a third one")  # is asked of nobody, and kept
    wait_idle(qtbot, running)
    assert len(pipeline.seen) == seen_before
    assert not pipeline.closed
    qtbot.keyClicks(field(running), "and this is half typed")
    press(qtbot, running.window.notice, "Restart Redraft")
    assert asked == [True]
    running.shut_down()
    (chat,) = saved(paths)
    texts = [message.text for message in chat.conversation.messages.values()]
    assert {"the first one", "Hello there.", "the second one", "a third one"} <= set(texts)
    assert chat.unsent.text == "and this is half typed"


def test_another_fault_is_still_tried_again(qtbot, start):
    def load(request, report, cancelled):
        raise EngineFault(LOST.kind.MODEL_MISSING, "There is no model here.", "Choose another.")

    running = start(load=load)
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.FAILED)
    assert "Try again" in seen(running.window.notice)
    assert "Restart" not in seen(running.window.notice)


def test_the_window_stands_where_it_stood(qtbot, start, theme):
    running = start()
    first, second = QWidget(), QWidget()
    for widget in (first, second):
        qtbot.addWidget(widget)
    first.resize(QSize(500, 333))
    first.show()
    Shown.of(first, running.chats).show_again(second, running.chats)
    assert second.size() == QSize(500, 333)
    Shown(geometry="no base64!").show_again(second, running.chats)  # a hand-made one does no harm


def test_the_command_is_the_one_that_started_it():
    shown = Shown(chat_id="abc", geometry="Zm9v")
    original = ["python", "-X", "utf8", "-m", "app", "--theme", "dark"]
    line = command(shown, original)
    assert line[1:] == [*original[1:], "--show-chat", "abc", "--geometry", "Zm9v"]
    again = command(Shown(chat_id="new", geometry="YmFy"), line)
    assert again[1:] == [*original[1:], "--show-chat", "new", "--geometry", "YmFy"]


PROGRAM = """
import os, sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QPlainTextEdit
import app.__main__ as program
from engine.messages import EngineError, EngineFault, ErrorKind
from tests.app.test_restart import breaks
from tests.fakes import FakePipeline, no_jobs

is_second = "--show-chat" in sys.argv
program.load = FakePipeline(breaks).load
program.run_job = no_jobs
build = program.build
steps = []

def driven(*given):
    running = build(*given)
    window = running.window

    def texts():
        return [message.text for message in running.session.path]

    def first():
        if not running.status.state.ready or running.session.is_busy:
            return
        if not texts():
            running.chats.current.send("an older chat")
        elif texts()[0] == "an older chat" and not steps:
            steps.append("older")
            running.chats.new()
            running.chats.current.send("the shown chat")
            QTimer.singleShot(0, lambda: None)
        elif len(texts()) == 2 and texts()[0] == "the shown chat" and steps == ["older"]:
            steps.append("shown")
            window.resize(795, 602)
            running.chats.current.send("the second one")
    def lost():
        if running.status.state.is_lost and not running.session.is_busy and "typed" not in steps:
            steps.append("typed")
            window.composer.findChild(QPlainTextEdit).setPlainText("half typed")
            # the other chat is the latest one now: a plain start would show it
            others = [each.id for each in running.chats.summaries if each.id != running.session.chat_id]
            running.chats.rename(others[0], "An older one")
            QTimer.singleShot(300, running.status.load)  # what the button does
    def second():
        if texts()[:1] == ["the shown chat"]:
            typed = window.composer.findChild(QPlainTextEdit).toPlainText()
            print("again", os.getpid(), window.width(), window.height(), texts(), typed, flush=True)
            timer.stop()
            window.close()

    timer = QTimer(window)
    for each in (second,) if is_second else (first, lost):
        timer.timeout.connect(each)
    timer.start(20)
    return running

program.build = driven
print("start", os.getpid(), flush=True)
sys.exit(program.main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the folders are set as Linux knows them")
def test_a_real_process_starts_again_in_its_place(tmp_path: Path):
    home = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True, text=True, check=False, cwd=ASSETS.parent, timeout=120,
        env={**os.environ, **home, "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    begun, begun_again, shown = done.stdout.splitlines()
    assert begun == begun_again  # the same process id: nothing of the old one is left
    pid = begun.split()[1]
    expected = ["the shown chat", "Hello there.", "the second one", ""]
    assert shown == f"again {pid} 795 602 {expected} half typed"


def test_the_notice_goes_back_to_its_usual_word(qtbot, start):
    running = start()
    notice = running.window.notice
    notice.tell("Lost.", "Do.", can_retry=True, retry="Restart Redraft")
    notice.tell("Failed.", "Do.", can_retry=True)
    words = [button.text() for button in notice.findChildren(QPushButton)]
    assert "Try again" in words
    assert "Restart Redraft" not in words


def test_what_is_told_beside_an_answer_is_shown_with_its_remedy(qtbot, start):
    told = EngineError(kind=ErrorKind.SLOWER, message="The memory is full.", remedy="Close games.")

    def slow(request_id, request, cancelled):
        *events, end = FAILS_ONCE(request_id, request, cancelled)
        yield from events
        yield replace(end, notice=told)

    running = start(FakePipeline(slow))
    say(qtbot, running, "hello")
    wait_idle(qtbot, running)
    qtbot.waitUntil(running.window.notice.isVisible)
    assert running.window.notice.text == "The memory is full. Close games."
    assert "Try again" not in seen(running.window.notice)
