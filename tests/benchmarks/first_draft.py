"""How long people wait: for the window after a start, and for the first draft after Enter.

    python -m tests.benchmarks.first_draft [--model DIR] [--runs N]

Each run is a real start of the program in a process of its own. `window_ms` is from the start of
the process to the first painted window; `ready_ms` to the loaded model; `draft_ms` from the key
press to the first painted draft, `first` right after loading and `next` with a warm model;
`stall_ms` is the longest time that the window did not answer while the model was loaded. The `_cpu`
figures are the processor time of the whole process over the same stretch: what the wait comes to on
a PC that does nothing else. Targets: 1 s for the window, 150 ms for a draft.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.record import record

PROJECT = Path(__file__).resolve().parents[2]
PROMPTS = ("Hello! Who are you?", "Tell me a little story.", "Thank you!", "What is Redraft?")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_once(options.model)
        return
    runs = [start(options.model) for _ in range(options.runs)]
    figures = {
        "window_ms": summary([run["window"] for run in runs]),
        "window_cpu_ms": summary([run["window_cpu"] for run in runs]),
        "ready_ms": summary([run["ready"] for run in runs]),
        "stall_ms": summary([run["stall"] for run in runs]),
        "draft_ms": {
            "first": summary([run["drafts"][0] for run in runs]),
            "next": summary([each for run in runs for each in run["drafts"][1:]]),
        },
        "draft_cpu_ms": {
            "first": summary([run["drafts_cpu"][0] for run in runs]),
            "next": summary([each for run in runs for each in run["drafts_cpu"][1:]]),
        },
    }
    record("first_draft", {"model": Path(options.model).name, "runs": options.runs, **figures})


def start(model: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        folders = dict.fromkeys(("XDG_DATA_HOME", "XDG_STATE_HOME"), home)
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", **folders}
        began = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.first_draft",
            "--child",
            "--model",
            model,
        ]
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
        )
    marks = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "window": 1e3 * (marks["window"] - began),
        "ready": 1e3 * (marks["ready"] - began),
        "stall": marks["stall"],
        "window_cpu": 1e3 * marks["window_cpu"],
        "drafts": marks["drafts"],
        "drafts_cpu": marks["drafts_cpu"],
    }


def summary(times: list[float]) -> dict[str, float]:
    return {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)}


def run_once(model: str) -> None:
    """One start, watched from inside. Prints its marks as JSON; monotonic seconds."""
    # imported late: what a start imports is part of what is measured
    from PySide6.QtCore import QEvent, QObject, Qt, QTimer
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QApplication, QPlainTextEdit

    from app.__main__ import SWITCH_INTERVAL, build, choose_look, load, run_job
    from app.paths import user_paths
    from app.state.engine_status import Phase
    from app.ui.canvas.canvas import Canvas
    from engine.messages import LoadRequest

    marks: dict[str, Any] = {"drafts": [], "drafts_cpu": [], "stall": 0.0}
    sys.setswitchinterval(SWITCH_INTERVAL)
    qt = QApplication([])

    class FirstDraft(QObject):
        """Notes when a canvas is painted for the first time with a draft on it."""

        pressed = pressed_cpu = 0.0

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            is_paint = event.type() == QEvent.Type.Paint and isinstance(watched, Canvas)
            if is_paint and self.pressed and watched.shown_text:
                marks["drafts"].append(1e3 * (time.monotonic() - self.pressed))
                marks["drafts_cpu"].append(1e3 * (time.process_time() - self.pressed_cpu))
                self.pressed = 0.0
                running.session.stop()  # how long the rest takes is another figure
            return False

    paths = user_paths()
    paths.create()
    running = build(paths, LoadRequest(model=model), choose_look(qt, paths), load, run_job)
    watcher = FirstDraft()
    qt.installEventFilter(watcher)
    last_tick = [time.monotonic()]

    def tick() -> None:
        now = time.monotonic()
        if "window" in marks and "ready" not in marks:
            marks["stall"] = max(marks["stall"], 1e3 * (now - last_tick[0]))
        last_tick[0] = now

    heartbeat = QTimer(interval=5, timerType=Qt.TimerType.PreciseTimer)
    heartbeat.timeout.connect(tick)
    heartbeat.start()
    field = running.window.composer.findChild(QPlainTextEdit)
    prompts = list(PROMPTS)

    def ask() -> None:
        if running.session.is_busy:
            return
        if not prompts:
            running.window.close()
            return
        QTest.keyClicks(field, prompts.pop(0))
        watcher.pressed, watcher.pressed_cpu = time.monotonic(), time.process_time()
        QTest.keyClick(field, Qt.Key.Key_Return)

    def on_status(state: Any) -> None:
        if state.phase is Phase.FAILED:
            raise SystemExit(state.error.message)
        if state.phase is Phase.READY:
            marks["ready"] = time.monotonic()
            asking.start()

    asking = QTimer(interval=100)
    asking.timeout.connect(ask)
    running.status.changed.connect(on_status)
    running.window.first_painted.connect(
        lambda: marks.update(window=time.monotonic(), window_cpu=time.process_time())
    )
    running.window.show()
    qt.exec()
    running.shut_down()
    print(json.dumps(marks))


if __name__ == "__main__":
    main()
