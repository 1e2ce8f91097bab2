"""Starts Redraft: `python -m app`. The one place that builds everything and names the pipeline."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from PySide6 import __version__ as pyside_version
from PySide6.QtWidgets import QApplication

from app.bridge import EngineBridge
from app.errors import ErrorDialog, catch_everything, log_to_file
from app.paths import Paths, user_paths
from app.preload import preload_torch
from app.state.autosave import Autosave, Writer
from app.state.chat import ChatSession
from app.state.conversation import to_json
from app.state.engine_status import EngineStatus
from app.state.restore import restore
from app.ui.main_window import MainWindow
from app.ui.theme import Scheme, Theme
from engine.messages import JobRequest, LoadRequest
from engine.service import Cancelled, EngineService, Load, Pipeline, Report, RunJob

SWITCH_INTERVAL = 0.001  # seconds; the engine's Python steps aside this often for the window's


@dataclass(frozen=True, kw_only=True)
class Running:
    """A started application. `shut_down` ends the engine and saves; it may be called again."""

    window: MainWindow
    session: ChatSession
    status: EngineStatus
    shut_down: Callable[[], bool]


def load(request: LoadRequest, report: Report, cancelled: Cancelled) -> Pipeline:
    """Runs on the engine thread: torch is imported here, when the window is up."""
    preload_torch()
    from engine.pipeline import load_pipeline

    return load_pipeline(request, report, cancelled)


def run_job(request: JobRequest, report: Report, cancelled: Cancelled) -> dict[str, object]:
    from engine.doctor import run_job as run

    return run(request, report, cancelled)


def build(paths: Paths, request: LoadRequest, theme: Theme, load: Load, run_job: RunJob) -> Running:
    """Everything, connected, with what was there at the last end. Nothing is loaded yet."""
    paths.create()
    restored = restore(paths)
    bridge = EngineBridge(EngineService(load, run_job))
    status = EngineStatus(bridge, request, parent=bridge)
    session = ChatSession(bridge, restored.messages, parent=bridge)
    window = MainWindow(session=session, status=status, unsent=restored.unsent, theme=theme)
    writer = Writer()
    saves = (
        Autosave(paths.conversation, lambda: to_json(session.messages), writer, bridge),
        Autosave(paths.unsent, lambda: asdict(window.composer.unsent), writer, bridge),
    )
    window.keep(*saves)
    if restored.notice:
        window.notice.tell(restored.notice)

    @cache  # the window asks for it, and so does whoever started the application
    def shut_down() -> bool:
        ended = bridge.shutdown()
        for save in saves:
            save.close()
        writer.close()
        return ended

    window.closing.connect(shut_down)
    window.first_painted.connect(status.load)
    return Running(window=window, session=session, status=status, shut_down=shut_down)


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
    theme = Theme(qt, Scheme(options.theme))
    running = build(paths, LoadRequest(model=options.model), theme, load, run_job)
    running.window.show()
    code = qt.exec()
    ended = running.shut_down()
    faulthandler.disable()
    if not ended:  # a step that never returns must not hold the process; everything is saved
        logging.shutdown()
        os._exit(code)
    crash_log.close()
    return code


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="redraft", description="Write with a diffusion model.")
    parser.add_argument(
        "--model", default="demo", metavar="DIR", help="a model's folder (default: demo)"
    )
    parser.add_argument(
        "--theme", default="system", choices=[scheme.value for scheme in Scheme]
    )  # fmt: skip
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
