"""Starts Redraft: `python -m app`. The one place that builds everything and names the pipeline."""

from __future__ import annotations

from app.hop import hop

if __name__ == "__main__":  # before Qt, which takes most of a start
    hop()

import argparse
import faulthandler
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PySide6 import __version__ as pyside_version
from PySide6.QtCore import QLocale, QTimer
from PySide6.QtWidgets import QApplication

from app.bridge import EngineBridge
from app.errors import ErrorDialog, catch_everything, log_to_file
from app.layers import Layers, layers_in, versions_in
from app.paths import Paths, user_paths
from app.preload import preload_torch, uncollected
from app.restart import Shown, add_options, shown_in, start_again
from app.settings import Scheme, SettingsStore, language_of
from app.single import Doorbell, bring_to_front, show_other
from app.state.autosave import Writer
from app.state.chat import ChatSession
from app.state.chats import Chats
from app.state.editor.documents import Documents
from app.state.engine_status import EngineStatus
from app.state.history.library import Library
from app.state.markdown.worker import Preparer
from app.state.models.models import Models, first_request
from app.ui.editor.text_editor import plain_layout
from app.ui.main_window import MainWindow
from app.ui.models.pane import ModelsPane
from app.ui.models.place import add_models, show_first_run
from app.ui.qt_words import translate_qt
from app.ui.setup.place import add_setup
from app.ui.theme import Theme
from app.ui.updates.place import follow_updates
from app.versions import Versions
from app.words import choose_language, tr
from engine.messages import EngineFault, ErrorKind, JobRequest, JobResult, LoadRequest
from engine.service import (
    Cancelled,
    EngineService,
    JobReport,
    Load,
    Pipeline,
    Report,
    RunJob,
)

SETTLED_MS = 15_000  # of a window, and of an engine, before their version counts as one that starts
SWITCH_INTERVAL = 0.001  # seconds; the engine's Python steps aside this often for the window's


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started application. `shut_down` ends the engine and saves; it may be called again."""

    window: MainWindow
    chats: Chats
    status: EngineStatus
    settings: SettingsStore
    models: Models
    pane: ModelsPane
    shut_down: Callable[[], bool]

    @property
    def session(self) -> ChatSession:
        """The chat that is shown."""
        return self.chats.current


def load(request: LoadRequest, report: Report, cancelled: Cancelled) -> Pipeline:
    """Runs on the engine thread: torch is imported here, when the window is up."""
    _need_engine()
    preload_torch()
    with uncollected():
        from engine.pipeline import load_pipeline

    return load_pipeline(request, report, cancelled, kernels=user_paths().kernels)


def run_job(request: JobRequest, report: JobReport, cancelled: Cancelled) -> JobResult:
    _need_engine()
    from engine.jobs import run_job as run

    return run(request, report, cancelled)


def _need_engine() -> None:
    """Raises `EngineFault` where nothing of the engine's needs is installed so far."""
    if find_spec("torch") is None:
        raise EngineFault(
            ErrorKind.NOT_LOADED,
            tr("The engine is not set up yet."),
            tr("Wait until it is, or look at the set-up. What you write is kept."),
        )


@dataclass(frozen=True, kw_only=True)
class Look:
    """The settings and what follows from them before the first widget is built."""

    settings: SettingsStore
    writer: Writer
    theme: Theme


def build(
    paths: Paths,
    request: LoadRequest,
    look: Look,
    load: Load,
    run_job: RunJob,
    layers: Layers | None = None,
) -> Running:
    """Everything, connected. The history opens and the model loads when the window is up.

    With `layers`, an installed Redraft, the engine is set up before the model loads.
    """
    bridge = EngineBridge(EngineService(load, run_job))
    status = EngineStatus(bridge, request, parent=bridge)
    library = Library(paths.data, parent=bridge)
    chats = Chats(bridge, library, look.settings, parent=bridge)
    documents = Documents(paths.data, plain_layout, parent=bridge)
    preparer = Preparer(parent=bridge)
    models = Models(bridge, status, look.settings, paths.data, parent=bridge)
    window = MainWindow(
        chats=chats,
        status=status,
        settings=look.settings,
        preparer=preparer,
        theme=look.theme,
        paths=paths,
        run=look.writer.submit,
        documents=documents,
        bridge=bridge,
    )
    pane = add_models(window, models, look.theme)

    @cache  # the window asks for it, and so does whoever started the application
    def shut_down() -> bool:
        chats.close()
        documents.close()
        window.editor.let_go()
        ended = bridge.shutdown()
        models.close()
        kept = library.close()
        preparer.close()
        look.settings.close()
        look.writer.close()
        return ended and kept

    window.closing.connect(shut_down)
    setup = add_setup(window, look.theme, layers, paths.logs) if layers else None
    engine_is_there = setup.usable if setup and setup.is_needed else window.first_painted
    engine_is_there.connect(models.start)
    if look.settings.value.load_at_start:
        engine_is_there.connect(status.load)
    library.start()
    documents.start(look.settings.value.recording_days)
    return Running(
        window=window,
        chats=chats,
        status=status,
        settings=look.settings,
        models=models,
        pane=pane,
        shut_down=shut_down,
    )


def choose_look(qt: QApplication, paths: Paths, scheme: Scheme | None = None) -> Look:
    """Reads the settings; language, colours and sizes are those of the user, or the `scheme`."""
    writer = Writer()
    settings = SettingsStore(paths.settings, writer)
    language = language_of(settings.value)
    choose_language(language)
    translate_qt(qt, language)
    QLocale.setDefault(QLocale(language))  # fields with numbers write them as the words do
    theme = Theme(qt, scheme or settings.value.scheme)

    def apply() -> None:
        chosen = settings.value
        theme.apply_settings(replace(chosen, scheme=scheme) if scheme else chosen)

    apply()
    settings.changed.connect(apply)
    return Look(settings=settings, writer=writer, theme=theme)


def unusable_pair(python: tuple[int, ...], pyside: str) -> str:
    """Why these two versions cannot run together; empty if they can.

    PySide6 6.12 gives back one reference too many with every call. Before Python 3.12 that ends
    the process after some thousand calls.
    """
    major, minor = (int(part) for part in pyside.split(".")[:2])
    if python < (3, 12) and (major, minor) >= (6, 12):
        version = ".".join(map(str, python[:2]))
        return (
            f"PySide6 {pyside} crashes on Python {version}. "
            "Install PySide6-Essentials below 6.12, or use Python 3.12."
        )
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until the window is closed. Returns the exit code."""
    if reason := unusable_pair(sys.version_info[:3], pyside_version):
        sys.stderr.write(reason + "\n")
        return 1
    options = _parse(arguments)
    sys.setswitchinterval(SWITCH_INTERVAL)
    paths = user_paths()
    paths.create()
    crash_log = log_to_file(paths)
    qt = QApplication(sys.argv[:1])
    qt.setApplicationName("Redraft")
    qt.setDesktopFileName("redraft")
    catch_everything(ErrorDialog(paths).show)
    files = [Path(each) for each in options.files]
    versions = versions_in(paths.data)
    if show_other(paths.data, files):
        _note(versions, Versions.withdraw)
        return 0
    doorbell = Doorbell(paths.data)
    look = choose_look(qt, paths, Scheme(options.theme) if options.theme else None)
    request = first_request(look.settings.value, options.model or "")
    running = build(paths, request, look, load, run_job, layers_in(paths.data))
    follow_updates(running.window, paths)
    shown_in(options).show_again(running.window, running.chats)
    if not options.model:
        show_first_run(running.window, running.pane, running.models)
    running.window.show()
    doorbell.rings(lambda: bring_to_front(running.window), running.window.crossing.open_file)
    for each in files:
        running.window.crossing.open_file(each)
    running.window.closing.connect(doorbell.close)
    if versions is not None:
        _confirm(versions, running.window, look.writer)
    again: list[Shown] = []

    def restart() -> None:
        again.append(Shown.of(running.window, running.chats))
        running.window.close()

    running.status.restart_requested.connect(restart)
    code = qt.exec()
    ended = running.shut_down()
    _note(versions, Versions.confirm)
    faulthandler.disable()
    if again:
        start_again(again[0], paths.data)
    # A step that never returns, or a GPU that is gone, must not hold the process; all is saved.
    if not ended or running.status.state.is_lost:
        logging.shutdown()
        os._exit(code)
    crash_log.close()
    return code


def _confirm(versions: Versions, window: MainWindow, writer: Writer) -> None:
    """This version has started when its window has been there for a while. What did not is told."""
    if left := versions.state().left:
        told = tr(
            "Redraft {left} did not start. Redraft {own} goes on.", left=left, own=versions.own
        )
        for notice in (window.notice, window.editor.notice):
            notice.tell(told, tr("Everything you have written is kept."))

    def confirm() -> None:
        writer.submit(lambda: _note(versions, Versions.confirm))

    window.first_painted.connect(lambda: QTimer.singleShot(SETTLED_MS, window, confirm))


def _note(versions: Versions | None, write: Callable[[Versions], None]) -> None:
    """Which version runs is not worth an end where the disk is full."""
    try:
        if versions is not None:
            write(versions)
    except OSError:
        logging.getLogger(__name__).exception("it is not noted that this version has started")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="redraft", description="Write with a diffusion model.")
    parser.add_argument(
        "--model", metavar="DIR", help="a model's folder (default: as in the settings)"
    )
    parser.add_argument("files", nargs="*", help="texts to open in the editor")
    parser.add_argument("--theme", choices=[scheme.value for scheme in Scheme])
    add_options(parser)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
