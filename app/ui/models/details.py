"""One model: what it is, whether it fits, what is done to it, and the next step."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.state.models.amounts import size_text
from app.state.models.library import can_load
from app.state.models.models import Models
from app.ui.controls import rule, setting_row
from app.ui.flow import Flow
from app.ui.models.plan_view import PlanView
from app.ui.models.task_view import TaskView
from app.ui.models.words import facts, name_of, state_text
from app.ui.theme import Theme, interface_font
from app.ui.widgets import flat_button, focus_named, focused_name, plain_label
from app.words import tr, tr_engine
from engine.messages import ModelEntry, ModelState, Place

TITLE_SIZE = 1.35  # times the size of all else


class Details(QWidget):
    """Follows the model that is chosen. What is asked of it is asked by signals.

    Signals:
        next_requested(): the one step that brings the model nearer to running.
        anyway_requested(), check_requested(), delete_requested(), move_requested(),
        forget_requested(), folder_requested()
    """

    next_requested = Signal()
    anyway_requested = Signal()
    check_requested = Signal()
    delete_requested = Signal()
    move_requested = Signal()
    forget_requested = Signal()
    folder_requested = Signal()

    def __init__(self, models: Models, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self._entry: ModelEntry | None = None
        self._has_chosen_weights = False
        self._title = plain_label()
        self._state = plain_label(muted=True)
        self._reason = plain_label()
        self._note = plain_label()
        self._experimental = plain_label(
            tr(
                "DiffusionGemma is an experimental model. It writes below the quality of Gemma 4, "
                "and it can be wrong with full confidence."
            ),
            muted=True,
        )
        self.task = TaskView()
        self.plan = PlanView(theme)
        self._no_plan = plain_label(muted=True)
        self._weights = QComboBox()
        self._weights_row = setting_row(
            tr("Prepare as"),
            tr("Smaller weights take less memory and may cost quality."),
            self._weights,
        )
        self._next = QPushButton()
        self._next.setObjectName("primary")
        self._anyway = QPushButton(tr("Load anyway"))
        self._anyway.setToolTip(tr("Tries it although the plan says that it does not fit"))
        self._check = flat_button(tr("Check the files"))
        self._folder = flat_button(tr("Open folder"))
        self._move = flat_button(tr("Move…"))
        self._delete = flat_button(tr("Delete…"))
        self._forget = flat_button(tr("Take off the list"))
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(18)
        self._facts.setVerticalSpacing(5)
        self._facts.setColumnStretch(1, 1)
        self._build()
        self._connect()
        theme.changed.connect(self._set_font)
        self._set_font()

    @property
    def entry(self) -> ModelEntry | None:
        return self._entry

    @property
    def weights(self) -> str:
        """The scheme it would be prepared with."""
        return str(self._weights.currentData() or "") if self._entry is not None else ""

    def show_entry(self, entry: ModelEntry | None) -> None:
        """Again after each change; what the user has set stays while it is the same model."""
        is_other = entry is None or self._entry is None or entry.id != self._entry.id
        focused = focused_name(self)
        self._entry = entry
        self.setVisible(entry is not None)
        if entry is None:
            return
        if is_other:
            self._has_chosen_weights = False
            self._fill_weights(entry)
        if not self._has_chosen_weights:
            suiting = self._models.suiting_weights(entry)
            self._weights.setCurrentIndex(max(0, self._weights.findData(suiting)))
        self._title.setText(name_of(entry))
        self._state.setText(state_text(entry))
        self._note.setText(tr_engine(entry.note))
        self._note.setVisible(bool(entry.note))
        self._experimental.setVisible(entry.place is not Place.BUNDLED)
        self._show_reason(entry)
        self._show_facts(entry)
        self.show_task()
        self._show_plan(is_other)
        self._show_actions(entry)
        if focused:
            focus_named(self, focused)

    def show_task(self) -> None:
        """How the job on this model goes."""
        if self._entry is None:
            return
        task = self._models.work.task(self._entry.id)
        was_shown = not self.task.isHidden()
        self.task.setVisible(task is not None)
        if task is not None:
            self.task.show_task(task, self._models.settings.value.download_limit)
        if was_shown != (task is not None):
            self._show_actions(self._entry)

    def _show_reason(self, entry: ModelEntry) -> None:
        found = self._models.recommendation
        is_it = found is not None and found.entry_id == entry.id
        self._reason.setVisible(is_it)
        if is_it and found is not None:
            self._reason.setText(tr("Recommended for this PC. {reason}", reason=found.reason))

    def _show_facts(self, entry: ModelEntry) -> None:
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for row, (name, value) in enumerate(facts(entry)):
            self._facts.addWidget(plain_label(name, muted=True, wrap=False), row, 0)
            self._facts.addWidget(plain_label(value), row, 1)

    def _show_plan(self, is_other: bool) -> None:
        entry, settings = self._entry, self._models.settings.value
        if entry is None:
            return
        ready = self._models.status.state.ready
        context = ready.context if ready is not None and self._is_running(entry) else 0
        planner = self._models.planner(entry, self.weights)
        if not is_other and planner is not None and self.plan.is_shown:
            context, bits = self.plan.context, self.plan.cache_bits
        else:
            bits = settings.cache_bits
        self.plan.show_planner(planner, context=context, cache_bits=bits)
        self._no_plan.setVisible(planner is None and not entry.config)
        self._no_plan.setText(
            tr("How much memory it takes is known as soon as its configuration is here.")
        )

    def _show_actions(self, entry: ModelEntry) -> None:
        task = self._models.work.task(entry.id)
        is_free = task is None
        words = tr("Load again this way") if self._is_running(entry) else next_step(entry)
        self._next.setText(words)
        self._next.setAccessibleName(words)
        self._next.setVisible(is_free and bool(words) and not self._is_loaded_so(entry))
        is_loadable = is_free and can_load(entry)
        plan = self.plan.plan
        self._anyway.setVisible(is_loadable and plan is not None and not plan.fits)
        self._next.setEnabled(not (is_loadable and plan is not None and not plan.fits))
        is_whole = entry.state in (ModelState.HERE, ModelState.READY, ModelState.BROKEN)
        is_bundled = entry.place is Place.BUNDLED
        self._check.setVisible(is_free and is_whole)
        self._folder.setVisible(bool(entry.path))
        self._move.setVisible(is_free and is_whole and entry.is_ours)
        self._delete.setVisible(is_free and entry.is_ours and entry.present > 0)
        self._forget.setVisible(is_free and entry.place is Place.NAMED)
        self._weights_row.setVisible(len(entry.schemes) > 1 and not can_load(entry))
        for button in (self._check, self._move, self._delete):
            button.setEnabled(not is_bundled)

    def _is_running(self, entry: ModelEntry) -> bool:
        running = self._models.running
        return running is not None and running.id == entry.id

    def _is_loaded_so(self, entry: ModelEntry) -> bool:
        """Whether it runs already with what is set here."""
        ready, request = self._models.status.state.ready, self._models.status.request
        if ready is None or not self._is_running(entry):
            return False
        is_same = self.plan.cache_bits == request.cache_bits
        return not self.plan.is_shown or (is_same and self.plan.shows(ready.context))

    def _fill_weights(self, entry: ModelEntry) -> None:
        self._weights.clear()
        for scheme in entry.schemes or (entry.scheme,):
            self._weights.addItem(scheme_text(scheme), scheme)

    def _connect(self) -> None:
        self._next.clicked.connect(self.next_requested)
        self._anyway.clicked.connect(self.anyway_requested)
        self._check.clicked.connect(self.check_requested)
        self._folder.clicked.connect(self.folder_requested)
        self._move.clicked.connect(self.move_requested)
        self._delete.clicked.connect(self.delete_requested)
        self._forget.clicked.connect(self.forget_requested)
        self._weights.activated.connect(self._on_weights)
        self.plan.changed.connect(self._on_plan_changed)

    def _on_weights(self) -> None:
        self._has_chosen_weights = True
        self._show_plan(is_other=False)

    def _on_plan_changed(self) -> None:
        if self._entry is not None:
            self._show_actions(self._entry)

    def _build(self) -> None:
        main = Flow(self._next, self._anyway)
        more = Flow(self._check, self._folder, self._move, self._delete, self._forget, spacing=4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 14, 24, 20)
        layout.setSpacing(10)
        layout.addWidget(self._title)
        layout.addWidget(self._state)
        layout.addWidget(self._reason)
        layout.addWidget(self._note)
        layout.addWidget(self._experimental)
        layout.addWidget(self.task)
        layout.addLayout(main)
        layout.addSpacing(6)
        layout.addWidget(self.plan)
        layout.addWidget(self._no_plan)
        layout.addWidget(self._weights_row)
        layout.addSpacing(6)
        layout.addWidget(rule())
        layout.addLayout(self._facts)
        layout.addLayout(more)
        layout.addStretch(1)

    def _set_font(self) -> None:
        font = interface_font()
        font.setPointSizeF(TITLE_SIZE * font.pointSizeF())
        font.setWeight(font.Weight.DemiBold)
        self._title.setFont(font)


def next_step(entry: ModelEntry) -> str:
    """What the main button does; empty where there is nothing to do."""
    match entry.state:
        case ModelState.ON_OFFER:
            return tr("Download {size}", size=size_text(entry.size))
        case ModelState.PARTLY_HERE:
            rest = size_text(max(0, entry.size - entry.present))
            return tr("Go on: {size} to come", size=rest)
        case ModelState.BROKEN:
            return tr("Repair") if entry.repo else ""
        case ModelState.HERE if not can_load(entry):
            return tr("Prepare")
        case _:
            return tr("Load")


def scheme_text(scheme: str) -> str:
    names = {
        "int4": tr("4 bit"),
        "int4-small": tr("4 bit, smaller"),
        "int8": tr("8 bit"),
        "source": tr("As it is"),
    }
    return names.get(scheme, scheme)
