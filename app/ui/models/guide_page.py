"""What all pages of the guide have in common."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QLabel,
    QVBoxLayout,
    QWidget,
)

from app.state.models.first_run import FirstRun
from app.state.models.models import Models
from app.state.models.recommend import Recommendation
from app.ui.models.words import name_of
from app.ui.widgets import plain_label
from app.words import tr


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


def recommended(models: Models, found: Recommendation) -> str:
    entry = models.library.entry(found.entry_id)
    name = "" if entry is None else name_of(entry)
    return tr("Recommended for this PC: {name}. {reason}", name=name, reason=found.reason)
