"""Setting up a model for the first time: each page, leaving and coming back, to the first answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QRadioButton

from app.__main__ import load
from app.settings import Settings
from app.state.engine_status import Phase
from app.state.models.first_run import Step, is_due
from app.state.models.models import first_request
from app.ui.models.pane import GUIDE
from app.ui.models.place import show_first_run
from app.ui.places import CHAT, MODELS
from engine.messages import JobKind
from tests.app.driving import press, seen
from tests.app.models_kit import SLOW, add_from_hub, answer, demo_hub, lonely, on, show_models
from tests.fakes import Gate
from tests.pcs import PCS


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with demo_hub() as made:
        lonely(monkeypatch, tmp_path, made)
        yield made


def begin(qtbot, start, pc: str = "rtx_4090", **more):
    """A first start, as the program makes it."""
    running = start(run_job=more.pop("run_job", on(pc)), **more)
    show_first_run(running.window, running.pane, running.models)
    return running


def step(running) -> Step:
    return running.pane.guide._first_run.step


def test_it_comes_once():
    assert is_due(Settings())
    assert is_due(Settings(first_run="choose"))  # the window was closed in the middle
    for seen_already in (
        Settings(first_run_seen=True),
        Settings(first_run="done"),
        Settings(model_folder="/models/mine"),
        Settings(answers_made=1),
    ):
        assert not is_due(seen_already)


def test_the_first_start_shows_it_and_the_chat_is_one_click_away(qtbot, start, hub):
    running = begin(qtbot, start)
    assert running.window.places.current == MODELS
    assert running.pane.page == GUIDE
    assert "Welcome to Redraft" in seen(running.pane)
    assert "experimental" in seen(running.pane)
    running.window.places.show_place(CHAT)
    assert running.window.asking.ask("hello")
    qtbot.waitUntil(lambda: not running.session.is_busy)
    assert running.session.path[-1].text == "Hello there, friend."


@pytest.mark.parametrize("page", [Step.WELCOME, Step.CHECK, Step.CHOOSE, Step.GET])
def test_the_demo_model_is_one_click_away_on_every_page(qtbot, start, hub, page):
    running = begin(qtbot, start)
    running.pane.guide._first_run.go_to(page)
    press(qtbot, running.pane.guide, "Try the demo model now")
    assert running.window.places.current == CHAT
    assert running.status.is_demo
    assert not is_due(running.settings.value)


def test_no_page_waits_for_the_look_at_the_pc(qtbot, start, hub):
    gate = Gate()

    def run(request, report, cancelled):
        if request.kind is JobKind.DOCTOR:
            gate.pass_through()
            return PCS["rtx_4090"]
        return on("rtx_4090")(request, report, cancelled)

    running = begin(qtbot, start, run_job=run)
    press(qtbot, running.pane.guide, "Set up a model")
    qtbot.waitUntil(gate.reached.is_set)
    assert "You need not wait for it" in seen(running.pane.guide)
    press(qtbot, running.pane.guide, "Continue")
    assert step(running) is Step.CHOOSE
    press(qtbot, running.pane.guide, "Back")
    gate.opened.set()
    qtbot.waitUntil(lambda: "Graphics card · Good" in seen(running.pane.guide))


@pytest.mark.parametrize(("pc", "best"), [("rtx_4090", "DiffusionGemma"), ("no_gpu", "Demo model")])
def test_the_recommended_model_is_chosen_already(qtbot, start, hub, pc, best):
    running = begin(qtbot, start, pc)
    press(qtbot, running.pane.guide, "Set up a model")
    qtbot.waitUntil(lambda: running.models.recommendation is not None)
    press(qtbot, running.pane.guide, "Continue")
    page = running.pane.guide.page
    qtbot.waitUntil(lambda: page.chosen is not None)
    first = next(each for each in page.findChildren(QRadioButton) if each.isChecked())
    assert best in first.text()
    assert running.models.recommendation.reason in seen(page)
    qtbot.waitUntil(lambda: page.plan.plan is not None)
    assert page.plan.plan.fits


def test_a_closed_window_comes_back_to_its_page(qtbot, start, hub):
    first = begin(qtbot, start)
    press(qtbot, first.pane.guide, "Set up a model")
    press(qtbot, first.pane.guide, "Continue")
    first.window.close()
    second = begin(qtbot, start)
    assert second.pane.page == GUIDE
    assert step(second) is Step.CHOOSE


def test_the_list_of_all_models_is_a_way_out(qtbot, start, hub):
    running = begin(qtbot, start)
    press(qtbot, running.pane.guide, "All models")
    assert running.pane.page != GUIDE
    assert not is_due(running.settings.value)
    press(qtbot, running.pane, "Guided setup")
    assert running.pane.page == GUIDE


def test_the_demo_model_can_be_set_up_too(qtbot, start, hub):
    running = begin(qtbot, start, "no_gpu")
    guide = running.pane.guide
    guide._first_run.go_to(Step.CHOOSE)
    guide._first_run.go_to(Step.CHECK)
    qtbot.waitUntil(lambda: running.models.recommendation is not None)
    press(qtbot, guide, "Continue")
    press(qtbot, guide, "Load")
    qtbot.waitUntil(lambda: step(running) is Step.DONE)
    press(qtbot, guide, "To the chat")
    assert running.window.places.current == CHAT
    assert not is_due(running.settings.value)


def test_from_the_choice_to_the_first_answer(qtbot, start, hub):
    """Fetched, prepared, loaded without being asked again; the window is closed in between."""
    first = begin(qtbot, start, "no_gpu")
    show_models(qtbot, first)
    entry = add_from_hub(qtbot, first)
    hub.pace = 0.004
    first.pane.guide._first_run.choose(entry)
    qtbot.waitUntil(lambda: " a second" in first.pane.guide.page.task.text)
    first.window.close()
    hub.pace = 0.0

    second = begin(qtbot, start, "no_gpu", load=load)
    assert step(second) is Step.GET
    qtbot.waitUntil(lambda: second.pane.guide._first_run.entry is not None)
    press(qtbot, second.pane.guide, "Go on")
    qtbot.waitUntil(lambda: step(second) is Step.DONE, timeout=SLOW)
    answer(qtbot, "Delete the source")
    qtbot.waitUntil(lambda: "are free again" in second.pane.toast.text)
    home = Path(second.models.library.home)
    assert [each.name for each in home.iterdir() if not each.name.startswith(".")] == [
        Path(second.status.request.model).name
    ]
    second.pane.guide.asked.emit("Hello! Who are you?")
    assert second.window.places.current == CHAT
    qtbot.waitUntil(lambda: bool(second.session.path), timeout=SLOW)
    qtbot.waitUntil(lambda: not second.session.is_busy, timeout=SLOW)
    assert len(second.session.path[-1].text.split()) > 2
    assert second.status.state.phase is Phase.READY
    assert first_request(second.settings.value).model == second.status.request.model
    assert not is_due(second.settings.value)
