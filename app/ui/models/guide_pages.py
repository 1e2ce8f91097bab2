"""The pages of the guide on which one reads: welcome, a look at the PC, and the end."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QLabel,
    QProgressBar,
    QPushButton,
)

from app.state.models.first_run import FirstRun, Step
from app.state.models.models import Models
from app.ui.models.findings import Findings
from app.ui.models.guide_page import Page, recommended
from app.ui.theme import Theme, interface_font
from app.words import tr, tr_engine

WELCOME_SIZE = 1.15  # times the size of all else


class WelcomePage(Page):
    def __init__(self, first_run: FirstRun, theme: Theme) -> None:
        super().__init__(first_run)
        self.title = tr("Welcome to Redraft")
        self.rows.setSpacing(16)
        self._theme = theme
        theme.changed.connect(self._set_font)
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
                "Nothing you write leaves this PC. Redraft uses the network only to fetch what it "
                "runs on, models that you choose, and updates if you want them."
            ),
            muted=True,
        )
        self.rows.addStretch(1)
        self._set_font()

    def _set_font(self) -> None:
        font = interface_font()
        font.setPointSizeF(WELCOME_SIZE * font.pointSizeF())
        for label in self.findChildren(QLabel):
            label.setFont(font)

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
            self._status.setText(recommended(self._models, found))
        else:
            self._status.setText(tr("This is what Redraft has found."))
        self.next_changed.emit()

    def go_on(self) -> None:
        self.first_run.go_to(Step.CHOOSE)


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


def first_questions() -> tuple[str, ...]:
    return (
        tr("Explain in three sentences how a text-diffusion model writes."),
        tr("Write a short letter that asks a neighbour to water my plants."),
        tr("Give me five names for a cat that likes books."),
    )
