"""A hub, a home for models and a PC of one's choice, for tests of the models' pages."""

from __future__ import annotations

import shutil
from pathlib import Path

from PySide6.QtWidgets import QApplication, QLabel, QMessageBox

from app.__main__ import Running
from app.ui.models.pane import ModelsPane
from app.ui.places import MODELS
from engine.folders import model_folder
from engine.jobs import run_job
from engine.messages import Hardware, JobKind, JobRequest, JobResult, ModelEntry
from tests.app.driving import press, seen
from tests.engine.store.fake_hub import REPO, FakeHub
from tests.pcs import PCS

LARGE = "model.safetensors"
NAMES = ("config.json", LARGE, "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
         "generation_config.json")  # fmt: skip
STORED = ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE")
SLOW = 120_000  # milliseconds; never waited for in a run that passes. A child imports torch


def demo_hub() -> FakeHub:
    """A hub that holds the demo model, as if it were somebody's."""
    files = {name: (model_folder("demo") / name).read_bytes() for name in NAMES}
    hub = FakeHub(files=files, large={LARGE})
    hub.about = {"tags": ["license:apache-2.0"], "gated": False}
    return hub


def on(pc: str | Hardware):
    """The real jobs, on an example PC: one of `PCS` by name, or another."""
    hardware = PCS[pc] if isinstance(pc, str) else pc

    def run(request: JobRequest, report, cancelled) -> JobResult | Hardware:
        if request.kind is JobKind.DOCTOR:
            return hardware
        return run_job(request, report, cancelled)

    return run


def show_models(qtbot, running: Running) -> ModelsPane:
    """The place of the models, with everything on it known."""
    running.window.places.show_place(MODELS)
    models = running.models
    qtbot.waitUntil(lambda: models.library.is_known and models.hardware.hardware is not None)
    qtbot.waitUntil(lambda: models.recommendation is not None)
    return running.pane


def add_from_hub(qtbot, running: Running, repo: str = REPO) -> ModelEntry:
    """Looks a repository up through the dialog, as a person does."""
    page = running.pane.library
    dialog = page.acts.add_repository()
    qtbot.keyClicks(dialog.field, repo)
    press(qtbot, dialog, "Look it up")
    qtbot.waitUntil(lambda: any(each.repo == repo for each in running.models.library.entries))
    entry = next(each for each in running.models.library.entries if each.repo == repo)
    qtbot.waitUntil(lambda: entry.id in [row.entry_id for row in page.list.rows])
    page.show_entry(entry.id)
    return entry


def answer(qtbot, words: str) -> None:
    """Presses a button of the question that is asked."""
    boxes = [each for each in QApplication.topLevelWidgets() if isinstance(each, QMessageBox)]
    box = next(each for each in boxes if each.isVisible())
    button = next(each for each in box.buttons() if each.text().replace("&", "") == words)
    button.click()


def says(running: Running, words: str) -> bool:
    """Whether the place of the models shows these words."""
    return words in seen(running.pane)


def labels(widget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if not label.isHidden()]


def lonely(monkeypatch, tmp_path: Path, hub: FakeHub) -> None:
    """Nothing of this PC's own is found, nothing but the fake hub is asked, and the disk has room."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for name in STORED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    roomy = shutil.disk_usage(tmp_path)._replace(free=400_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: roomy)
