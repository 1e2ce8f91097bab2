"""The child's side of `engine.child`: reads a request, does it, and writes lines of JSON."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from engine.faults import error_of
from engine.messages import EngineFault, JobKind, JobRequest
from engine.messages.plain import from_plain, to_plain

_EVERY = 0.05  # seconds between two lines of progress


class _Wire:
    """Lines to the parent. Whatever a library prints goes to stderr instead."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._said = ("", 0.0)

    def send(self, **what: Any) -> None:
        self._out.write(json.dumps(what).encode() + b"\n")
        self._out.flush()

    def report(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if what != self._said[0] or done >= total or now - self._said[1] >= _EVERY:
            self._said = (what, now)
            self.send(progress=[what, done, total])


def main() -> int:
    wire, cancelled = _Wire(), threading.Event()
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        request = from_plain(JobRequest, json.loads(stdin.readline()))
    threading.Thread(target=_listen, args=(cancelled,), daemon=True).start()
    try:
        wire.send(done=_do(request, wire, cancelled))
    except EngineFault as fault:
        wire.send(failed=to_plain(fault.error))
    except BaseException as fault:  # noqa: BLE001 - also panics of Rust libraries, which are no Exception
        wire.send(failed=to_plain(error_of(fault)))
    return 0


def _do(request: JobRequest, wire: _Wire, cancelled: threading.Event) -> Any:
    match request.kind:
        case JobKind.DOCTOR:
            from engine.doctor import judge
            from engine.facts import gather

            # The parent's memory on a GPU is Redraft's own.
            return to_plain(judge(gather(Path(request.home or Path.home()), own_pid=os.getppid())))
        case JobKind.PREPARE:
            from engine.prepare import prepare

            outcome = prepare(
                request.model, Path(request.home), request.weights, wire.report, cancelled.is_set
            )
            return {"exact": outcome.exact, "rounded": outcome.rounded}
        case JobKind.CHECK:
            from engine.check import check

            return to_plain(check(Path(request.model), wire.report, cancelled.is_set))
        case JobKind.VERIFY:
            from engine.verify import verify

            return verify(request.model, wire.report, cancelled.is_set)
        case _:
            raise ValueError(f"{request.kind} is no job for a child")


def _listen(cancelled: threading.Event) -> None:
    """Waits for a cancel, and for the end of the parent, which is the end of this."""
    while os.read(0, 1024):  # not through a buffer, whose lock a thread would keep at the end
        cancelled.set()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
