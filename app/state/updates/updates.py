"""Updates of an installed Redraft: looks for them, fetches them, has them installed.

The work is done on one thread, one thing after the other; what it reports arrives on the GUI
thread. What talks to the network is imported there, when it is needed first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from app.settings import Settings, SettingsStore
from app.state.updates import trouble
from app.state.updates.place import Place
from app.state.updates.status import Phase, Status
from app.state.updates.work import Work

log = logging.getLogger(__name__)

DAY = 86_400.0  # seconds between two looks
CLOCK_MS = 3_600_000  # how often somebody asks whether a day is over
CALM_MS = 5_000  # after the start: the window and the model come first
PATIENCE = 3.0  # seconds for what is running to end

Change = Callable[[Status], Status]


class Updates(QObject):
    """`start` it when the window is up; `close` it before it is deleted.

    Without a place, in a source checkout or where nobody said where updates come from, it is off
    for good.

    Signals:
        changed(Status)
        restart_requested(): the user wants the next version now.
    """

    changed = Signal(object)
    restart_requested = Signal()
    _told = Signal(object)

    def __init__(
        self, place: Place | None, settings: SettingsStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._was_on = settings.value.updates
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._work = Work(place, self._tell) if place else None
        running = place.source.running if place else ""
        self._status = Status(phase=Phase.IDLE if place else Phase.OFF, running=running)
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)
        self._clock = QTimer(self, interval=CLOCK_MS)
        self._clock.timeout.connect(self._look_if_due)
        settings.changed.connect(self._on_settings)

    @property
    def status(self) -> Status:
        return self._status

    @property
    def can_update(self) -> bool:
        return self._work is not None

    def start(self) -> None:
        """Looks when all is calm, if the user wants that, and then once a day."""
        if self._work is None or self._thread is not None:
            return
        self._thread = threading.Thread(target=self._serve, name="redraft-updates", daemon=True)
        self._thread.start()
        self._jobs.put(self._work.remember)
        self._clock.start()
        QTimer.singleShot(CALM_MS, self, self._look_at_start)

    def look_now(self) -> None:
        """The user asks: this holds whatever the settings say."""
        self._look(goes_on=self._settings.value.updates)

    def fetch(self) -> None:
        """The user wants what was found."""
        work, offer = self._work, self._status.offer
        if work and offer and not self._status.phase.is_busy:
            self._set(replace(self._status, phase=Phase.FETCHING, trouble=None, progress=None))
            self._jobs.put(work.begun(lambda: work.fetch(offer.version)))

    def stop(self) -> None:
        """What has been fetched is kept; it does not go on by itself."""
        if self._work and self._status.phase.is_busy:
            self._work.stop()

    def skip(self, version: str) -> None:
        """The user does not want this version."""
        if self._work is not None:
            work = self._work
            self._jobs.put(lambda: work.skip(version))

    def go_back(self) -> None:
        """From the next start on the version before this one runs."""
        if self._work and self._status.previous and not self._status.phase.is_busy:
            self._jobs.put(self._work.go_back)

    def restart(self) -> None:
        if self._status.next_version:
            self.restart_requested.emit()

    def close(self) -> None:
        self._clock.stop()
        if self._work is not None and self._thread is not None:
            self._work.stop(for_good=True)
            self._jobs.put(None)
            self._thread.join(PATIENCE)

    def _look(self, *, goes_on: bool) -> None:
        """`goes_on`: what the user has said yes to is fetched at once."""
        if self._work and not self._status.phase.is_busy:
            work = self._work
            self._set(replace(self._status, phase=Phase.LOOKING, trouble=None))
            self._jobs.put(work.begun(lambda: work.look(goes_on=goes_on)))

    @Slot()
    def _look_at_start(self) -> None:
        if self._settings.value.updates and self._status.phase is Phase.IDLE:
            self._look(goes_on=True)

    @Slot()
    def _look_if_due(self) -> None:
        is_due = not 0 <= time.time() - self._status.looked < DAY  # clocks are set back, too
        if self._settings.value.updates and is_due:
            self._look(goes_on=True)

    @Slot(object)
    def _on_settings(self, settings: Settings) -> None:
        """Who switches it on sees that it looks, and off means that nothing goes on."""
        was_on, self._was_on = self._was_on, settings.updates
        if settings.updates and not was_on:
            self._look(goes_on=True)
        elif was_on and not settings.updates:
            self.stop()

    @Slot(object)
    def _on_told(self, change: Change) -> None:
        self._set(change(self._status))

    def _set(self, status: Status) -> None:
        self._status = status
        self.changed.emit(status)

    # --- on the thread ----------------------------------------------------------------------------

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:  # the next one may work
                log.exception("an update")
                self._tell(_failed)

    def _tell(self, change: Change) -> None:
        with suppress(RuntimeError):  # the window is gone
            self._told.emit(change)


def _failed(status: Status) -> Status:
    return replace(status, phase=Phase.FAILED, trouble=trouble.unexpected(), progress=None)
