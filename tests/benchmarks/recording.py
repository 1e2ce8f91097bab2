"""How small a run is on disk, how fast any step of it is found, and how long a picture takes.

    python -m tests.benchmarks.recording

`demo` are real runs of the demo model. `random` is noise from end to end, which no model makes, in
the largest run the app allows: 32 canvases of 48 steps and 256 tokens. `jump_ms` is from the stored
bytes to a draft that can be shown, at random steps; `gui_slice_ms` is the longest that painting the
picture keeps the window from anything else. Targets: 3 bytes a token and step, 10 ms for both.
"""

from __future__ import annotations

import os
import random
import statistics
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from app.state.recording.codec import Tape, encode
from app.state.recording.picture import PictureKind
from app.state.recording.run import Run
from app.ui.replay.run_export import PictureOptions, RunExport
from app.ui.theme import LIGHT, Scheme, Theme
from engine.messages import ChatRequest, Frame, LoadRequest, Recording, Role, Turn
from tests.benchmarks.record import record

PROMPTS = (
    ("Tell me a story about Mara and a silver lamp.", False),
    ("Tell me a long story about a fox, a river and a garden.", False),
    ("Hello! Who are you?", True),
)
CANVASES, STEPS, TOKENS, PIECES = 32, 48, 256, 65_536
JUMPS = 300


def real_runs() -> list[Recording]:
    from engine.pipeline import load_pipeline

    pipeline = load_pipeline(
        LoadRequest(model="demo", device="cpu"), lambda *_: None, lambda: False
    )
    found = []
    for text, thinking in PROMPTS:
        request = ChatRequest(turns=(Turn.of(Role.USER, text),), seed=5, thinking=thinking)
        events = list(pipeline.run(1, request, lambda: False))
        found += [event for event in events if isinstance(event, Recording)]
    pipeline.close()
    return found


def random_run() -> Recording:
    chooser = random.Random(1)
    frames = tuple(
        Frame(
            canvas=canvas,
            step=step,
            indices=struct.pack(f"<{TOKENS}I", *chooser.choices(range(PIECES), k=TOKENS)),
            confidence=chooser.randbytes(TOKENS),
            states=bytes(chooser.choices(range(6), k=TOKENS)),
            channels=bytes(chooser.choices(range(2), k=TOKENS)),
        )
        for canvas in range(CANVASES)
        for step in range(1, STEPS + 1)
    )
    pieces = tuple(f" p{number:x}" for number in range(PIECES))
    return Recording(request_id=1, pieces=pieces, frames=frames)


def figures(recordings: list[Recording]) -> dict[str, Any]:
    tokens = sum(len(frame.states) for each in recordings for frame in each.frames)
    began = time.thread_time()
    stored = [encode(each) for each in recordings]
    encode_ms = 1e3 * (time.thread_time() - began)
    dictionaries = [
        len(encode(Recording(request_id=1, pieces=each.pieces, frames=()))) for each in recordings
    ]
    size = sum(map(len, stored))
    longest = max(stored, key=len)
    began = time.thread_time()
    Run([Tape(longest)])
    open_ms = 1e3 * (time.thread_time() - began)
    return {
        "steps": sum(len(each.frames) for each in recordings),
        "tokens_and_steps": tokens,
        "bytes": size,
        "bytes_per_token_and_step": round(size / tokens, 3),
        "without_dictionary": round((size - sum(dictionaries)) / tokens, 3),
        "encode_cpu_ms": round(encode_ms, 1),
        "open_cpu_ms": round(open_ms, 1),
        **jumps(Run([Tape(longest)])),
    }


def jumps(run: Run) -> dict[str, Any]:
    chooser = random.Random(2)
    wall, cpu = [], []
    for _ in range(JUMPS):
        step = chooser.randrange(len(run))
        began = time.perf_counter(), time.thread_time()
        run.moment(step)
        wall.append(1e3 * (time.perf_counter() - began[0]))
        cpu.append(1e3 * (time.thread_time() - began[1]))
    return {"jump_ms": summary(wall), "jump_cpu_ms": summary(cpu)}


def picture(recording: Recording, kind: PictureKind, scale: int) -> dict[str, Any]:
    """A whole export, with the window's thread free to do other things all along."""
    slices: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        export = RunExport(
            Run([Tape(encode(recording))]), PictureOptions(kind=kind, scale=scale), LIGHT, path
        )
        work = export._measure_or_paint

        def timed() -> int:
            began = time.thread_time()
            wait = work()
            slices.append(1e3 * (time.thread_time() - began))
            return wait

        export._measure_or_paint = timed  # type: ignore[method-assign]
        loop = QEventLoop()
        for signal in (export.finished, export.failed):
            signal.connect(loop.quit)
        began = time.perf_counter()
        export.start()
        loop.exec()
        return {
            "steps": len(recording.frames),
            "pixels_wide": 720 * scale,
            "bytes": path.stat().st_size,
            "seconds": round(time.perf_counter() - began, 2),
            "gui_slice_cpu_ms": summary(slices),
        }


def summary(times: list[float]) -> dict[str, float]:
    tail = statistics.quantiles(times, n=20)[-1]
    return {
        "median": round(statistics.median(times), 2),
        "p95": round(tail, 2),
        "max": round(max(times), 2),
    }


def main() -> None:
    app = QApplication([])
    Theme(app, Scheme.LIGHT)
    real = real_runs()
    record(
        "recording",
        {
            "demo": figures(real),
            "random": figures([random_run()]),
            "picture": {
                f"{kind.value} at {scale}x": picture(real[0], kind, scale)
                for kind in PictureKind
                for scale in (1, 2)
            },
        },
    )


if __name__ == "__main__":
    main()
