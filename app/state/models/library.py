"""Which models are here and which are on offer, as the engine last found them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.settings import SettingsStore
from app.state.models.jobs import Jobs, Listener
from engine.messages import (
    EngineError,
    JobKind,
    JobOptions,
    JobRequest,
    Library,
    ModelEntry,
    ModelFormat,
    ModelState,
)

MOST_NAMED = 20  # folders and files of the user


class ModelLibrary(QObject):
    """Asks no network by itself: only `look_up` does, when the user names a repository.

    Signals:
        changed(): other entries, or an end of the search for them.
    """

    changed = Signal()

    def __init__(
        self, jobs: Jobs, settings: SettingsStore, data: Path, parent: QObject | None = None
    ) -> None:
        """data: the folder of the user's data; models are kept in it unless the user says else."""
        super().__init__(parent)
        self._jobs = jobs
        self._settings = settings
        self._data = data
        self._library: Library | None = None
        self._looked_up: dict[str, ModelEntry] = {}  # repositories that the user has named
        self._error: EngineError | None = None
        self._is_searching = False
        self._again = False  # something has changed while it was searched

    @property
    def home(self) -> str:
        """The folder in which new models are kept."""
        return self._settings.value.models_home or str(self._data / "models")

    @property
    def is_known(self) -> bool:
        return self._library is not None

    @property
    def free(self) -> int:
        """Bytes free on the disk of `home`; -1 where that is not known."""
        return -1 if self._library is None else self._library.free

    @property
    def error(self) -> EngineError | None:
        return self._error

    @property
    def notices(self) -> tuple[EngineError, ...]:
        return () if self._library is None else self._library.notices

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """Those that are here first; repositories that the user has named at the end."""
        found = () if self._library is None else self._library.models
        known = {entry.id for entry in found} | {entry.repo for entry in found if entry.repo}
        named = (entry for entry in self._looked_up.values() if entry.repo not in known)
        return (*found, *named)

    def entry(self, entry_id: str) -> ModelEntry | None:
        """By its id, or by the path that a `LoadRequest` names it with."""
        for entry in self.entries:
            if entry_id and entry_id in (entry.id, entry.path):
                return entry
        return None

    def refresh(self) -> None:
        """Looks at the disk again. Asked while it looks, it looks once more afterwards."""
        if self._is_searching:
            self._again = True
            return
        self._is_searching = True
        request = JobRequest(
            kind=JobKind.LIBRARY, home=self.home, also=self._settings.value.named_models
        )
        self._jobs.start(request, Listener(done=self._on_found, failed=self._on_failed))

    def name_place(self, path: str) -> None:
        """A folder or a file that the user says holds a model: used where it is."""
        kept = [path, *(each for each in self._settings.value.named_models if each != path)]
        self._settings.change(named_models=tuple(kept[:MOST_NAMED]))
        self.refresh()

    def forget_place(self, path: str) -> None:
        kept = tuple(each for each in self._settings.value.named_models if each != path)
        self._settings.change(named_models=kept)
        self.refresh()

    def look_up(
        self,
        repo: str,
        options: JobOptions,
        found: Callable[[ModelEntry], object],
        failed: Callable[[EngineError], object],
    ) -> int:
        """Asks the hub what a repository holds. Returns the number of the job."""

        def on_done(entry: ModelEntry) -> None:
            self._looked_up[entry.id] = entry
            self.changed.emit()
            found(entry)

        request = JobRequest(kind=JobKind.LOOK_UP, model=repo, home=self.home, options=options)
        return self._jobs.start(request, Listener(done=on_done, failed=failed))

    def stop(self, job: int) -> None:
        self._jobs.cancel(job)

    def note(self, entry: ModelEntry) -> None:
        """What a job says of a model holds until the disk is looked at again."""
        if self._library is None:
            return
        others = [each for each in self._library.models if each.id != entry.id]
        self._library = replace(self._library, models=(entry, *others))
        self._looked_up.pop(entry.id, None)
        self.changed.emit()

    def _on_found(self, library: Library) -> None:
        self._library, self._error = library, None
        self._on_end()

    def _on_failed(self, error: EngineError) -> None:
        self._error = error
        self._on_end()

    def _on_end(self) -> None:
        self._is_searching = False
        self.changed.emit()
        if self._again:
            self._again = False
            self.refresh()


def is_here(entry: ModelEntry) -> bool:
    return entry.state in (ModelState.HERE, ModelState.READY)


def is_begun_preparation(entry: ModelEntry) -> bool:
    """Whether what is partly here is our own files, and not a download."""
    return entry.state is ModelState.PARTLY_HERE and entry.format is ModelFormat.PREPARED


def can_load(entry: ModelEntry) -> bool:
    """Whether it runs as it is. What can be prepared runs better prepared, and fits."""
    return entry.state is ModelState.READY or (entry.state is ModelState.HERE and not entry.schemes)
