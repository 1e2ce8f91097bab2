"""What the window adds to the memory of torch with a model, and whether it grows with use.

    python -m tests.benchmarks.memory [--generations N]

Three processes: `engine` loads the demo model and denoises one canvas without any window; `window`
is the whole application with a chat of 10,000 messages open, scrolled through once; `use` answers N
questions (1,000) in two denoising steps each, 40 in a chat. Resident memory in MiB. `slope` is the
growth over 1,000 generations after the first tenth: the median slope between two samples, which one
step of the heap (some MiB, up or down) does not tilt. Targets: the window at most 200 MiB above the
engine; a slope of at most 1 MiB.

SQLite keeps up to 16 MiB of pages, which everyday use reaches only after weeks: they are filled
before `use` begins to count, by reading a chat of 50,000 messages. A sample is taken when a new chat
begins and the window is at rest, and glibc gives back before it what is free: by how much it keeps
more at one time than at another, 6 MiB, would hide what is looked for.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.record import record

PROJECT = Path(__file__).resolve().parents[2]
MESSAGES = 10_000
FILLING = 50_000  # messages: more than SQLite keeps in memory
EVERY = 40  # generations in a chat, and between two samples
REST_MS = 300
TARGETS = {"window_above_engine_mib": 200, "slope_mib": 1}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--generations", type=int, default=1000)
    parser.add_argument("--child", choices=["engine", "window", "use"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        made = {"engine": engine, "window": window, "use": partial(use, options.generations)}
        print(json.dumps(made[options.child]()))
        return
    found = {kind: child(kind, options.generations) for kind in ("engine", "window", "use")}
    record(
        "memory",
        {
            "targets": TARGETS,
            "messages": MESSAGES,
            "generations": options.generations,
            "engine_mib": found["engine"],
            "window_mib": found["window"],
            "window_above_engine_mib": round(found["window"]["end"] - found["engine"]["end"], 1),
            **found["use"],
        },
    )


def child(kind: str, generations: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--child", kind]
    done = subprocess.run(
        [*command, "--generations", str(generations)],
        cwd=PROJECT,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def resident() -> float:
    return round(psutil.Process().memory_info().rss / 2**20, 1)


def engine() -> dict[str, float]:
    from engine.messages import ChatRequest, LoadRequest, Role, Sampling, Turn
    from engine.pipeline import load_pipeline

    pipeline = load_pipeline(LoadRequest(model="demo"), lambda *_: None, lambda: False)
    request = ChatRequest(
        turns=(Turn.of(Role.USER, "Hello!"),),
        sampling=Sampling(max_denoising_steps=4),
        max_new_tokens=128,
    )
    for _ in pipeline.run(1, request, lambda: False):
        pass
    return {"end": resident()}


def window() -> dict[str, float]:
    from PySide6.QtWidgets import QApplication

    from tests.benchmarks.session import live, long_chat, start, wait

    with tempfile.TemporaryDirectory() as folder:
        long_chat(Path(folder), MESSAGES)
        qt = QApplication([])
        running = start(qt, Path(folder))
        wait(lambda: len(running.session.path) == MESSAGES)
        live(500)
        opened = resident()
        chat, bar = running.window.chat, running.window.chat.verticalScrollBar()
        for _ in range(200):
            bar.setValue(max(0, bar.value() - chat.viewport().height()))
            live(10)
        live(500)
        scrolled = resident()
        running.shut_down()
    return {"opened": opened, "end": max(opened, scrolled)}


def held() -> float:
    """Resident memory without what malloc keeps for later, where it can be told to give it back."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return resident()


def use(generations: int) -> dict[str, Any]:
    from dataclasses import replace

    from PySide6.QtWidgets import QApplication

    from engine.messages import Sampling
    from tests.benchmarks.session import live, long_chat, start, wait

    with tempfile.TemporaryDirectory() as folder:
        long_chat(Path(folder), FILLING)
        running = start(QApplication([]), Path(folder))
        wait(lambda: bool(running.session.path))
        quick = Sampling(max_denoising_steps=2)
        sizes = []
        for number in range(generations):
            if number % EVERY == 0:  # before the context is full
                running.chats.new()
                running.chats.set_preset(replace(running.session.preset, sampling=quick))
                live(REST_MS)
                sizes.append(held())
            running.session.send(f"Question {number}?")
            wait(lambda: running.session.progress is not None or not running.session.is_busy)
            running.session.stop()
            wait(lambda: not running.session.is_busy)
        running.shut_down()
    settled = np.array(sizes[len(sizes) // 10 :])
    pairs = combinations(range(len(settled)), 2)
    slope = 1000 / EVERY * np.median([(settled[b] - settled[a]) / (b - a) for a, b in pairs])
    return {
        "slope_mib": round(float(slope), 2),
        "use_mib": sizes[:: max(1, len(sizes) // 20)],
    }


if __name__ == "__main__":
    main()
