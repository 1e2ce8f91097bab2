"""The page of the guide on which a model is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import (
    QButtonGroup,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
)

from app.state.models.amounts import size_text
from app.state.models.first_run import FirstRun
from app.state.models.library import can_load
from app.state.models.models import Models
from app.ui.models.guide_page import Page, recommended
from app.ui.models.plan_view import PlanView
from app.ui.models.words import name_of, state_text
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr
from engine.messages import ModelEntry, ModelState


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
            self.first_run.choose(entry, self.plan.context, self.plan.cache_bits)

    def refresh(self) -> None:
        found = self._models.recommendation
        self._reason.setText("" if found is None else recommended(self._models, found))
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
            button.setToolTip(words)
            # it never makes the page wider than the window
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
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
        models = self._models
        weights = "" if entry is None else models.suiting_weights(entry)
        planner = None if entry is None else models.planner(entry, weights)
        is_same = self.plan.is_shown and planner is not None and self.plan.planner == planner
        if not is_same:
            self.plan.show_planner(planner, context=0, cache_bits=16)
        free = models.library.free
        is_to_come = entry is not None and not can_load(entry) and free >= 0
        self._room.setVisible(is_to_come and planner is not None)
        if entry is not None and planner is not None:
            self._room.setText(
                tr(
                    "It takes {size} on the disk, and {more} more when it is prepared; {free} are "
                    "free.",
                    size=size_text(entry.size),
                    more=size_text(planner.weights),
                    free=size_text(free),
                )
            )


def worth_offering(entries: Sequence[ModelEntry], best: str) -> tuple[ModelEntry, ...]:
    """The recommended one, what is here, the smallest and the largest download. No more: the list
    of all models is one click away.
    """
    found = [each for each in entries if each.id == best]
    found += [each for each in entries if each.state is not ModelState.ON_OFFER]
    sizes = sorted((e for e in entries if e.state is ModelState.ON_OFFER), key=lambda e: e.size)
    found += [*sizes[:1], *sizes[-1:]]
    return tuple(dict.fromkeys(found))
