"""The page of the guide on which the model is fetched, prepared and loaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import (
    QProgressBar,
)

from app.state.engine_status import Phase
from app.state.models.first_run import FirstRun
from app.state.models.library import can_load
from app.state.models.models import Models
from app.ui.models.asking import ask_for_token, ask_to_discard
from app.ui.models.guide_page import Page
from app.ui.models.model_acts import open_page, page_of
from app.ui.models.task_view import TaskView
from app.ui.models.words import name_of
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr, tr_engine
from engine.messages import ModelEntry, ModelState


class GetPage(Page):
    """Download, preparation and loading, one after the other. It goes on when one looks away."""

    def __init__(self, first_run: FirstRun, models: Models, theme: Theme) -> None:
        super().__init__(first_run)
        self.title = tr("Getting the model")
        self._models = models
        self._name = self.say("")
        self._stages = [self.say("") for _ in range(3)]
        self.task = TaskView()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("Loading"))
        self._error = plain_label()
        self._error.setProperty("danger", True)
        for part in (self.task, self._bar, self._error):
            self.rows.addWidget(part)
        self.say(
            tr(
                "You can chat with the demo model meanwhile, or close Redraft: it goes on where "
                "it stopped."
            ),
            muted=True,
        )
        self.rows.addStretch(1)
        self._connect()

    @property
    def next(self) -> tuple[str, bool]:
        is_busy = self.first_run.task is not None or self._is_loading
        return ("", False) if is_busy else (tr("Go on"), self.first_run.entry is not None)

    @property
    def _is_loading(self) -> bool:
        return self.first_run.is_going and self._models.status.state.phase is Phase.LOADING

    def go_on(self) -> None:
        self.first_run.go_on()

    def refresh(self) -> None:
        entry, task, state = self.first_run.entry, self.first_run.task, self._models.status.state
        self._name.setText(name_of(entry) if entry is not None else tr("No model is chosen yet."))
        self.task.setVisible(task is not None)
        if task is not None:
            self.task.show_task(task, self._models.settings.value.download_limit)
        self._bar.setVisible(self._is_loading)
        self._bar.setRange(0, 100 if state.total else 0)
        self._bar.setValue(100 * state.done // state.total if state.total else 0)
        has_failed = self.first_run.is_going and state.phase is Phase.FAILED
        self._error.setVisible(has_failed)
        if has_failed and state.error is not None:
            error = state.error
            self._error.setText(f"{tr_engine(error.message)} {tr_engine(error.remedy)}")
        self._show_stages(entry)

    def _show_stages(self, entry: ModelEntry | None) -> None:
        """Which of the three is over, under way, or to come."""
        names = (tr("Download and check"), tr("Prepare for this PC"), tr("Load"))
        reached = _stage_of(entry)
        for place, (label, name) in enumerate(zip(self._stages, names, strict=True)):
            mark = "✓" if place < reached else "→" if place == reached else "·"
            label.setText(f"{mark}  {name}")
            label.setProperty("strong", place == reached)
            label.setProperty("muted", place > reached)
            label.style().polish(label)

    def _connect(self) -> None:
        work, task = self._models.work, self.task
        task.pause_requested.connect(lambda: self._on_entry(lambda e: work.pause(e.id)))
        task.resume_requested.connect(self.first_run.go_on)
        task.dismiss_requested.connect(lambda: self._on_entry(lambda e: work.dismiss(e.id)))
        task.discard_requested.connect(self._discard)
        task.token_requested.connect(self._enter_token)
        task.page_requested.connect(lambda: self._on_entry(open_page(self._models)))
        task.limit_requested.connect(work.limit_speed)

    def _discard(self) -> None:
        entry, work = self.first_run.entry, self._models.work
        if entry is not None:
            keep, give_up = partial(work.pause, entry.id), partial(work.discard, entry)
            ask_to_discard(self, entry, keep, give_up)

    def _enter_token(self) -> None:
        entry, work = self.first_run.entry, self._models.work
        if entry is None:
            return

        def use(token: str) -> None:
            work.set_token(token)
            self.first_run.go_on()

        ask_for_token(self, page_of(self._models, entry), use)

    def _on_entry(self, do: Callable[[ModelEntry], object]) -> None:
        if (entry := self.first_run.entry) is not None:
            do(entry)


def _stage_of(entry: ModelEntry | None) -> int:
    """0: to be fetched, 1: to be prepared, 2: to be loaded."""
    if entry is None or not (can_load(entry) or entry.state is ModelState.HERE):
        return 0
    return 2 if can_load(entry) else 1
