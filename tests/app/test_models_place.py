"""The place of the models, with the real service and a hub on loopback."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QProgressBar, QSlider

from app.settings import Settings
from app.state.engine_status import Phase
from app.state.models.models import first_request
from app.ui.models.asking import FieldDialog
from app.ui.models.pane import HARDWARE
from app.ui.places import CHAT, MODELS
from engine.checkpoint.durable import sole_writer
from engine.folders import model_folder
from engine.messages import EngineFault, ErrorKind, JobKind, ModelState
from engine.store.library import library
from engine.store.names import LOCK
from tests.app.driving import press, seen
from tests.app.models_kit import (
    LARGE,
    add_from_hub,
    answer,
    demo_hub,
    labels,
    lonely,
    on,
    says,
    show_models,
)
from tests.engine.store.fake_hub import TOKEN, FakeHub
from tests.fakes import FakePipeline, Gate, answering
from tests.pcs import PCS


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with demo_hub() as made:
        lonely(monkeypatch, tmp_path, made)
        yield made


def wait_said(qtbot, running, words: str, timeout: int = 5000) -> None:
    qtbot.waitUntil(lambda: says(running, words), timeout=timeout)


def state_of(running, repo: str = "some/model") -> ModelState:
    return next(each for each in running.models.library.entries if each.repo == repo).state


def begin_download(qtbot, running, hub: FakeHub, pace: float = 0.0):
    """Up to the answer to the question whether to download."""
    show_models(qtbot, running)
    entry = add_from_hub(qtbot, running)
    hub.pace = pace
    press(qtbot, running.pane.library.details, "Download 3.7 MB")
    answer(qtbot, "Download")
    return entry


def test_a_key_leads_to_the_models_and_back(qtbot, start, hub):
    running = start(run_job=on("rtx_4090"))
    with qtbot.waitActive(running.window):
        running.window.activateWindow()
    qtbot.keyClick(running.window, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    assert running.window.places.current == MODELS
    qtbot.keyClick(running.window, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert running.window.places.current == CHAT


def test_it_shows_what_runs_what_is_here_and_what_is_on_offer(qtbot, start, hub):
    running = start(run_job=on("rtx_4090"))
    pane = show_models(qtbot, running)
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.READY)
    assert "Running on this CPU · 2,048 tokens of context · 1 MiB of memory" in seen(pane)
    lines = pane.library.text.splitlines()
    assert lines[0] == "Demo model | Ready to run · 3.7 MB | Loaded"
    assert sum("DiffusionGemma" in line and "to download" in line for line in lines) >= 6
    assert sum("Recommended" in line for line in lines) == 1
    pane.library.show_entry(running.models.recommendation.entry_id)
    assert says(running, "DiffusionGemma is an experimental model.")


def test_the_plan_follows_the_slider_before_anything_is_fetched(qtbot, start, hub):
    running = start(run_job=on("rtx_4090"))
    pane = show_models(qtbot, running)
    pane.library.show_entry(running.models.recommendation.entry_id)
    plan = pane.library.details.plan
    qtbot.waitUntil(lambda: plan.plan is not None)
    assert plan.context == 32_768
    assert "It fits" in plan.verdict
    before = plan.plan.total
    slider = plan._context
    slider.setFocus()
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert plan.context == 262_144
    assert plan.plan.total > before
    assert "262,144 tokens" in slider.accessibleDescription()


def test_what_does_not_fit_says_so(qtbot, start, hub):
    running = start(run_job=on("rtx_3060"))
    pane = show_models(qtbot, running)
    qtbot.waitUntil(lambda: pane.library.details.plan.plan is not None)
    offered = next(each for each in running.models.library.entries if each.repo)
    pane.library.show_entry(offered.id)
    qtbot.waitUntil(lambda: "does not fit" in pane.library.details.plan.verdict)
    assert running.models.recommendation.entry_id == "demo"
    assert "GPU memory" in running.models.recommendation.reason


def test_what_does_not_fit_can_be_tried_anyway(qtbot, start, hub):
    gpu = replace(PCS["rtx_3060"].gpus[0], memory_free=1 << 20)
    requests = []

    def load(request, report, cancelled):
        requests.append(request)
        return FakePipeline(answering("Here."))

    running = start(load=load, run_job=on(replace(PCS["rtx_3060"], gpus=(gpu,))))
    pane = show_models(qtbot, running)
    details = pane.library.details
    pane.library.show_entry("demo")
    qtbot.waitUntil(lambda: "does not fit" in details.plan.verdict)
    slider = details.plan._context
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    press(qtbot, details, "Load anyway")
    answer(qtbot, "Load anyway")
    qtbot.waitUntil(lambda: len(requests) == 2)
    assert requests[-1].load_anyway
    assert requests[-1].max_context == details.plan.context == 2048


def test_what_the_loaded_model_takes_counts_as_free_for_the_next(qtbot, start, hub):
    running = start(run_job=on("rtx_4090"))
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.READY)
    show_models(qtbot, running)
    held = running.status.state.ready.memory_bytes
    assert held
    assert running.models.hardware.without_ours.free == PCS["rtx_4090"].free + held
    assert running.models.hardware.hardware.free == PCS["rtx_4090"].free


def test_a_folder_of_ones_own_is_used_where_it_is(qtbot, start, hub, tmp_path):
    mine = tmp_path / "mine"
    shutil.copytree(model_folder("demo"), mine)
    running = start(run_job=on("no_gpu"))
    pane = show_models(qtbot, running)
    running.models.library.name_place(str(mine))
    qtbot.waitUntil(lambda: running.models.library.entry(str(mine)) is not None)
    pane.library.show_entry(running.models.library.entry(str(mine)).id)
    wait_said(qtbot, running, "used where it is")
    assert "Delete…" not in seen(pane.library.details)
    press(qtbot, pane.library.details, "Take off the list")
    qtbot.waitUntil(lambda: running.models.library.entry(str(mine)) is None)
    assert (mine / "config.json").exists()


def test_a_model_is_moved(qtbot, start, hub, tmp_path):
    running = start(run_job=on("no_gpu"))
    begin_download(qtbot, running, hub)
    wait_said(qtbot, running, "is here and checked.")
    entry = next(each for each in running.models.library.entries if each.repo)
    running.models.work.move(entry, str(tmp_path / "elsewhere"))
    wait_said(qtbot, running, "is moved.")
    assert not Path(entry.path).exists()
    assert (tmp_path / "elsewhere" / Path(entry.path).name / LARGE).exists()


def test_a_damaged_catalogue_is_said_and_the_demo_is_still_there(qtbot, start, hub, tmp_path):
    broken = tmp_path / "catalogue.json"
    broken.write_text("{")

    def run(request, report, cancelled):
        if request.kind is JobKind.LIBRARY:
            return library(Path(request.home), request.also, catalogue=broken)
        return on("no_gpu")(request, report, cancelled)

    running = start(run_job=run)
    pane = show_models(qtbot, running)
    qtbot.waitUntil(pane.notice.isVisible)
    assert pane.library.text.startswith("Demo model | Ready to run")


def test_tab_goes_through_the_place_from_the_list_to_the_next_step(qtbot, start, hub):
    running = start(run_job=on("rtx_4090"))
    pane = show_models(qtbot, running)
    pane.library.show_entry(running.models.recommendation.entry_id)
    qtbot.waitUntil(lambda: pane.library.details.plan.plan is not None)
    pane.library.list.setFocus()
    names = []
    for _ in range(8):
        qtbot.keyClick(running.window, Qt.Key.Key_Tab)
        focus = running.window.focusWidget()
        names.append(focus.accessibleName() or focus.text())
    assert names.index("Download 18.9 GB") < names.index("Context length")


def test_a_model_is_unloaded_and_the_next_question_loads_it(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    pane = show_models(qtbot, running)
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.READY)
    press(qtbot, pane.library.running, "Unload")
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.UNLOADED)
    assert "No model is loaded" in running.window.status_line.text
    assert "Loaded" not in pane.library.text
    assert running.window.asking.ask("hello")
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.READY)


def test_unloading_while_it_loads_ends_that(qtbot, start, hub):
    gate = Gate()

    def slow(request, report, cancelled):
        report("Reading the model", 1, 4)
        gate.until_cancelled(cancelled)
        raise_cancelled()

    def raise_cancelled():
        raise EngineFault(ErrorKind.CANCELLED, "Loading was cancelled.", "Load it again.")

    running = start(load=slow, run_job=on("no_gpu"))
    pane = show_models(qtbot, running)
    qtbot.waitUntil(gate.reached.is_set)
    bar = pane.library.running.findChild(QProgressBar)
    qtbot.waitUntil(lambda: bar.isVisible() and bar.value() == 25)
    press(qtbot, pane.library.running, "Cancel")
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.UNLOADED)
    assert not running.window.notice.isVisible()  # the user wanted it so


def test_a_download_is_paused_goes_on_and_says_how_it_goes(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    entry = begin_download(qtbot, running, hub, pace=0.004)
    task = running.pane.library.details.task
    qtbot.waitUntil(lambda: " a second" in task.text)
    press(qtbot, task, "Pause")
    wait_said(qtbot, running, "It goes on where it stopped, also after a restart.")
    qtbot.waitUntil(lambda: state_of(running) is ModelState.PARTLY_HERE)
    assert "Paused" in running.pane.library.text
    asked = len(hub.seen)
    hub.pace = 0.0
    press(qtbot, task, "Go on")
    wait_said(qtbot, running, "is here and checked.")
    assert len(hub.seen) > asked
    assert running.models.work.task(entry.id) is None


def test_another_speed_limit_holds_at_once(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    entry = begin_download(qtbot, running, hub, pace=0.004)
    work = running.models.work
    qtbot.waitUntil(lambda: work.task(entry.id).progress is not None)
    before = work.task(entry.id).job
    work.limit_speed(1)
    qtbot.waitUntil(lambda: work.task(entry.id).job != before)
    task = work.task(entry.id)
    assert task.is_running
    assert task.request.options.speed_limit == 1e6
    assert running.settings.value.download_limit == 1


@pytest.mark.parametrize("words", ["Keep", "Delete"])
def test_a_download_is_given_up_and_what_is_there_is_kept_or_not(qtbot, start, hub, words):
    running = start(run_job=on("no_gpu"))
    entry = begin_download(qtbot, running, hub, pace=0.004)
    task = running.pane.library.details.task
    qtbot.waitUntil(lambda: " a second" in task.text)
    press(qtbot, task, "Discard…")
    answer(qtbot, words)
    home = Path(running.models.library.home)
    if words == "Keep":
        qtbot.waitUntil(lambda: not running.models.work.task(entry.id).is_running)
        qtbot.waitUntil(lambda: state_of(running) is ModelState.PARTLY_HERE)
        assert list(home.rglob("*.part"))
    else:
        qtbot.waitUntil(lambda: running.models.work.task(entry.id) is None)
        assert not list(home.rglob("*.part"))


def test_an_interrupted_download_is_offered_at_the_next_start(qtbot, start, hub):
    first = start(run_job=on("no_gpu"))
    entry = begin_download(qtbot, first, hub, pace=0.004)
    task = first.pane.library.details.task
    qtbot.waitUntil(lambda: " a second" in task.text)
    first.window.close()
    hub.pace = 0.0
    second = start(run_job=on("no_gpu"))
    show_models(qtbot, second)
    wait_said(qtbot, second, "was interrupted.")
    press(qtbot, second.pane.toast, "Go on")
    wait_said(qtbot, second, "is here and checked.")
    assert second.settings.value.unfinished_model == ""
    assert second.models.library.entry(entry.id) is not None


def test_what_was_paused_is_not_offered_by_itself(qtbot, start, hub):
    first = start(run_job=on("no_gpu"))
    begin_download(qtbot, first, hub, pace=0.004)
    task = first.pane.library.details.task
    qtbot.waitUntil(lambda: " a second" in task.text)
    press(qtbot, task, "Pause")
    wait_said(qtbot, first, "It goes on where it stopped")
    first.window.close()
    second = start(run_job=on("no_gpu"))
    show_models(qtbot, second)
    assert not second.pane.toast.isVisible()
    assert "are here" in second.pane.library.text  # and it can be chosen


def test_a_damaged_file_is_found_repaired_and_said_calmly(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    begin_download(qtbot, running, hub)
    wait_said(qtbot, running, "is here and checked.")
    entry = next(each for each in running.models.library.entries if each.repo)
    file = Path(entry.path) / LARGE
    data = bytearray(file.read_bytes())
    data[1_000_000] ^= 4
    file.write_bytes(data)
    running.models.work.download(entry)  # what Repair does
    wait_said(qtbot, running, "1 damaged file was repaired.")
    assert file.read_bytes() == hub.files[LARGE]


def test_a_folder_edited_by_hand_is_seen_and_repaired(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    begin_download(qtbot, running, hub)
    wait_said(qtbot, running, "is here and checked.")
    entry = next(each for each in running.models.library.entries if each.repo)
    (Path(entry.path) / "tokenizer.json").unlink()
    running.models.library.refresh()
    qtbot.waitUntil(lambda: state_of(running) is ModelState.BROKEN)
    running.pane.library.show_entry(entry.id)
    press(qtbot, running.pane.library.details, "Repair")
    qtbot.waitUntil(lambda: state_of(running) is ModelState.HERE)


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_login_page_in_the_way_is_said_and_it_goes_on(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    show_models(qtbot, running)
    hub.listing_fault = "html"
    dialog = running.pane.library.acts.add_repository()
    qtbot.keyClicks(dialog.field, "some/model")
    press(qtbot, dialog, "Look it up")
    qtbot.waitUntil(lambda: "login page" in dialog.status)
    hub.listing_fault = ""
    press(qtbot, dialog, "Look it up")
    wait_said(qtbot, running, "is on the list now.")


def test_a_model_behind_a_permission_asks_for_a_token(qtbot, start, hub, tmp_path):
    running = start(run_job=on("no_gpu"))
    show_models(qtbot, running)
    entry = add_from_hub(qtbot, running)
    hub.needs_token = True
    running.models.work.download(entry)
    wait_said(qtbot, running, "This model asks for a permission first")
    press(qtbot, running.pane.library.details.task, "Enter an access token…")
    dialog = next(each for each in running.window.findChildren(FieldDialog) if each.isVisible())
    assert any("/some/model" in text for text in labels(dialog))
    qtbot.keyClicks(dialog.field, TOKEN)
    press(qtbot, dialog, "Use it")
    wait_said(qtbot, running, "is here and checked.")
    assert TOKEN not in repr(running.models.work.options)
    running.shut_down()
    kept = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert kept
    assert not [each for each in kept if TOKEN.encode() in each.read_bytes()]


def test_no_room_on_the_disk_is_said_with_a_way_on(qtbot, start, hub, monkeypatch):
    running = start(run_job=on("no_gpu"))
    show_models(qtbot, running)
    entry = add_from_hub(qtbot, running)
    full = shutil.disk_usage("/")._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        running.models.work.download(entry)
        wait_said(qtbot, running, "Make room or choose a folder on another disk")
    press(qtbot, running.pane.library.details.task, "Try again")
    wait_said(qtbot, running, "is here and checked.")


def test_a_folder_that_cannot_be_written_is_said(qtbot, start, hub, tmp_path):
    running = start(run_job=on("no_gpu"))
    show_models(qtbot, running)
    entry = add_from_hub(qtbot, running)
    (tmp_path / "a file").write_text("in the way")
    running.settings.change(models_home=str(tmp_path / "a file" / "models"))
    running.models.work.download(entry)
    task = running.pane.library.details.task
    qtbot.waitUntil(lambda: "Try again" in seen(task))
    assert running.models.work.task(entry.id).error.kind is ErrorKind.DISK
    running.settings.reset("models_home")


def test_another_window_that_downloads_it_is_said(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    begin_download(qtbot, running, hub)
    wait_said(qtbot, running, "is here and checked.")
    entry = next(each for each in running.models.library.entries if each.repo)
    with sole_writer(Path(entry.path) / LOCK):
        running.models.work.download(entry)
        wait_said(qtbot, running, "Another window of Redraft")
    press(qtbot, running.pane.library.details.task, "Try again")
    qtbot.waitUntil(lambda: running.models.work.task(entry.id) is None)


def test_a_model_that_is_gone_leaves_the_demo_one_click_away(qtbot, start, hub):
    fake = FakePipeline(answering("Here."))

    def gone(request, report, cancelled):
        model_folder(request.model)
        return fake

    running = start(load=gone, model="/media/removed/model", run_job=on("no_gpu"))
    qtbot.waitUntil(running.window.notice.isVisible)
    press(qtbot, running.window.notice, "Use the demo model")
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.READY)
    assert running.status.is_demo


def test_what_could_not_be_loaded_is_not_tried_at_the_next_start(qtbot, start, hub):
    running = start(run_job=on("no_gpu"))
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.READY)
    assert first_request(Settings(model_folder="/m", model_context=4096)).max_context == 4096
    assert running.settings.value.model_folder == ""


# --- this PC --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pc", ["rtx_4090", "no_gpu", "old_gpu", "busy_4090", "no_compiler"])
def test_every_finding_has_its_state_meaning_and_remedy(qtbot, start, hub, pc):
    running = start(run_job=on(pc))
    pane = show_models(qtbot, running)
    pane.show_page(HARDWARE)
    words = seen(pane.hardware)
    for finding in PCS[pc].findings:
        assert finding.value in words
        assert finding.meaning in words
        assert finding.remedy in words
    press(qtbot, pane.hardware, "Copy report")
    assert QGuiApplication.clipboard().text() == PCS[pc].report


def test_the_pc_is_looked_at_again_and_the_window_waits_for_nothing(qtbot, start, hub):
    gate = Gate()
    asked = []

    def run(request, report, cancelled):
        if request.kind is JobKind.DOCTOR:
            asked.append(request)
            if len(asked) == 2:
                gate.pass_through()
            return PCS["rtx_4090" if len(asked) == 1 else "no_gpu"]
        return on("no_gpu")(request, report, cancelled)

    running = start(run_job=run)
    pane = show_models(qtbot, running)
    pane.show_page(HARDWARE)
    press(qtbot, pane.hardware, "Check again")
    qtbot.waitUntil(gate.reached.is_set)
    assert "You can go on meanwhile" in pane.hardware.text
    gate.opened.set()
    qtbot.waitUntil(lambda: says(running, "none"))


def test_every_label_shows_its_text_as_it_is_and_every_control_has_a_name(qtbot, start, hub):
    running = start(run_job=on("rtx_4090"))
    pane = show_models(qtbot, running)
    pane.library.show_entry(running.models.recommendation.entry_id)
    assert all(each.textFormat() is Qt.TextFormat.PlainText for each in pane.findChildren(QLabel))
    for kind in (QAbstractButton, QComboBox, QSlider):
        for control in pane.findChildren(kind):
            named = control.accessibleName() or getattr(control, "text", str)()
            assert named or not control.isVisible(), control
