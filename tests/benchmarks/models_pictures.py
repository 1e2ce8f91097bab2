"""Takes pictures of the models' place, the guide and the settings, to look at and for the README.

    xvfb-run -s "-screen 0 2600x1900x24" python -m tests.benchmarks.models_pictures [--dark] [--out DIR]

`QT_SCALE_FACTOR=2` takes them at twice the size, `--language de` in German, `--percent 200` with a
large interface. The window, the jobs and the memory plans are the real ones. The PCs are not: what
their check-up says is made from example facts, and each file says so in its name. What is
downloaded is the demo model, from a hub on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from app.__main__ import Running, build, choose_look, load
from app.paths import ASSETS, Paths
from app.state.engine_status import Phase
from app.state.models.first_run import Step
from app.ui.models.pane import GUIDE, HARDWARE, LIBRARY
from app.ui.places import MODELS
from engine.messages import LoadRequest, ModelEntry, ModelState
from tests.app.models_kit import LARGE, STORED, demo_hub, on
from tests.benchmarks.session import live, wait
from tests.engine.store.fake_hub import REPO, FakeHub

SIZE = (1180, 760)
SETTLED = 400  # milliseconds
PACE = 0.01  # seconds between two pieces of a slow download

Save = Callable[[QWidget, str], None]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--language", default="en")
    parser.add_argument("--percent", type=int, default=100)
    parser.add_argument("--out", type=Path, default=ASSETS / "screenshots")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    qt = QApplication([])
    qt.setApplicationName("Redraft")
    qt.setQuitOnLastWindowClosed(False)
    settings = {
        "scheme": "dark" if options.dark else "light",
        "language": options.language,
        "interface_percent": options.percent,
    }

    def save(widget: QWidget, name: str) -> None:
        live(SETTLED)
        widget.grab().save(str(options.out / f"{name}.png"))

    with demo_hub() as hub:
        keep_to_ourselves(hub)
        for pc in ("rtx_4090", "rtx_3060", "no_gpu"):
            with started(qt, settings, pc) as running:
                pages(running, save, f"example-pc-{pc}")
        with started(qt, settings, "rtx_4090") as running:
            guide(running, save)
        folder = Path(tempfile.mkdtemp())
        with started(qt, settings, "no_gpu", folder) as running:
            download(running, hub, save)
        with started(qt, settings, "no_gpu", folder) as running:
            resumed(running, hub, save)
            troubles(running, hub, save)


def keep_to_ourselves(hub: FakeHub) -> None:
    """No model of this PC is found, and no hub but ours is asked."""
    os.environ["HOME"] = tempfile.mkdtemp()
    os.environ["HF_ENDPOINT"] = hub.endpoint
    for name in STORED:
        os.environ.pop(name, None)


@contextmanager
def started(
    qt: QApplication, settings: dict[str, object], pc: str, folder: Path | None = None
) -> Iterator[Running]:
    """A window whose models are known, on an example PC."""
    folder = folder or Path(tempfile.mkdtemp())
    paths = Paths(data=folder / "data", logs=folder / "logs")
    paths.create()
    if not paths.settings.exists():
        paths.settings.write_text(json.dumps(settings), encoding="utf-8")
    running = build(paths, LoadRequest(model="demo"), choose_look(qt, paths), load, on(pc))
    running.window.resize(*SIZE)
    running.window.show()
    wait(lambda: running.status.state.phase in (Phase.READY, Phase.FAILED))
    running.window.places.show_place(MODELS)
    wait(lambda: running.models.recommendation is not None)
    yield running
    running.window.close()
    running.shut_down()


def pages(running: Running, save: Save, name: str) -> None:
    """The list with the large model chosen, and what the PC has."""
    pane, models = running.pane, running.models
    large = next(each for each in models.library.entries if each.repo)
    best = models.recommendation
    is_large = best is not None and best.entry_id != "demo"
    pane.library.show_entry(best.entry_id if best is not None and is_large else large.id)
    wait(lambda: pane.library.details.plan.plan is not None)
    save(running.window, f"models-{name}")
    pane.show_page(HARDWARE)
    save(running.window, f"hardware-{name}")
    pane.show_page(LIBRARY)


def guide(running: Running, save: Save) -> None:
    pane = running.pane
    pane.show_page(GUIDE)
    for step in (Step.WELCOME, Step.CHECK, Step.CHOOSE):
        pane.guide._first_run.go_to(step)
        if step is Step.CHOOSE:
            wait(lambda: pane.guide.pages[Step.CHOOSE].plan.plan is not None)  # type: ignore[attr-defined]
        save(running.window, f"first-run-{step.value}-example-pc")
    settings = running.window.dialogs.settings()
    settings.show_page(3)
    save(settings, "settings-models")
    settings.close()
    pane.show_page(LIBRARY)


def download(running: Running, hub: FakeHub, save: Save) -> None:
    """Asked for, under way in the list and in the guide, paused, and ended with the window."""
    entry = looked_up(running)
    save(running.window, "models-own-repository")
    hub.pace = PACE
    running.pane.library.acts.next_step()
    live(SETTLED)
    question = QApplication.activeModalWidget()
    assert question is not None
    save(question, "models-download-asked")
    question.close()
    running.pane.guide._first_run.choose(entry)
    wait(lambda: has_speed(running, entry))
    save(running.window, "models-downloading")
    running.pane.show_page(GUIDE)
    save(running.window, "first-run-get")
    running.pane.show_page(LIBRARY)
    running.models.work.pause(entry.id)
    wait(lambda: task_phase(running, entry) == "paused")
    save(running.window, "models-paused")
    running.models.work.download(entry)
    running.models.work.go_on(entry.id)
    wait(lambda: has_speed(running, entry))


def resumed(running: Running, hub: FakeHub, save: Save) -> None:
    """The next start offers to go on; afterwards a damaged file is repaired; then it is prepared."""
    wait(lambda: running.models.interrupted is not None)
    save(running.window, "models-interrupted")
    hub.pace = 0.0
    entry = found(running)
    running.models.work.download(entry)
    wait(lambda: found(running).state is ModelState.HERE)
    running.pane.toast.hide()
    file = Path(found(running).path) / LARGE
    data = bytearray(file.read_bytes())
    data[1_000_000] ^= 4
    file.write_bytes(data)
    running.models.work.download(found(running))
    wait(lambda: "repaired" in running.pane.toast.text or "repariert" in running.pane.toast.text)
    running.pane.library.show_entry(found(running).id)
    save(running.window, "models-repaired")
    running.pane.toast.hide()
    running.models.work.prepare(found(running))
    live(3 * SETTLED)
    save(running.window, "models-preparing")
    wait(lambda: QApplication.activeModalWidget() is not None)
    question = QApplication.activeModalWidget()
    assert isinstance(question, QMessageBox)
    save(question, "models-prepared-asked")
    question.buttons()[-1].click()  # deletes the source
    wait(lambda: len([e for e in running.models.library.entries if e.repo == REPO]) == 1)
    save(running.window, "models-prepared")


def troubles(running: Running, hub: FakeHub, save: Save) -> None:
    """A permission that is lacking, and a model that is unloaded."""
    running.status.unload()
    wait(lambda: running.status.state.phase is Phase.UNLOADED)
    running.models.work.delete(found(running))
    wait(lambda: not any(each.repo == REPO for each in running.models.library.entries))
    running.pane.toast.hide()
    offered = looked_up(running)
    hub.needs_token = True
    running.models.work.download(offered)
    wait(lambda: task_phase(running, offered) == "failed")
    running.pane.library.show_entry(offered.id)
    save(running.window, "models-permission")
    dialog = running.pane.library.acts.add_repository()
    save(dialog, "models-add")
    dialog.close()


def looked_up(running: Running) -> ModelEntry:
    entries: list[ModelEntry] = []
    models = running.models
    models.library.look_up(REPO, models.work.options, entries.append, entries.append)
    wait(lambda: bool(entries))
    running.pane.library.show_entry(entries[0].id)
    return entries[0]


def found(running: Running) -> ModelEntry:
    return next(each for each in running.models.library.entries if each.repo == REPO)


def has_speed(running: Running, entry: ModelEntry) -> bool:
    task = running.models.work.task(entry.id)
    return task is not None and task.progress is not None and task.progress.speed > 0


def task_phase(running: Running, entry: ModelEntry) -> str:
    task = running.models.work.task(entry.id)
    return "" if task is None else task.phase.value


if __name__ == "__main__":
    main()
