"""Makes one layer: uv in a child process, a check in another one, then the layer gets its name.

Blocks; runs on a thread of its own. What has been downloaded stays in uv's cache, so the next try
goes on from there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import psutil

from app.layers import COMPLETE, Flavour, Layers, Size
from app.paths import ASSETS
from app.state.setup.trouble import SetupFailed, does_not_start, no_room, trouble_in, trouble_of

OVERRIDE = "REDRAFT_WHEELS"  # a folder: wheels come from there and from nowhere else
ROOM = {Flavour.CPU: 1_500_000_000, Flavour.CUDA: 9_000_000_000}  # bytes, with what uv unpacks
PERIOD = 0.5  # seconds between two reports
PATIENCE = 5.0  # seconds for a child to end by itself
CHECK_PATIENCE = 300.0  # seconds; the first import reads a gigabyte from a slow disk
FOREIGN = ("PYTHON", "PIP_", "UV_")
FOREIGN_NAMES = ("VIRTUAL_ENV", "CONDA_PREFIX")


class Stage(Enum):
    INSTALLING = "installing"
    CHECKING = "checking"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` and `total` in bytes to download. Where nobody knows how many those are, `total` is 0
    and `done` is what has been written to the disk.
    """

    stage: Stage
    done: int = 0
    total: int = 0
    speed: float = 0.0  # bytes per second, of the last report's period


class Cancelled(Exception):
    pass


Report = Callable[[Progress], None]
IsCancelled = Callable[[], bool]


def make(
    layers: Layers, flavour: Flavour, log: Path, report: Report, is_cancelled: IsCancelled
) -> dict[str, object]:
    """Makes the layer and returns what its check found. Raises `SetupFailed` or `Cancelled`."""
    part = layers.path(flavour).with_name(layers.path(flavour).name + ".part")
    try:
        layers.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(layers.folder).free
        if free < ROOM[flavour]:
            raise SetupFailed(no_room(ROOM[flavour], free))
        shutil.rmtree(part, ignore_errors=True)  # its files are in uv's cache, too
        _install(layers, flavour, part, log, report, is_cancelled)
        report(Progress(stage=Stage.CHECKING))
        found = check(part, log, is_cancelled)
        (part / COMPLETE).write_text(json.dumps(found), encoding="utf-8")
        shutil.rmtree(layers.path(flavour), ignore_errors=True)  # a discarded one
        part.rename(layers.path(flavour))
    except OSError as error:
        raise SetupFailed(trouble_of(error)) from error
    return found


def install_commands(
    layers: Layers, flavour: Flavour, part: Path, wheels: str
) -> list[list[str | Path]]:
    """What to run: all of the lock, then torch where only PyTorch's own index has it."""
    here = layers.installed
    base: list[str | Path] = [here.uv, "pip", "install", "--no-config", "--system-certs"]
    base += ["--no-progress", "--no-deps", "--only-binary", ":all:", "--python", sys.executable]
    base += ["--target", part]
    if wheels:
        base += ["--no-index", "--find-links", wheels]
    commands = [[*base, "--require-hashes", "-r", here.lock(flavour)]]
    if outside := here.outside(flavour):
        where = [] if wheels else ["--default-index", outside.index]
        commands.append([*base, *where, outside.requirement])
    return commands


def _install(
    layers: Layers,
    flavour: Flavour,
    part: Path,
    log: Path,
    report: Report,
    is_cancelled: IsCancelled,
) -> None:
    environment = clean_environment()
    environment["UV_CACHE_DIR"] = str(layers.folder.parent / "cache" / "uv")
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    meter = _Meter(report, layers.installed.size(flavour))
    for command in install_commands(layers, flavour, part, os.environ.get(OVERRIDE, "")):
        before = size_of(log)
        if run(command, environment, log, meter.look, is_cancelled) != 0:
            raise SetupFailed(trouble_in(since(log, before)))


def check(layer: Path, log: Path, is_cancelled: IsCancelled) -> dict[str, object]:
    """Imports the layer in a process of its own: what fails there does not take the window along.

    Returns the findings of `engine.layer_check`. Raises `SetupFailed` or `Cancelled`.
    """
    answer = log.with_name("layer-check.json")
    answer.unlink(missing_ok=True)
    environment = clean_environment() | {"PYTHONPATH": str(layer)}
    command: list[str | Path] = [sys.executable, "-m", "engine.layer_check", answer]
    end = time.monotonic() + CHECK_PATIENCE

    def look(_pid: int) -> None:
        if time.monotonic() > end:
            raise SetupFailed(does_not_start("no answer"))

    before = size_of(log)
    if run(command, environment, log, look, is_cancelled) != 0:
        raise SetupFailed(does_not_start(since(log, before)))
    found: dict[str, object] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def clean_environment() -> dict[str, str]:
    """This process's variables without those that would lead Python or uv elsewhere.

    Proxies and certificates of the user's stay.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(FOREIGN) and name not in FOREIGN_NAMES
    }


class _Meter:
    """How much uv has written so far: what it downloads, it unpacks as it comes."""

    def __init__(self, report: Report, size: Size) -> None:
        self._report = report
        self._total = size.download
        # How much is downloaded of a byte that is written.
        self._scale = size.download / size.disk if size.download and size.disk else 1.0
        self._before = 0.0  # of the processes that have ended
        self._pid = 0
        self._last = 0.0
        self._at = time.monotonic()

    def look(self, pid: int) -> None:
        with suppress(psutil.Error, OSError):
            if pid != self._pid:
                self._before, self._pid = self._last, pid
            counters = psutil.Process(pid).io_counters()
            written = getattr(counters, "write_chars", counters.write_bytes)
            done = self._before + written * self._scale
            now = time.monotonic()
            speed = (done - self._last) / max(now - self._at, 1e-3)
            self._last, self._at = done, now
            total = self._total
            shown = round(min(done, total) if total else done)
            self._report(Progress(stage=Stage.INSTALLING, done=shown, total=total, speed=speed))


def run(
    command: Sequence[str | Path],
    environment: dict[str, str],
    log: Path,
    look: Callable[[int], None],
    is_cancelled: IsCancelled,
) -> int:
    """The exit status. `look` is called with the process id again and again."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        out.write(f"$ {' '.join(map(str, command))}\n".encode())
        out.flush()
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=ASSETS.parent,  # where the engine is
            creationflags=0x08004000 if sys.platform == "win32" else 0,  # quiet, no black window
        )
        try:
            if sys.platform != "win32":
                with suppress(psutil.Error):
                    psutil.Process(child.pid).nice(5)  # the user comes first
            while True:
                with suppress(subprocess.TimeoutExpired):
                    return child.wait(PERIOD)
                if is_cancelled():
                    raise Cancelled
                look(child.pid)
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def size_of(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def since(log: Path, before: int) -> str:
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(before)
        return file.read()
