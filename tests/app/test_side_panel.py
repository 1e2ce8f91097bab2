"""How the shown chat is answered, at the right."""

from __future__ import annotations

from dataclasses import replace

from app.state.presets import Preset
from tests.app.driving import say, wait_idle
from tests.fakes import FakePipeline, answering

OWN = Preset(id="mine", name="Mine", system_prompt="Be brief.")


def test_it_shows_the_preset_of_each_chat(qtbot, start):
    running = start()
    panel = running.window.side_panel.panel
    running.window.toggle_panel()
    assert running.window.side_panel.isVisible()
    first = running.session
    running.chats.set_preset(replace(first.preset, system_prompt="In verse."))
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    running.window.new_chat()
    assert running.session is not first
    assert panel.preset == running.session.preset
    assert panel.preset.system_prompt != "In verse."
    running.chats.open(first.chat_id)
    qtbot.waitUntil(lambda: running.session.chat_id == first.chat_id)
    assert panel.preset == running.session.preset
    assert panel.preset.system_prompt == "In verse."


def test_what_is_changed_in_it_is_asked_of_the_model(qtbot, start):
    pipeline = FakePipeline(answering("Yes."))
    running = start(pipeline)
    changed = replace(running.session.preset, system_prompt="Only nouns.", seed=11)
    running.window.side_panel.panel.changed.emit(changed)
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    request = pipeline.requests[0]
    assert request.turns[0].parts[0].text == "Only nouns."
    assert request.seed == 11


def test_own_presets_are_kept_in_the_settings(qtbot, start):
    running = start()
    running.window.side_panel.panel.own_changed.emit((OWN,))
    assert running.settings.value.presets == (OWN,)


def test_the_last_seed_can_be_used_again(qtbot, start):
    running = start(FakePipeline(answering("Yes.")))
    seeds = []
    panel = running.window.side_panel.panel
    panel.show_last_seed = seeds.append
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    assert seeds == [7]
