"""The pages of the guide: welcome, a look at the PC, the choice, getting it, the first answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QLabel,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from app.state.engine_status import Phase
from app.state.models.amounts import size_text
from app.state.models.first_run import FirstRun, Step
from app.state.models.library import can_load
from app.state.models.models import Models
from app.ui.models.asking import ask_for_token, ask_to_discard
from app.ui.models.findings import Findings
from app.ui.models.plan_view import PlanView
from app.ui.models.task_view import TaskView
from app.ui.models.words import name_of, state_text
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr, tr_engine
from engine.messages import ModelEntry, ModelState, Place


class Page(QWidget):
    """What all pages have in common; `next` is the main button: its words, and whether it can.

    Signals:
        next_changed(): the main button says or can something else.
    """

    next_changed = Signal()
    title = ""

    def __init__(self, first_run: FirstRun) -> None:
        super().__init__()
        self.first_run = first_run
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 0, 6, 0)
        self.rows.setSpacing(10)

    @property
    def next(self) -> tuple[str, bool]:
        return tr("Continue"), True

    def go_on(self) -> None:
        """The main button was pressed."""

    def refresh(self) -> None:
        """It is shown, or something has changed."""

    def say(self, text: str, *, muted: bool = False) -> QLabel:
        label = plain_label(text, muted=muted)
        self.rows.addWidget(label)
        return label


class WelcomePage(Page):
    def __init__(self, first_run: FirstRun) -> None:
        super().__init__(first_run)
        self.title = tr("Welcome to Redraft")
        self.say(
            tr(
                "Redraft writes with a text-diffusion model on your own PC: a whole passage at "
                "once, first as noise, then sharper with each step."
            )
        )
        self.say(
            tr(
                "A tiny demo model is here already. It shows how Redraft writes and knows almost "
                "nothing. For real work you set up a large model once; that takes a download of "
                "many gigabytes and a good graphics card."
            )
        )
        self.say(
            tr(
                "The large model, DiffusionGemma, is experimental. It writes below the quality of "
                "Gemma 4, and it can be wrong with full confidence."
            )
        )
        self.say(
            tr(
                "Nothing you write leaves this PC. Redraft uses the network only when you download "
                "a model or ask about one."
            ),
            muted=True,
        )
        self.rows.addStretch(1)

    @property
    def next(self) -> tuple[str, bool]:
        return tr("Set up a model"), True

    def go_on(self) -> None:
        self.first_run.go_to(Step.CHECK)


class CheckPage(Page):
    def __init__(self, first_run: FirstRun, models: Models, theme: Theme) -> None:
        super().__init__(first_run)
        self.title = tr("What this PC can do")
        self._models = models
        self._status = self.say("")
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("Looking at this PC"))
        self.findings = Findings(theme)
        self.rows.addWidget(self._bar)
        self.rows.addWidget(self.findings)
        self.rows.addStretch(1)
        models.hardware.changed.connect(self.refresh)

    def refresh(self) -> None:
        status = self._models.hardware
        self._bar.setVisible(status.is_checking)
        if status.hardware is not None:
            self.findings.show_hardware(status.hardware)
        if status.error is not None:
            error = status.error
            self._status.setText(f"{tr_engine(error.message)} {tr_engine(error.remedy)}")
        elif status.hardware is None:
            self._status.setText(tr("Looking at this PC. You need not wait for it."))
        elif (found := self._models.recommendation) is not None:
            self._status.setText(found.reason)
        else:
            self._status.setText(tr("This is what Redraft has found."))
        self.next_changed.emit()

    def go_on(self) -> None:
        self.first_run.go_to(Step.CHOOSE)


class ChoosePage(Page):
    """A radio button a model, the recommended one first, and what the chosen one would take."""

    def __init__(self, first_run: FirstRun, models: Models, theme: Theme) -> None:
        super().__init__(first_run)
        self.title = tr("Which model?")
        self._models = models
        self._reason = self.say("")
        self._choices = QVBoxLayout()
        self._choices.setSpacing(6)
        self._group = QButtonGroup(self)
        self._group.idToggled.connect(lambda _place, on: self._on_chosen() if on else None)
        self._entries: tuple[ModelEntry, ...] = ()
        self._chosen = ""
        self.plan = PlanView(theme)
        self._room = plain_label(muted=True)
        self.rows.addLayout(self._choices)
        self.rows.addSpacing(6)
        self.rows.addWidget(self.plan)
        self.rows.addWidget(self._room)
        self.rows.addStretch(1)

    @property
    def chosen(self) -> ModelEntry | None:
        return next((each for each in self._entries if each.id == self._chosen), None)

    @property
    def next(self) -> tuple[str, bool]:
        entry = self.chosen
        if entry is None:
            return tr("Continue"), False
        if entry.state in (ModelState.ON_OFFER, ModelState.PARTLY_HERE):
            rest = max(0, entry.size - entry.present)
            return tr("Download {size}", size=size_text(rest)), True
        return (tr("Load") if can_load(entry) else tr("Prepare")), True

    def go_on(self) -> None:
        if (entry := self.chosen) is not None:
            self.first_run.choose(entry)

    def refresh(self) -> None:
        found = self._models.recommendation
        self._reason.setText("" if found is None else found.reason)
        self._reason.setVisible(found is not None)
        entries = self._models.library.entries
        offered = worth_offering(entries, "" if found is None else found.entry_id)
        if [each.id for each in offered] != [each.id for each in self._entries]:
            self._rebuild(offered)
        self._entries = offered
        if self.chosen is None and offered:
            self.choose(self.first_run.entry.id if self.first_run.entry else offered[0].id)
        self._show_plan()

    def choose(self, entry_id: str) -> None:
        ids = [each.id for each in self._entries]
        place = ids.index(entry_id) if entry_id in ids else 0
        if (button := self._group.button(place)) is not None:
            button.setChecked(True)

    def _rebuild(self, entries: tuple[ModelEntry, ...]) -> None:
        for button in self._group.buttons():
            self._group.removeButton(button)
            button.deleteLater()
            button.hide()
        for place, entry in enumerate(entries):
            words = f"{name_of(entry)} · {state_text(entry)}"
            button = QRadioButton(words.replace("&", "&&"))
            self._group.addButton(button, place)
            self._choices.addWidget(button)
            button.setChecked(entry.id == self._chosen)

    def _on_chosen(self) -> None:
        place = self._group.checkedId()
        if 0 <= place < len(self._entries):
            self._chosen = self._entries[place].id
            self._show_plan()
            self.next_changed.emit()

    def _show_plan(self) -> None:
        entry = self.chosen
        planner = None if entry is None else self._models.planner(entry)
        is_same = self.plan.is_shown and planner is not None and self.plan.planner == planner
        if not is_same:
            self.plan.show_planner(planner, context=0, cache_bits=16)
        free = self._models.library.free
        is_to_come = entry is not None and entry.place is not Place.BUNDLED and free >= 0
        self._room.setVisible(is_to_come)
        if entry is not None:
            self._room.setText(
                tr(
                    "It takes {size} on the disk, and about 17 GB more when it is prepared; "
                    "{free} are free.",
                    size=size_text(entry.size),
                    free=size_text(free),
                )
            )


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
        task.limit_requested.connect(work.limit_speed)

    def _discard(self) -> None:
        entry, work = self.first_run.entry, self._models.work
        if entry is not None:
            work.pause(entry.id)
            ask_to_discard(self, entry, lambda: None, partial(work.discard, entry))

    def _enter_token(self) -> None:
        entry, work = self.first_run.entry, self._models.work
        if entry is None:
            return

        def use(token: str) -> None:
            work.set_token(token)
            self.first_run.go_on()

        ask_for_token(self, f"{work.options.endpoint.rstrip('/')}/{entry.repo}", use)

    def _on_entry(self, do: Callable[[ModelEntry], object]) -> None:
        if (entry := self.first_run.entry) is not None:
            do(entry)


class DonePage(Page):
    """Signals:
    asked(str): a first question.
    finished(): to the chat without one.
    """

    asked = Signal(str)
    finished = Signal()

    def __init__(self, first_run: FirstRun) -> None:
        super().__init__(first_run)
        self.title = tr("Ready")
        self.say(tr("The model is loaded. Ask it something, or write a question of your own."))
        for text in first_questions():
            button = QPushButton(text)
            button.setObjectName("chip")
            button.clicked.connect(partial(self._ask, text))
            self.rows.addWidget(button)
        self.rows.addStretch(1)

    @property
    def next(self) -> tuple[str, bool]:
        return tr("To the chat"), True

    def go_on(self) -> None:
        self.finished.emit()

    def _ask(self, text: str, _checked: bool = False) -> None:
        self.asked.emit(text)


def worth_offering(entries: Sequence[ModelEntry], best: str) -> tuple[ModelEntry, ...]:
    """The recommended one, what is here, the smallest and the largest download. No more: the list
    of all models is one click away.
    """
    found = [each for each in entries if each.id == best]
    found += [each for each in entries if each.state is not ModelState.ON_OFFER]
    sizes = sorted((e for e in entries if e.state is ModelState.ON_OFFER), key=lambda e: e.size)
    found += [*sizes[:1], *sizes[-1:]]
    return tuple(dict.fromkeys(found))


def first_questions() -> tuple[str, ...]:
    return (
        tr("Explain in three sentences how a text-diffusion model writes."),
        tr("Write a short letter that asks a neighbour to water my plants."),
        tr("Give me five names for a cat that likes books."),
    )


def _stage_of(entry: ModelEntry | None) -> int:
    """0: to be fetched, 1: to be prepared, 2: to be loaded."""
    if entry is None or not (can_load(entry) or entry.state is ModelState.HERE):
        return 0
    return 2 if can_load(entry) else 1
