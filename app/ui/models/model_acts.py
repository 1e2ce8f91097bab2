"""What the user asks of a model, and what is asked of the user before it is done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from app.state.models.amounts import size_text
from app.state.models.library import can_load, is_begun_preparation
from app.state.models.models import Models
from app.state.models.work import Task
from app.ui.models.asking import (
    FieldDialog,
    ask_about_source,
    ask_anyway,
    ask_for_repository,
    ask_for_token,
    ask_to_delete,
    ask_to_discard,
    ask_to_download,
    choose_file,
    choose_folder,
)
from app.ui.models.details import Details
from app.ui.models.words import name_of
from app.words import plural, tr
from engine.messages import (
    Checked,
    Deleted,
    Downloaded,
    ModelEntry,
    ModelState,
    Moved,
    PreparedModel,
)


class ModelActs(QObject):
    """Acts on the model that the details show.

    Signals:
        told(str): a word about what has just happened.
    """

    told = Signal(str)

    def __init__(self, models: Models, details: Details, parent: QWidget) -> None:
        super().__init__(parent)
        self._models = models
        self._details = details
        self._page = parent
        details.next_requested.connect(self.next_step)
        details.anyway_requested.connect(self.load_anyway)
        details.check_requested.connect(lambda: self._on_entry(models.work.check))
        details.delete_requested.connect(self.delete)
        details.move_requested.connect(self.move)
        details.forget_requested.connect(self._forget)
        details.folder_requested.connect(self._open_folder)
        task = details.task
        task.pause_requested.connect(lambda: self._on_entry(lambda e: models.work.pause(e.id)))
        task.resume_requested.connect(lambda: self._on_entry(lambda e: models.work.go_on(e.id)))
        task.dismiss_requested.connect(lambda: self._on_entry(lambda e: models.work.dismiss(e.id)))
        task.discard_requested.connect(self.discard)
        task.token_requested.connect(self.enter_token)
        task.page_requested.connect(lambda: self._on_entry(open_page(models)))
        task.limit_requested.connect(models.work.limit_speed)

    # --- the chosen model -------------------------------------------------------------------------

    def next_step(self) -> None:
        """What the main button says."""
        entry, work = self._details.entry, self._models.work
        if entry is None:
            return
        if can_load(entry):
            self.load(anyway=False)
        elif entry.state is ModelState.ON_OFFER:
            free = self._models.library.free
            ask_to_download(self._page, entry, free, lambda: work.download(entry))
        elif entry.state is ModelState.HERE or is_begun_preparation(entry):
            work.prepare(entry, self._details.weights)
        else:
            work.download(entry)  # goes on, or fetches what is missing or damaged

    def load(self, *, anyway: bool) -> None:
        entry, plan = self._details.entry, self._details.plan
        if entry is not None:
            self._models.load(
                entry, context=plan.context, cache_bits=plan.cache_bits, anyway=anyway
            )

    def load_anyway(self) -> None:
        entry, plan = self._details.entry, self._details.plan
        if entry is not None:
            ask_anyway(self._page, entry, plan.verdict, lambda: self.load(anyway=True))

    def delete(self) -> None:
        if (entry := self._details.entry) is not None:
            ask_to_delete(self._page, entry, lambda: self._models.work.delete(entry))

    def discard(self) -> None:
        """Asks what becomes of what is there. It goes on until that is answered."""
        entry, work = self._details.entry, self._models.work
        if entry is not None:
            keep, give_up = partial(self._keep, entry.id), partial(work.discard, entry)
            ask_to_discard(self._page, entry, keep, give_up)

    def move(self) -> None:
        if (entry := self._details.entry) is not None:
            choose_folder(
                self._page,
                tr("Move to"),
                self._models.library.home,
                lambda path: self._models.work.move(entry, path),
            )

    def enter_token(self) -> None:
        entry, work = self._details.entry, self._models.work
        if entry is None:
            return

        def use(token: str) -> None:
            work.set_token(token)
            work.go_on(entry.id)

        ask_for_token(self._page, page_of(self._models, entry), use)

    # --- adding -----------------------------------------------------------------------------------

    def add_repository(self) -> FieldDialog:
        return ask_for_repository(self._page, self._look_up)

    def add_folder(self) -> None:
        choose_folder(self._page, tr("The folder of a model"), "", self._models.library.name_place)

    def add_file(self) -> None:
        choose_file(self._page, tr("The file of a model"), "", self._models.library.name_place)

    def _look_up(self, repo: str, dialog: FieldDialog) -> None:
        library, options = self._models.library, self._models.work.options
        dialog.say(tr("Asking Hugging Face"))

        def found(entry: ModelEntry) -> None:
            self.told.emit(tr("{name} is on the list now.", name=name_of(entry)))
            self._details.show_entry(entry)
            dialog.accept()

        job = library.look_up(repo, options, found, dialog.fail)
        dialog.rejected.connect(lambda: library.stop(job))

    # --- afterwards -------------------------------------------------------------------------------

    def tell_end(self, task: Task, result: object) -> None:
        """What came of a job, in a sentence."""
        match result:
            case Downloaded(model=model, repaired=()):
                self.told.emit(tr("{name} is here and checked.", name=name_of(model)))
            case Downloaded(model=model, repaired=repaired):
                words = plural(
                    "{count} damaged file was repaired.",
                    "{count} damaged files were repaired.",
                    len(repaired),
                )
                self.told.emit(f"{tr('{name} is here and checked.', name=name_of(model))} {words}")
            case PreparedModel():
                self._ask_about_source(result)
            case Checked():
                self.told.emit(checked_text(result, name_of(task.entry)))
            case Deleted(freed=freed):
                self.told.emit(tr("{size} are free again.", size=size_text(freed)))
            case Moved(model=model):
                self.told.emit(tr("{name} is moved.", name=name_of(model)))

    def _ask_about_source(self, made: PreparedModel) -> None:
        source = self._models.library.entry(made.source)
        if source is None or not source.is_ours or source.id == made.model.id:
            self.told.emit(tr("{name} is ready to run.", name=name_of(made.model)))
            return
        ask_about_source(self._page, made, lambda: None, lambda: self._models.work.delete(source))

    def _keep(self, entry_id: str) -> None:
        self._models.work.pause(entry_id)
        self._models.work.dismiss(entry_id)

    def _forget(self) -> None:
        if (entry := self._details.entry) is not None:
            self._models.library.forget_place(entry.path)

    def _open_folder(self) -> None:
        if (entry := self._details.entry) is not None and entry.path:
            path = Path(entry.path)
            folder = path.parent if path.suffix else path
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _on_entry(self, do: Callable[[ModelEntry], object]) -> None:
        if (entry := self._details.entry) is not None:
            do(entry)


def page_of(models: Models, entry: ModelEntry) -> str:
    """The address of a model's page on the hub."""
    return f"{models.work.options.endpoint.rstrip('/')}/{entry.repo}"


def open_page(models: Models) -> Callable[[ModelEntry], object]:
    """Shows a model's page in the browser."""
    return lambda entry: QDesktopServices.openUrl(QUrl(page_of(models, entry)))


def checked_text(checked: Checked, name: str) -> str:
    """What a check of the files has found."""
    if checked.is_whole:
        return tr("{name} is whole: every file is as it should be.", name=name)
    bad = ", ".join((*checked.damaged, *checked.missing))
    return tr("{name} is not whole. Repair it: {files}", name=name, files=bad)
