"""How long the live canvas takes to lay out and to paint one denoising step of 256 tokens.

    python -m tests.benchmarks.canvas

Two cases: `mixed`, where neighbouring tokens agree about half of the time, as in a real run, and
`worst`, where each token has a random state and confidence. Every frame shows a new text. The
target is a paint below 2 ms in the median.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage, QRegion
from PySide6.QtWidgets import QApplication, QWidget

from app.ui.canvas.canvas import Canvas
from app.ui.theme import TEXT_WIDTH, Scheme, Theme
from engine.messages import Draft, TokenState
from tests.benchmarks.record import record

TOKENS = 256
FRAMES = 300
WORDS = [
    "the",
    "of",
    "river",
    "lantern",
    "small",
    "quiet",
    "a",
    "house",
    "walked",
    "over",
    "bridge",
    "evening",
    "and",
    "told",
    "story",
    "garden",
    "moon",
    "fox",
    "bright",
    "window",
    "under",
    "ing",
    "ed",
    ",",
    ".",
    "and",
    "then",
    "slowly",
]


def frame(chooser: random.Random, agreement: float) -> Draft:
    states, confidence = [], []
    for _ in range(TOKENS):
        if states and chooser.random() < agreement:
            states.append(states[-1])
            confidence.append(confidence[-1])
        else:
            states.append(chooser.choice(list(TokenState)[:4]))
            confidence.append(chooser.randrange(256))
    return Draft(
        request_id=1,
        canvas=0,
        step=1,
        max_steps=48,
        pieces=tuple(" " + chooser.choice(WORDS) for _ in range(TOKENS)),
        confidence=bytes(confidence),
        states=bytes(states),
        channels=bytes([1] * TOKENS),
    )


def measure(canvas: Canvas, agreement: float) -> dict[str, Any]:
    chooser = random.Random(1)
    screen = QImage(TEXT_WIDTH, 700, QImage.Format.Format_RGB32)
    times: dict[str, list[float]] = {"layout": [], "paint": [], "layout_cpu": [], "paint_cpu": []}
    for _ in range(FRAMES):
        draft = frame(chooser, agreement)
        marks = [clocks()]
        canvas.show_draft(draft)
        canvas.show_now()
        marks.append(clocks())
        canvas.render(screen, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
        marks.append(clocks())
        for i, what in enumerate(("layout", "paint")):
            times[what].append(1e3 * (marks[i + 1][0] - marks[i][0]))
            times[f"{what}_cpu"].append(1e3 * (marks[i + 1][1] - marks[i][1]))
    return {f"{what}_ms": summary(values) for what, values in times.items()}


def clocks() -> tuple[float, float]:
    """Time on the wall, and time that this thread really ran: equal on a PC that is not busy."""
    return time.perf_counter(), time.thread_time()


def summary(times: list[float]) -> dict[str, float]:
    tail = statistics.quantiles(times, n=20)[-1]
    return {"median": round(statistics.median(times), 2), "p95": round(tail, 2)}


def main() -> None:
    app = QApplication([])
    canvas = Canvas(Theme(app, Scheme.LIGHT))
    canvas.resize(TEXT_WIDTH, 100)
    canvas.show()
    measure(canvas, 0.5)  # warms the glyph caches
    record(
        "canvas",
        {
            "tokens": TOKENS,
            "frames": FRAMES,
            "mixed": measure(canvas, 0.5),
            "worst": measure(canvas, 0.0),
        },
    )


if __name__ == "__main__":
    main()
