"""All that a GPU is wanted for, in order of worth, unattended: the tests of this folder, then the benchmarks.

    python -m tests.gpu.everything [--minutes 9] [--geometry 26b-a4b] [--out FOLDER]

Needs Python, torch, Triton and transformers, and nothing from outside of the repository; Qt is not
needed. Each part runs in a process of its own with the time that is left, and writes its results as it
goes: tests.txt, gpu_step.json, gpu_step_24.json (as much memory as a card of 24 GB has free),
kernels_linear.txt, and summary.json, which says what each part came to.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.gpu_rig import GEOMETRIES
from tests.benchmarks.record import RESULTS, described

PROJECT = Path(__file__).resolve().parents[2]
LEAST = 20.0  # seconds; a part with less is not begun
SMALLER_CARD = 22.5  # GiB that a card of 24 GB has free under a desktop


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    command: list[str]
    share: float  # of the time that is left
    log: str


def main(arguments: list[str] | None = None) -> int:
    """1 where a part failed."""
    given = _parse(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * given.minutes
    summary: dict[str, object] = {}
    for part in parts(given.geometry, given.out, given.minutes):
        summary[part.name] = run(part, given.out, deadline)
        text = json.dumps(described({"parts": summary}), indent=2) + "\n"
        (given.out / "summary.json").write_text(text, encoding="utf-8")
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    return int(any(found != "passed" for found in summary.values()))


def parts(geometry: str, out: Path, minutes: float) -> list[Part]:
    """In order of worth."""
    python = [sys.executable, "-m"]
    step = [*python, "tests.benchmarks.gpu_step", "--random-weights", "--geometry", geometry]
    tests = [
        *python, "pytest", "-c", "tests/gpu/pytest.ini", "--rootdir", ".", "--confcutdir", "tests/gpu",
        "-p", "no:cacheprovider", "--continue-on-collection-errors", "-q", "tests/gpu",
    ]  # fmt: skip
    first, second = 0.5 * minutes, 0.15 * minutes
    return [
        Part(name="tests", command=tests, share=0.35, log="tests.txt"),
        Part(
            name="step", share=0.75, log="gpu_step.txt",
            command=[*step, "--minutes", str(first), "--out", str(out / "gpu_step.json")],
        ),
        Part(
            name="step on a smaller card", share=0.6, log="gpu_step_24.txt",
            command=[
                *step, "--minutes", str(second), "--out", str(out / "gpu_step_24.json"),
                "--sections", "step", "--leave", str(SMALLER_CARD),
            ],
        ),
        Part(
            name="linear kernels", share=1.0, log="kernels_linear.txt",
            command=[*python, "tests.benchmarks.kernels_linear"],
        ),
    ]  # fmt: skip


def run(part: Part, out: Path, deadline: float) -> str:
    """What came of it; its words are in its log."""
    left = deadline - time.monotonic()
    if left < LEAST:
        return "not begun, for want of time"
    limit = max(LEAST, part.share * left)
    with (out / part.log).open("w", encoding="utf-8") as log:
        try:
            done = subprocess.run(
                part.command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT, timeout=limit,
                check=False, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"ended after {limit:.0f} s, what it had written stays"
    return "passed" if done.returncode == 0 else f"failed with code {done.returncode}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--geometry", choices=GEOMETRIES, default=GEOMETRIES[0])
    parser.add_argument("--out", type=Path, default=RESULTS / "gpu")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
