"""Setting up a model for the first time: from a look at the PC to the first answer.

Every step can be left and comes back. Whoever leaves it, or has finished, is not shown it again by
itself.
"""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QObject, Signal

from app.settings import Settings
from app.state.engine_status import EngineState, Phase
from app.state.models.library import can_load, is_begun_preparation
from app.state.models.models import Models
from app.state.models.work import Task
from engine.messages import Downloaded, ModelEntry, ModelState, PreparedModel


class Step(Enum):
    """The pages, in their order."""

    WELCOME = "welcome"
    CHECK = "check"
    CHOOSE = "choose"
    GET = "get"
    DONE = "done"


class FirstRun(QObject):
    """Fetches, prepares and loads the chosen model, one after the other, without being asked again.

    Signals:
        changed(): another step, another model, or another stage of getting it.
    """

    changed = Signal()

    def __init__(self, models: Models, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self._is_going = False  # the chosen model is being set up in this window
        models.work.finished.connect(self._on_finished)
        models.work.changed.connect(self._on_work)
        models.status.changed.connect(self._on_status)
        models.library.changed.connect(self.changed)

    @property
    def step(self) -> Step:
        try:
            return Step(self._models.settings.value.first_run)
        except ValueError:
            return Step.WELCOME

    @property
    def entry(self) -> ModelEntry | None:
        """The model that is being set up."""
        return self._models.library.entry(self._models.settings.value.first_run_model)

    @property
    def task(self) -> Task | None:
        entry = self.entry
        return None if entry is None else self._models.work.task(entry.id)

    @property
    def is_going(self) -> bool:
        return self._is_going

    def go_to(self, step: Step) -> None:
        self._models.settings.change(first_run=step.value)
        if step is Step.CHECK:
            self._models.hardware.check_once(self._models.library.home)
        self.changed.emit()

    def leave(self) -> None:
        """It does not come by itself any more."""
        self._models.settings.change(first_run_seen=True)

    def choose(self, entry: ModelEntry, context: int = 0, cache_bits: int = 16) -> None:
        """Sets this model up: whatever it still lacks. context: tokens; 0 lets the engine choose."""
        self._models.settings.change(
            first_run_model=entry.id,
            first_run=Step.GET.value,
            model_context=context,
            cache_bits=cache_bits,
        )
        self.go_on()

    def go_on(self) -> None:
        """The next thing that the chosen model needs. Where something waits, that goes on."""
        entry, task, work = self.entry, self.task, self._models.work
        if entry is None:
            return
        self._is_going = True
        if task is not None:
            work.go_on(entry.id)
        elif can_load(entry):
            chosen = self._models.settings.value
            self._models.load(entry, context=chosen.model_context, cache_bits=chosen.cache_bits)
        elif entry.state is ModelState.HERE or is_begun_preparation(entry):
            work.prepare(entry, self._models.suiting_weights(entry))
        else:
            work.download(entry)
        self.changed.emit()

    def _on_finished(self, task: Task, result: object) -> None:
        is_mine = task.entry.id == self._models.settings.value.first_run_model
        if not self._is_going or not is_mine:
            return
        if isinstance(result, Downloaded | PreparedModel):
            self._models.settings.change(first_run_model=result.model.id)
            self.go_on()

    def _on_work(self, entry_id: str) -> None:
        if entry_id == self._models.settings.value.first_run_model:
            self.changed.emit()

    def _on_status(self, state: EngineState) -> None:
        entry, running = self.entry, self._models.running
        if not self._is_going or entry is None:
            return
        is_it = running is not None and running.id == entry.id
        if state.phase is Phase.READY and is_it and self.step is Step.GET:
            self._is_going = False
            self._models.settings.change(first_run=Step.DONE.value, first_run_seen=True)
        self.changed.emit()


def is_due(settings: Settings) -> bool:
    """Whether the first run shows itself at this start."""
    is_new = not settings.model_folder and settings.answers_made == 0
    return is_new and not settings.first_run_seen and settings.first_run != Step.DONE.value
