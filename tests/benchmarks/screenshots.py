"""Takes the README's pictures of the real window with the demo model: assets/screenshots/*.png.

    xvfb-run -s "-screen 0 1100x860x24" python -m tests.benchmarks.screenshots [--theme dark]

Nothing is posed: `denoising` is the step of a running answer that the window shows after half of
its steps, `settled` its end, `error` what a folder without a model gives.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.__main__ import Running, build, load, run_job
from app.paths import ASSETS, Paths
from app.state.engine_status import Phase
from app.ui.theme import Scheme, Theme
from engine.messages import Draft, LoadRequest

SIZE = (980, 700)
PROMPT = "Tell me a story about Mara and a silver lamp."


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--theme", default="light", choices=["light", "dark"])
    parser.add_argument("--out", type=Path, default=ASSETS / "screenshots")
    options = parser.parse_args()
    app = QApplication([])
    app.setQuitOnLastWindowClosed(False)
    theme = Theme(app, Scheme(options.theme))

    def take(running: Running, name: str) -> None:
        settle(200)
        running.window.grab().save(str(options.out / f"{name}.png"))

    running = start(theme, "demo")
    wait(lambda: running.status.state.phase is Phase.READY)
    take(running, "start")
    steps: list[Draft] = []
    running.session.draft_changed.connect(steps.append)
    running.session.send(PROMPT)
    wait(lambda: (bool(steps) and steps[-1].step * 2 >= steps[-1].max_steps) or not busy(running))
    running.window.grab().save(str(options.out / "denoising.png"))
    wait(lambda: not busy(running))
    take(running, "settled")
    running.window.close()

    running = start(theme, "models/writer")
    wait(lambda: running.status.state.phase is Phase.FAILED)
    running.session.send("Hello! Are you there?")
    wait(lambda: not busy(running))
    take(running, "error")
    running.window.close()


def start(theme: Theme, model: str) -> Running:
    folder = Path(tempfile.mkdtemp())
    running = build(Paths(data=folder, logs=folder), LoadRequest(model=model), theme, load, run_job)
    running.window.resize(*SIZE)
    running.window.show()
    return running


def busy(running: Running) -> bool:
    return running.session.is_busy


def wait(until: Callable[[], bool]) -> None:
    while not until():
        settle(5)


def settle(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    main()
