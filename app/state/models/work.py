"""What is being done to models: fetched, prepared, checked, moved, deleted; one thing a model."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.settings import SettingsStore
from app.state.models.jobs import Jobs, Listener
from app.state.models.library import ModelLibrary
from engine.messages import (
    Deleted,
    Downloaded,
    EngineError,
    ErrorKind,
    JobKind,
    JobOptions,
    JobProgress,
    JobRequest,
    ModelEntry,
    Moved,
    PreparedModel,
)

MEGABYTE = 1_000_000
RESUMABLE = (JobKind.DOWNLOAD, JobKind.PREPARE)


class TaskPhase(Enum):
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One job done to one model. `progress` is None until the engine says how far it is."""

    kind: JobKind
    entry: ModelEntry
    request: JobRequest
    phase: TaskPhase = TaskPhase.RUNNING
    progress: JobProgress | None = None
    error: EngineError | None = None
    job: int = 0

    @property
    def is_running(self) -> bool:
        return self.phase in (TaskPhase.RUNNING, TaskPhase.PAUSING)

    @property
    def can_go_on(self) -> bool:
        return not self.is_running


class ModelWork(QObject):
    """Runs beside the chat. What pauses or fails stays until it goes on or is given up.

    Signals:
        changed(str): the task of the model with this id.
        finished(Task, object): with what the engine's `JobDone` holds.
    """

    changed = Signal(str)
    finished = Signal(object, object)

    def __init__(
        self,
        jobs: Jobs,
        library: ModelLibrary,
        settings: SettingsStore,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._library = library
        self._settings = settings
        self._tasks: dict[str, Task] = {}
        self._restarting: set[str] = set()  # paused only to go on with another speed
        self._discarding: set[str] = set()  # paused only to be deleted
        # as everybody names a mirror of the hub
        self._endpoint = os.environ.get("HF_ENDPOINT", "").strip() or JobOptions().endpoint
        self._token = ""  # for as long as Redraft runs; never written to the disk

    @property
    def options(self) -> JobOptions:
        limit = self._settings.value.download_limit * float(MEGABYTE)
        return JobOptions(token=self._token, endpoint=self._endpoint, speed_limit=limit)

    @property
    def tasks(self) -> tuple[Task, ...]:
        return tuple(self._tasks.values())

    def task(self, entry_id: str) -> Task | None:
        return self._tasks.get(entry_id)

    def set_token(self, token: str) -> None:
        """Of the user's account on the hub. Holds until Redraft ends."""
        self._token = token.strip()

    # --- what is done -----------------------------------------------------------------------------

    def download(self, entry: ModelEntry) -> None:
        self._settings.change(unfinished_model=entry.id)
        self._start(JobKind.DOWNLOAD, entry)

    def prepare(self, entry: ModelEntry, weights: str = "") -> None:
        self._start(JobKind.PREPARE, entry, weights=weights or entry.scheme)

    def check(self, entry: ModelEntry) -> None:
        """Reads all its files and holds them against their hashes."""
        self._start(JobKind.CHECK, entry)

    def move(self, entry: ModelEntry, home: str) -> None:
        self._start(JobKind.MOVE, entry, home=home)

    def delete(self, entry: ModelEntry) -> None:
        """The whole model, or what an unfinished download has left of it."""
        self._start(JobKind.DELETE, entry)

    def discard(self, entry: ModelEntry) -> None:
        """Deletes what a download or a preparation has left, as soon as it has stopped."""
        task = self._tasks.get(entry.id)
        if task is not None and task.is_running:
            self._discarding.add(entry.id)
            self.pause(entry.id)
            return
        self._tasks.pop(entry.id, None)
        self.delete(entry)

    def pause(self, entry_id: str) -> None:
        """What has arrived is kept. Of what cannot be paused it is the end."""
        task = self._tasks.get(entry_id)
        if task is not None and task.phase is TaskPhase.RUNNING:
            self._put(replace(task, phase=TaskPhase.PAUSING))
            self._jobs.cancel(task.job)

    def go_on(self, entry_id: str) -> None:
        """After a pause or a failure: as it was asked for, with the speed and the token of now."""
        task = self._tasks.get(entry_id)
        if task is not None and task.can_go_on:
            self._submit(replace(task, request=replace(task.request, options=self.options)))

    def dismiss(self, entry_id: str) -> None:
        """Forgets a task that does not run; what it has left on the disk stays."""
        task = self._tasks.get(entry_id)
        if task is not None and not task.is_running:
            del self._tasks[entry_id]
            self._settle(entry_id)
            self.changed.emit(entry_id)

    def limit_speed(self, megabytes: int) -> None:
        """Of all downloads together, in MB a second; 0: none. Holds at once."""
        self._settings.change(download_limit=megabytes)
        for entry_id, task in list(self._tasks.items()):
            if task.kind is JobKind.DOWNLOAD and task.phase is TaskPhase.RUNNING:
                self._restarting.add(entry_id)
                self._jobs.cancel(task.job)

    # --- what comes of it -------------------------------------------------------------------------

    def _start(
        self, kind: JobKind, entry: ModelEntry, *, weights: str = "int4", home: str = ""
    ) -> None:
        running = self._tasks.get(entry.id)
        if running is not None and running.is_running:
            return
        named_by_path = kind in (JobKind.CHECK, JobKind.MOVE, JobKind.PREPARE, JobKind.DELETE)
        request = JobRequest(
            kind=kind,
            model=entry.path if named_by_path and entry.path else entry.id,
            home=home or self._library.home,
            weights=weights,
            options=self.options,
        )
        self._submit(Task(kind=kind, entry=entry, request=request))

    def _submit(self, task: Task) -> None:
        entry_id = task.entry.id
        job = self._jobs.start(
            task.request,
            Listener(
                done=lambda result: self._on_done(entry_id, result),
                failed=lambda error: self._on_failed(entry_id, error),
                progress=lambda progress: self._on_progress(entry_id, progress),
            ),
        )
        self._put(replace(task, phase=TaskPhase.RUNNING, progress=None, error=None, job=job))

    def _put(self, task: Task) -> None:
        self._tasks[task.entry.id] = task
        self.changed.emit(task.entry.id)

    def _on_progress(self, entry_id: str, progress: JobProgress) -> None:
        self._put(replace(self._tasks[entry_id], progress=progress))

    def _on_done(self, entry_id: str, result: Any) -> None:
        task = self._tasks.pop(entry_id)
        self._restarting.discard(entry_id)
        self._discarding.discard(entry_id)
        self._settle(entry_id)
        match result:
            case Downloaded(model=model) | PreparedModel(model=model) | Moved(model=model):
                self._library.note(model)
            case Deleted():
                pass
        self._library.refresh()
        self.changed.emit(entry_id)
        self.finished.emit(task, result)

    def _on_failed(self, entry_id: str, error: EngineError) -> None:
        task = self._tasks[entry_id]
        was_paused = error.kind is ErrorKind.CANCELLED
        if was_paused and entry_id in self._restarting:
            self._restarting.discard(entry_id)
            self._submit(replace(task, request=replace(task.request, options=self.options)))
            return
        if entry_id in self._discarding:
            self._discarding.discard(entry_id)
            self._settle(entry_id)
            del self._tasks[entry_id]
            self.delete(task.entry)
            return
        if was_paused and task.kind not in RESUMABLE:
            del self._tasks[entry_id]
            self.changed.emit(entry_id)
            return
        phase = TaskPhase.PAUSED if was_paused else TaskPhase.FAILED
        self._put(replace(task, phase=phase, error=None if was_paused else error))
        if task.phase is TaskPhase.PAUSING:  # by the user, not by the end of Redraft
            self._settle(entry_id)
        if error.kind is not ErrorKind.SHUTDOWN:
            self._library.refresh()

    def _settle(self, entry_id: str) -> None:
        """It is not to go on by itself at the next start."""
        if self._settings.value.unfinished_model == entry_id:
            self._settings.change(unfinished_model="")
