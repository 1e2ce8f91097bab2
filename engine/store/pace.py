"""How far a download is, how fast it goes, how fast it may go, and whether it goes on."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from engine.store.troubles import paused

TICK = 0.1  # seconds: how often it is looked whether to stop
_WINDOW = 5.0  # seconds over which the speed is measured


@dataclass(frozen=True, kw_only=True)
class Progress:
    done: int  # bytes that are on the disk and as they should be, so far as can be known yet
    total: int  # bytes
    speed: float  # bytes a second that came over the network in the last seconds
    wait: float  # seconds until a broken connection is tried again; 0 where none is broken
    file: str = ""  # the one that was worked on last


def _never() -> bool:
    return False


def _no_limit() -> float:
    return 0.0


def _nobody(news: object) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Control:
    """What the one who wants the files decides while they come. Called from several threads."""

    stop: Callable[[], bool] = _never  # True pauses: what has arrived is kept
    limit: Callable[[], float] = _no_limit  # bytes a second of all files together; 0: no limit
    progress: Callable[[Progress], None] = _nobody  # one call at a time
    repaired: Callable[[str], None] = _nobody  # a file of which something wrong is fetched again


class Pace:
    """Shared by the threads of one download."""

    def __init__(self, control: Control, total: int) -> None:
        self._control, self._total = control, total
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}
        self._arrived: deque[tuple[float, int]] = deque()
        self._free_at = 0.0  # when the limit allows the next bytes
        self._reported = 0.0
        self._file = ""

    def end(self) -> None:
        """Makes every other thread stop."""
        self._ended.set()

    @property
    def stopped(self) -> bool:
        return self._ended.is_set() or self._control.stop()

    def check(self) -> None:
        """Raises EngineFault where the download is to stop."""
        if self.stopped:
            raise paused()

    def pause(self, seconds: float) -> None:
        """Waits for a connection to be tried again."""
        self._sleep_until(time.monotonic() + seconds, shown=True)

    def arrived(self, name: str, done: int, count: int) -> None:
        """`count` bytes came over the network; the file has `done`. Waits where it is too fast."""
        self.check()
        limit = self._control.limit()
        with self._lock:
            now = time.monotonic()
            self._arrived.append((now, count))
            self._free_at = max(now, self._free_at) + (count / limit if limit > 0 else 0.0)
            until = self._free_at if limit > 0 else now
        self.reached(name, done)
        self._sleep_until(until)

    def reached(self, name: str, done: int) -> None:
        """The file has `done` bytes."""
        with self._lock:
            self._done[name], self._file = done, name
            if time.monotonic() - self._reported >= TICK:
                self._report(0.0)

    def repaired(self, name: str) -> None:
        """Something of the file was wrong, and is fetched again."""
        self._control.repaired(name)

    def finish(self) -> None:
        with self._lock:
            self._report(0.0)

    def _sleep_until(self, moment: float, shown: bool = False) -> None:
        self.check()
        while (left := moment - time.monotonic()) > 0:
            if shown:
                with self._lock:
                    self._report(left)
            time.sleep(min(left, TICK))
            self.check()

    def _report(self, wait: float) -> None:
        now = self._reported = time.monotonic()
        while self._arrived and now - self._arrived[0][0] > _WINDOW:
            self._arrived.popleft()
        seconds = now - self._arrived[0][0] if self._arrived else 0.0
        bytes_in = sum(count for _, count in self._arrived)
        speed = bytes_in / max(seconds, TICK)
        done = sum(self._done.values())
        self._control.progress(
            Progress(done=done, total=self._total, speed=speed, wait=wait, file=self._file)
        )
