"""The models: a list at the left, the chosen one at the right, what runs above both."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app.state.models.library import is_here
from app.state.models.models import Models
from app.state.models.work import Task
from app.ui.controls import scrolled
from app.ui.models.details import Details
from app.ui.models.model_acts import ModelActs
from app.ui.models.model_list import ModelList, Row
from app.ui.models.running_card import RunningCard
from app.ui.models.words import name_of, percent_of, short_task_text, state_text
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr, tr_engine
from engine.messages import JobKind, ModelEntry, ModelState, PreparedModel

SIDES = (330, 620)  # pixels


class LibraryPage(QWidget):
    """Signals:
    noticed(str, str): what to tell once, and what to do about it.
    told(str): a word about what has just happened.
    """

    noticed = Signal(str, str)
    told = Signal(str)

    def __init__(self, models: Models, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.running = RunningCard(models.status)
        self.list = ModelList(theme)
        self.details = Details(models, theme)
        self.acts = ModelActs(models, self.details, self)
        self.acts.told.connect(self.told)
        self._searching = plain_label(tr("Looking which models are here"), muted=True)
        self._add = QPushButton(tr("Add a model"))
        menu = QMenu(self._add)
        menu.addAction(tr("From Hugging Face…")).triggered.connect(self.acts.add_repository)
        menu.addAction(tr("A folder on this PC…")).triggered.connect(self.acts.add_folder)
        menu.addAction(tr("A file on this PC…")).triggered.connect(self.acts.add_file)
        self._add.setMenu(menu)
        self._build()
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        library, chosen = self._models.library, self.list.current_id
        self._searching.setVisible(not library.is_known and library.error is None)
        under_way = {
            f"{task.entry.id}--{task.request.weights}"  # what is being made of another entry
            for task in self._models.work.tasks
            if task.kind is JobKind.PREPARE
        }
        entries = [entry for entry in library.entries if entry.id not in under_way]
        here = [self._row(entry) for entry in entries if is_here(entry)]
        begun = [self._row(entry) for entry in entries if self._is_begun(entry)]
        shown = {row.entry_id for row in (*here, *begun)}
        offered = [self._row(entry) for entry in entries if entry.id not in shown]
        self.list.show_rows(
            (
                (tr("On this PC"), here),
                (tr("Begun"), begun),
                (tr("On offer"), offered),
            )
        )
        if not self.list.current_id:
            self._choose_first(chosen)
        self._show_details()

    def show_entry(self, entry_id: str) -> None:
        self.list.choose(entry_id)

    @property
    def current(self) -> ModelEntry | None:
        return self._models.library.entry(self.list.current_id)

    def _choose_first(self, before: str) -> None:
        """What was chosen and is still there by its path, what runs, what is recommended."""
        models = self._models
        running, found = models.running, models.recommendation
        wishes = (before, running.id if running else "", found.entry_id if found else "")
        rows = self.list.rows
        first = rows[0].entry_id if rows else ""
        for entry_id in (*wishes, first):
            if entry_id and self.list.choose(entry_id):
                return

    def _is_begun(self, entry: ModelEntry) -> bool:
        is_asked_for = self._models.work.task(entry.id) is not None
        return not is_here(entry) and (is_asked_for or entry.state is not ModelState.ON_OFFER)

    def _row(self, entry: ModelEntry) -> Row:
        models = self._models
        task, running, found = models.work.task(entry.id), models.running, models.recommendation
        return Row(
            entry_id=entry.id,
            name=name_of(entry),
            about=state_text(entry) if task is None else short_task_text(task),
            percent=None if task is None else percent_of(task),
            is_running=running is not None and running.id == entry.id,
            is_recommended=found is not None and found.entry_id == entry.id,
        )

    def _show_details(self) -> None:
        self.details.show_entry(self.current)

    def _on_library(self) -> None:
        self.refresh()
        for notice in self._models.library.notices:
            self.noticed.emit(tr_engine(notice.message), tr_engine(notice.remedy))
        if (error := self._models.library.error) is not None:
            self.noticed.emit(tr_engine(error.message), tr_engine(error.remedy))

    def _on_work(self, entry_id: str) -> None:
        self.refresh()
        if entry_id == self.list.current_id:
            self.details.show_task()

    def _on_finished(self, task: Task, result: object) -> None:
        if isinstance(result, PreparedModel):  # another entry, made from the one that was chosen
            self.refresh()
            self.list.choose(result.model.id)
        self.acts.tell_end(task, result)

    def _connect(self) -> None:
        self.list.chosen.connect(lambda _: self._show_details())
        self._models.library.changed.connect(self._on_library)
        self._models.changed.connect(self.refresh)
        self._models.work.changed.connect(self._on_work)
        self._models.work.finished.connect(self._on_finished)

    def _build(self) -> None:
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(8)
        left.addWidget(self._searching)
        left.addWidget(self.list, 1)
        left.addWidget(self._add)
        side = QWidget()
        side.setLayout(left)
        left.setContentsMargins(14, 6, 10, 14)
        split = QSplitter()
        split.addWidget(side)
        split.addWidget(scrolled(self.details))
        split.setStretchFactor(0, 0)
        split.setStretchFactor(1, 1)
        split.setSizes(list(SIDES))
        split.setHandleWidth(1)
        split.setChildrenCollapsible(False)
        top = QHBoxLayout()
        top.setContentsMargins(14, 6, 14, 8)
        top.addWidget(self.running)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(split, 1)

    @property
    def text(self) -> str:
        """What the list says, for tests and screen readers: a line a model."""
        return "\n".join(f"{row.name} | {row.about} | {row.tag}" for row in self.list.rows)
