"""Keeps something on disk as it changes: at most a quarter of a second behind, never half a file.

The writing happens on a thread of its own, because a disk may take its time to confirm.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.pointer import rename
from app.words import tr

log = logging.getLogger(__name__)

DELAY_MS = 150


class Writer:
    """One thread that does all the writing, in the order in which it was asked for."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="redraft-save")

    def submit(self, write: Callable[[], None]) -> Future[None]:
        return self._pool.submit(write)

    def close(self) -> None:
        """Returns when everything is written."""
        self._pool.shutdown()


class Autosave(QObject):
    """Writes `snapshot()` as JSON to `path` soon after `touch`.

    Signals:
        failed(str): a plain sentence, when the disk refused.
    """

    failed = Signal(str)

    def __init__(
        self,
        path: Path,
        snapshot: Callable[[], Any],
        writer: Writer,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._path = path
        self._snapshot = snapshot
        self._writer = writer
        self._is_closed = False
        self._last: Future[None] | None = None
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.save_now)

    def touch(self) -> None:
        """Something changed. The first change starts the clock, so typing on cannot delay it."""
        if not self._is_closed and not self._timer.isActive():
            self._timer.start()

    def save_now(self) -> None:
        """Takes the snapshot at once. It is written before whatever is asked for later."""
        self._timer.stop()
        if not self._is_closed:
            snapshot = self._snapshot()
            self._last = self._writer.submit(lambda: self._write(snapshot))

    def flush(self) -> None:
        """Writes what is waiting and returns when it is on disk."""
        if self._timer.isActive():
            self.save_now()
        if self._last is not None:
            self._last.exception()  # waits; a failure was reported where it happened

    def close(self) -> None:
        """Flushes and ends. What changes later is not written."""
        self.flush()
        self._is_closed = True

    def _write(self, snapshot: Any) -> None:
        try:
            data = json.dumps(snapshot, ensure_ascii=False).encode("utf-8")
            write_atomically(self._path, data)
        except OSError as error:
            log.exception("could not write %s", self._path.name)
            self.failed.emit(
                tr("Your text could not be saved: {reason}.", reason=error.strerror or error)
            )


def read_json(path: Path) -> Any:
    """The JSON in `path`; None if there is no such file. ValueError if it cannot be read."""
    try:
        return json.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from error


def set_aside(path: Path, why: str) -> Path | None:
    """Renames a file so that the next write does not replace it. None where it is not there."""
    stamp = f"{path.stem}.{why}-{time.strftime('%Y%m%d-%H%M%S')}"
    kept = path.with_name(f"{stamp}{path.suffix}")
    number = 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{stamp}-{number}{path.suffix}")
    try:
        rename(path, kept)
    except OSError:
        return None
    return kept


def write_atomically(path: Path, data: bytes) -> None:
    """Writes all of `data` or leaves the old file. On return it survives a loss of power."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    rename(part, path)
