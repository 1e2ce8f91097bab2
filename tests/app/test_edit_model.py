"""The model is unloaded and loaded from anywhere, and the window says what is really there."""

from __future__ import annotations

from app.state.editor.edit import Phase
from app.ui.places import CHAT
from tests.app.driving import say, wait_idle
from tests.app.edit_driving import CHANGED, SENTENCE, TEXT, ask, asked, begin, keys, wait_phase
from tests.app.edit_scripts import editing
from tests.fakes import Gate, answering


def command(running, name: str):
    return next(each for each in running.window.commands_here if each.id == name)


def said(running) -> str:
    return running.window.editor.model.text()


def test_it_is_unloaded_and_loaded_by_command(qtbot, start):
    running, view = begin(qtbot, start, editing(CHANGED))
    there = said(running)
    assert there == running.window.status_line.text.split(" | ")[0] != ""
    assert not command(running, "model.load").is_enabled()
    command(running, "model.unload").run()
    qtbot.waitUntil(lambda: said(running) == "No model is loaded")
    assert view.pipeline.closed  # the memory is free
    assert not command(running, "model.unload").is_enabled()
    command(running, "model.load").run()
    qtbot.waitUntil(lambda: said(running) == there)


def test_an_edit_brings_it_back_by_itself(qtbot, start):
    running, view = begin(qtbot, start, editing(CHANGED))
    command(running, "model.unload").run()
    qtbot.waitUntil(lambda: said(running) == "No model is loaded")
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    keys(view, "Ctrl+Return")
    assert view.document.text == TEXT.replace(SENTENCE, CHANGED)
    command(running, "model.unload").run()
    qtbot.waitUntil(lambda: said(running) == "No model is loaded")
    view.pipeline.script = answering("Back again.")
    running.window.places.show_place(CHAT)
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    assert running.session.path[-1].text == "Back again."


def test_an_edit_under_way_is_finished_first(qtbot, start):
    gate = Gate()
    running, view = begin(qtbot, start, editing(CHANGED, gate=gate))
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(gate.reached.is_set)
    command(running, "model.unload").run()
    assert view.session.phase is Phase.RUNNING
    gate.opened.set()
    wait_phase(qtbot, view)
    qtbot.waitUntil(lambda: said(running) == "No model is loaded")
    keys(view, "Ctrl+Return")  # what is offered needs no model
    assert view.document.text == TEXT.replace(SENTENCE, CHANGED)
    assert len(asked(view)) == 1
