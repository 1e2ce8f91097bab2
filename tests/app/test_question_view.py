"""A question: copied, said in other words, or left as it was."""

from __future__ import annotations

import math

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton

from app.settings import SendKey
from app.state.text import SHOWN_COST
from app.ui.text_view import TextView
from app.ui.widgets import IconButton
from engine.messages import FinishReason
from tests.app.driving import field, press, say, seen, spoken, wait_idle
from tests.app.talks import answer, question, settle, show
from tests.fakes import FakePipeline, Gate, answering, draft, ending

ASKED = "What is  a lantern?\n\n\tReally."


def view_of(running, place=0):
    return running.window.chat.exchanges[place].question


def edit(qtbot, running, place=0):
    view = view_of(running, place)
    press(qtbot, view, "Edit and ask again")
    settle()
    assert view.editor is not None
    assert QApplication.focusWidget() is view.editor._input
    return view


def shown_one(running, text=ASKED):
    return show(running, (question(0, None, text), answer("a0", "q0", "A light.")))


def waiting(gate):
    def script(request_id, request, cancelled):
        yield draft(request_id, ("being", " written"))
        gate.until_cancelled(cancelled)
        yield from ending(request_id, "Half.", FinishReason.STOPPED)

    return script


def test_the_clipboard_has_exactly_the_text(qtbot, start):
    running = start()
    shown_one(running)
    press(qtbot, view_of(running), "Copy the message")
    assert QGuiApplication.clipboard().text() == ASKED


def test_enter_asks_in_other_words_and_the_old_question_is_kept(qtbot, start):
    pipeline = FakePipeline(answering("A lamp."))
    running = start(pipeline)
    session = shown_one(running)
    view = edit(qtbot, running)
    assert view.editor.text == ASKED
    qtbot.keyClicks(view.editor._input, " Tell me")
    qtbot.keyClick(view.editor._input, Qt.Key.Key_Return)
    settle()
    assert QApplication.focusWidget() is field(running)
    wait_idle(qtbot, running)
    assert pipeline.seen == [f"{ASKED} Tell me"]
    assert spoken(running) == [f"{ASKED} Tell me", "A lamp."]
    assert "2 of 2" in seen(view_of(running))
    press(qtbot, view_of(running), "Earlier variant")
    settle()
    assert spoken(running) == [ASKED, "A light."]
    assert view_of(running).editor is None
    assert len(session.conversation.messages) == 4


@pytest.mark.parametrize("where", ["field", "button"])
def test_escape_leaves_everything_as_it_was_and_stops_nothing(qtbot, start, where):
    gate = Gate()
    running = start(FakePipeline(waiting(gate)))
    session = shown_one(running)
    say(qtbot, running, "another")
    qtbot.waitUntil(gate.reached.is_set)
    view = edit(qtbot, running)
    qtbot.keyClicks(view.editor._input, " changed")
    if where == "button":
        next(e for e in view.editor.findChildren(QPushButton) if e.text() == "Ask again").setFocus()
    path = session.path
    qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    settle()
    assert view.editor is None
    assert spoken(running)[0] == ASKED
    assert session.is_busy
    assert session.path == path
    assert running.window.isVisible()
    assert isinstance(QApplication.focusWidget(), IconButton)
    qtbot.keyClick(field(running), Qt.Key.Key_Escape)  # now it is the window's again
    wait_idle(qtbot, running)
    assert session.path[-1].reason is FinishReason.STOPPED


def test_while_an_answer_is_written_the_editor_stays_and_says_why(qtbot, start):
    gate = Gate()
    running = start(FakePipeline(waiting(gate)))
    session = shown_one(running)
    say(qtbot, running, "another")
    qtbot.waitUntil(gate.reached.is_set)
    view = edit(qtbot, running)
    qtbot.keyClicks(view.editor._input, " changed")
    qtbot.keyClick(view.editor._input, Qt.Key.Key_Return)
    assert view.editor.text == f"{ASKED} changed"
    assert "Another answer is being written" in seen(view.editor)
    session.stop()
    wait_idle(qtbot, running)
    assert "Another answer" not in seen(view.editor)
    assert view.editor.text == f"{ASKED} changed"


def test_nothing_is_not_asked(qtbot, start):
    pipeline = FakePipeline(answering("?"))
    running = start(pipeline)
    shown_one(running)
    view = edit(qtbot, running)
    view.editor._input.selectAll()
    qtbot.keyClick(view.editor._input, Qt.Key.Key_Delete)
    press(qtbot, view.editor, "Ask again")
    assert "nothing to ask" in seen(view.editor)
    assert pipeline.seen == []


def test_a_paste_that_is_too_long_is_told(qtbot, start):
    running = start()
    shown_one(running)
    view = edit(qtbot, running)
    data = QMimeData()
    data.setText("y" * 50_000)
    view.editor._input.insertFromMimeData(data)
    assert view.editor.text == ASKED
    assert "too long to be edited here" in seen(view.editor)
    qtbot.keyClicks(view.editor._input, "!")
    assert "too long" not in seen(view.editor)


def test_the_editor_sends_with_the_key_of_the_composer(qtbot, start):
    pipeline = FakePipeline(answering("Yes."))
    running = start(pipeline)
    running.settings.change(send_key=SendKey.CTRL_ENTER)
    shown_one(running, "One")
    view = edit(qtbot, running)
    qtbot.keyClick(view.editor._input, Qt.Key.Key_Return)
    qtbot.keyClicks(view.editor._input, "two")
    assert pipeline.seen == []
    qtbot.keyClick(view.editor._input, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    wait_idle(qtbot, running)
    assert pipeline.seen == ["One\ntwo"]


def test_a_huge_question_is_shown_in_part_and_not_edited_in_a_field(qtbot, start):
    running = start()
    shown_one(running, "word " * 100_000)
    view = view_of(running)
    view.begin_edit()
    assert view.editor is None
    assert "Edit and ask again" not in [
        each.accessibleName() for each in view.findChildren(IconButton) if each.isVisible()
    ]
    assert "more characters" in spoken(running)[0]


def test_of_a_huge_question_a_part_is_laid_out_and_only_once(qtbot, start, monkeypatch):
    """Once the talk knows how wide it is; each layout of a text in Japanese takes its time."""
    text = "名前は、" * 100_000
    layouts = []
    take = TextView.take
    monkeypatch.setattr(
        TextView, "take", lambda *asked: (layouts.append(asked[1].toPlainText()), take(*asked))
    )
    running = start()
    shown_one(running, text)
    of_the_question = [each for each in layouts if "名前" in each]
    assert len(of_the_question) == 1
    assert len(of_the_question[0].encode()) <= SHOWN_COST + 200
    press(qtbot, view_of(running), "Copy the message")
    assert QGuiApplication.clipboard().text() == text


@pytest.mark.parametrize("text", ["Hi", "a\nlonger line\n", "word " * 90, "日本語の" * 40, "\n\n"])
@pytest.mark.parametrize("widest", [90, 300, 528])
def test_a_text_is_fitted_as_two_layouts_would_do_it(qtbot, theme, text, widest):
    """The first without bounds, for the width; the second for the height."""
    view = TextView("", "x")
    qtbot.addWidget(view)
    view.show_fitted(text, widest)
    other = TextView(text, "x")
    qtbot.addWidget(other)
    wanted = other.document()
    wanted.setTextWidth(-1)
    width = min(widest, math.ceil(wanted.idealWidth()) + 1)
    wanted.setTextWidth(width)
    assert (view.width(), view.height()) == (width, math.ceil(wanted.size().height()))
    view.fit(widest // 2)
    view.fit(widest)
    assert (view.width(), view.height()) == (width, math.ceil(wanted.size().height()))


def test_the_bubble_is_as_narrow_as_its_text_and_never_wider_than_the_window(qtbot, start):
    running = start()
    shown_one(running, "Hi")
    short = view_of(running)._bubble.width()
    assert short < 100
    shown_one(running, "Many words in a row. " * 40)
    wide = view_of(running)._bubble.width()
    assert short < wide <= 560
    running.window.resize(running.window.minimumSize())
    settle()
    view = view_of(running)
    assert view._bubble.width() <= view.width()
    assert view._text.height() >= view._text.document().size().height()
    running.window.resize(1180, 800)
    settle()
    assert view_of(running)._bubble.width() == wide
