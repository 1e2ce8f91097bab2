"""A job in a process of its own, which can be ended: it may hang, or eat all memory.

The request goes in as one line of JSON, and nothing of it appears among the arguments that other
programs can read. Progress, result or fault come back as lines. Whoever closes the pipe ends the
child, so nothing is left over when Redraft ends, however it ends.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from engine.messages import EngineError, EngineFault, ErrorKind, JobOptions, JobRequest
from engine.messages.plain import from_plain, to_plain
from engine.service import Cancelled, JobReport

_ROOT = Path(__file__).resolve().parent.parent
_TICK = 0.1  # seconds between two looks whether the job is cancelled
_GRACE = 1.5  # seconds to end by itself after a cancel; then the child is ended
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console


def run_in_child(request: JobRequest, report: JobReport, cancelled: Cancelled) -> Any:
    """What `engine.job_child` makes of the request, as plain values. Raises EngineFault."""
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "engine.job_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=_ROOT,
            creationflags=_NO_WINDOW,
        )
        try:
            return _follow(child, request, report, cancelled, errors)
        finally:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _follow(
    child: subprocess.Popen[bytes],
    request: JobRequest,
    report: JobReport,
    cancelled: Cancelled,
    errors: IO[bytes],
) -> Any:
    private = replace(request, options=JobOptions())  # no child of these needs the network
    _tell(child, json.dumps(to_plain(private)))
    for line in _lines(child, cancelled):
        told = json.loads(line)
        if "progress" in told:
            words, done, total = told["progress"]
            report(words, done, total)
        elif "failed" in told:
            error = from_plain(EngineError, told["failed"])
            raise EngineFault(error.kind, error.message, error.remedy, error.detail)
        else:
            return told["done"]
    errors.seek(0)
    said = errors.read()[-2000:].decode("utf-8", "replace")
    raise _lost(child.wait(), said) if not cancelled() else _stopped()


def _lines(child: subprocess.Popen[bytes], cancelled: Cancelled) -> Iterator[bytes]:
    """What the child says until it ends. One that does not end when asked to is ended."""
    assert child.stdout is not None
    said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(child.stdout, said), daemon=True)
    reader.start()
    asked = None
    while True:
        if cancelled() and asked is None:
            asked = time.monotonic()
            _tell(child, "cancel")
        if asked is not None and time.monotonic() - asked > _GRACE:
            child.kill()
        with suppress(queue.Empty):
            line = said.get(timeout=_TICK)
            if not line:
                return
            yield line


def _read(pipe: IO[bytes], said: queue.SimpleQueue[bytes]) -> None:
    """Ends with an empty line, which no child writes."""
    with suppress(OSError, ValueError):
        for line in pipe:
            said.put(line)
    said.put(b"")


def _tell(child: subprocess.Popen[bytes], line: str) -> None:
    assert child.stdin is not None
    with suppress(OSError):  # it has ended: its last words are waited for
        child.stdin.write(line.encode() + b"\n")
        child.stdin.flush()


def _lost(code: int, said: str) -> EngineFault:
    return EngineFault(
        ErrorKind.OUT_OF_MEMORY if code == -9 else ErrorKind.INTERNAL,
        "This ended before it was done. Perhaps the memory of this PC was not enough.",
        "Close other programs, then start it again: what is finished is kept.",
        f"exit code {code}: {said}",
    )


def _stopped() -> EngineFault:
    return EngineFault(
        ErrorKind.CANCELLED,
        "This was stopped.",
        "Start it again when you like: what is finished is kept.",
    )
