"""What a kill costs: `python -m tests.benchmarks.kills [--runs 100]`.

Each run starts the real window with a scripted model, types and sends without pause, and kills the
process with SIGKILL at a random moment. Then the history is opened as the next start would. Lost is
a message that the window had shown as sent after its commit and that is not there; `typing_lost_ms`
is how long before the kill the oldest letter was typed that is gone. Targets: 0 messages, 250 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks.record import record

PROJECT = Path(__file__).resolve().parents[2]
TARGETS = {"messages_lost": 0, "typing_lost_ms": 250}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        write_without_pause(options.child)
        return
    rng = Random(options.seed)
    runs = [kill_once(rng.uniform(0.05, 2.0)) for _ in range(options.runs)]
    losses = [run["typing_lost_ms"] for run in runs]
    record(
        "kills",
        {
            "targets": TARGETS,
            "kills": len(runs),
            "messages_confirmed": sum(run["confirmed"] for run in runs),
            "messages_lost": sum(run["lost"] for run in runs),
            "typing_lost_ms": {
                "median": round(statistics.median(losses), 1),
                "worst": round(max(losses), 1),
            },
        },
    )


def kill_once(after: float) -> dict[str, Any]:
    """One life of `after` seconds of writing."""
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.kills", "--child", folder],
            cwd=PROJECT,
            env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(after)
        child.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        lines = [json.loads(line) for line in child.stdout.read().splitlines() if line[-1:] == "}"]
        child.wait()
        texts, unsent = found(Path(folder))
    confirmed = [line["sent"] for line in lines if "sent" in line]
    letters = [line for line in lines if "letter" in line]
    last = max((number for text in [*texts, unsent] for number in numbers(text)), default=0)
    gone = [line["at"] for line in letters if line["letter"] > last]
    return {
        "confirmed": len(confirmed),
        "lost": len([text for text in confirmed if text not in texts]),
        "typing_lost_ms": 1e3 * (killed - min(gone)) if gone else 0.0,
    }


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split() if word.isdigit()]


def found(folder: Path) -> tuple[list[str], str]:
    """Questions in the history, and the unsent text, after the kill."""
    from app.state.history.history import History
    from app.state.history.keeper import FILE
    from engine.messages import Role

    if not (folder / "data" / FILE).exists():
        return [], ""
    history = History.open(folder / "data" / FILE)
    chats = [history.load(summary.id) for summary in history.chats()]
    history.close()
    texts = [
        message.text
        for chat in chats
        for message in chat.conversation.messages.values()
        if message.role is Role.USER
    ]
    return texts, " ".join(chat.unsent.text for chat in chats)


def write_without_pause(folder: Path) -> None:
    """Types numbers that count up, sends now and then, and tells on stdout what it did."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication, QPlainTextEdit

    from app.__main__ import build, choose_look
    from app.paths import Paths
    from engine.messages import LoadRequest
    from tests.fakes import FakePipeline, answering, no_jobs

    def tell(**what: Any) -> None:
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()

    qt = QApplication([])
    paths = Paths(data=folder / "data", logs=folder / "logs")
    paths.create()
    look = choose_look(qt, paths)
    pipeline = FakePipeline(answering("Yes."))
    running = build(paths, LoadRequest(model="demo"), look, pipeline.load, no_jobs)
    field = running.window.composer.findChild(QPlainTextEdit)
    count = [0]
    asked: set[int] = set()

    def write() -> None:
        for request in pipeline.requests:  # the model sees a message only after its commit
            if id(request) not in asked:
                asked.add(id(request))
                tell(sent=request.turns[-1].parts[0].text)
        count[0] += 1
        field.insertPlainText(f"{count[0]} ")
        tell(letter=count[0], at=time.monotonic())
        if count[0] % 17 == 0 and not running.session.is_busy:
            field.sent.emit()

    timer = QTimer(interval=8)
    timer.timeout.connect(write)
    running.window.show()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    timer.start()
    qt.exec()


if __name__ == "__main__":
    main()
