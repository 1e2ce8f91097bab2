"""What it costs that a start looks which version is to run, and that it becomes another one.

    python -m tests.benchmarks.hop [--runs N]

Real starts of the launcher for Linux, with an app of a few lines: `installed` where no update ever
was, `updated` where one is to run. Each is the fastest wall time of a whole start and the median of
its processor time. `asked_ms` is the processor time of the question alone, as Windows' installed
version asks it at its start, without an update and without what the app imports anyway.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from app.state.updates.install import install
from app.versions import Versions
from tests.benchmarks.record import record
from tests.packaging import linux_rig

ASK = """
import sys, time
from app.hop import hop
sys.prefix = sys.argv[1]
begin = time.thread_time()
hop(windows=True)
print(time.thread_time() - begin)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        home.mkdir()
        os.environ.update(HOME=str(home), XDG_DATA_HOME=str(home / ".local" / "share"))
        program = linux_rig.program(Path(place) / "program")
        installed = starts(program, home, runs)
        question = asked(program, runs)
        bring_update(home)
        updated = starts(program, home, runs)
    figures = {"installed": installed, "updated": updated, "asked_ms": question}
    record("hop", {"runs": runs, **figures})


def bring_update(home: Path) -> None:
    """One whose window has been there."""
    versions = Versions(home / ".local" / "share" / "redraft" / "versions", "0.1.0")
    linux_rig.program(versions.staging("0.2.0"), "0.2.0")
    install(versions, "0.2.0", versions.folder / "log", lambda: False)
    versions.use("0.2.0")
    Versions(versions.folder, "0.2.0").confirm()


def starts(program: Path, home: Path, runs: int) -> dict[str, float]:
    """Milliseconds; the first start makes what is missing and does not count."""
    walls, processor = [], []
    for _ in range(runs + 1):
        before, begin = used(), time.monotonic()
        done = linux_rig.start(program, home)
        assert done.returncode == 0, done.stderr
        walls.append(time.monotonic() - begin)
        processor.append(used() - before)
    fastest, median = min(walls[1:]), statistics.median(processor[1:])
    return {"wall_ms": round(fastest * 1e3, 1), "cpu_ms": round(median * 1e3, 1)}


def asked(program: Path, runs: int) -> float:
    command = [sys.executable, "-c", ASK, program / "env"]
    said = [
        subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(runs)
    ]
    return round(statistics.median(float(each.stdout) for each in said) * 1e3, 3)


def used() -> float:
    """Processor time of all children that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
