"""Setting up a model, page by page. The demo model is one click away on each."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.state.models.first_run import FirstRun, Step
from app.state.models.models import Models
from app.ui.controls import scrolled
from app.ui.flow import Flow
from app.ui.models.guide_choose import ChoosePage
from app.ui.models.guide_get import GetPage
from app.ui.models.guide_page import Page
from app.ui.models.guide_pages import CheckPage, DonePage, WelcomePage
from app.ui.theme import TEXT_WIDTH, Theme, interface_font
from app.ui.widgets import flat_button, plain_label
from app.words import tr

TITLE_SIZE = 1.7  # times the size of all else


class Guide(QWidget):
    """Shows the page of the first run's step.

    Signals:
        left(): the user goes to the demo model.
        asked(str): the first question to the model that is set up.
        closed(): the user wants the list of models.
    """

    left = Signal()
    asked = Signal(str)
    closed = Signal()

    def __init__(
        self, first_run: FirstRun, models: Models, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._first_run = first_run
        self._models = models
        self._theme = theme
        self._middle = QWidget()
        self._progress = plain_label(muted=True, wrap=False)
        self._title = plain_label()
        self._stack = QStackedWidget()
        self.pages: dict[Step, Page] = {
            Step.WELCOME: WelcomePage(first_run, theme),
            Step.CHECK: CheckPage(first_run, models, theme),
            Step.CHOOSE: ChoosePage(first_run, models, theme),
            Step.GET: GetPage(first_run, models, theme),
            Step.DONE: DonePage(first_run),
        }
        for page in self.pages.values():
            self._stack.addWidget(scrolled(page))
            page.next_changed.connect(self._show_next)
        self._back = flat_button(tr("Back"))
        self._demo = QPushButton(tr("Try the demo model now"))
        self._list = flat_button(tr("All models"))
        self._next = QPushButton()
        self._next.setObjectName("primary")
        self._build()
        self._connect(theme)
        self._show()

    @property
    def page(self) -> Page:
        return self.pages[self._first_run.step]

    def focus(self) -> None:
        (self._next if self._next.isEnabled() else self._demo).setFocus()

    def _show(self) -> None:
        step = self._first_run.step
        place = list(Step).index(step)
        words = tr("Step {number} of {count}", number=place + 1, count=len(Step))
        self._progress.setText(words)
        self._title.setText(self.page.title)
        is_other = self._stack.currentIndex() != place
        self._stack.setCurrentIndex(place)
        self.page.refresh()
        self._back.setVisible(step in (Step.CHECK, Step.CHOOSE, Step.GET))
        self._demo.setVisible(step is not Step.DONE)
        self._show_next()
        if is_other and self.isVisible():
            self.focus()

    def _show_next(self) -> None:
        words, is_enabled = self.page.next
        self._next.setText(words)
        self._next.setVisible(bool(words))
        self._next.setEnabled(is_enabled)

    def _go_back(self) -> None:
        steps = list(Step)
        self._first_run.go_to(steps[max(0, steps.index(self._first_run.step) - 1)])

    def _go_on(self) -> None:
        self.page.go_on()

    def _go_to_demo(self) -> None:
        self._first_run.leave()
        self._models.load_demo()
        self.left.emit()

    def _connect(self, theme: Theme) -> None:
        self._back.clicked.connect(self._go_back)
        self._demo.clicked.connect(self._go_to_demo)
        self._list.clicked.connect(self._close)
        self._next.clicked.connect(self._go_on)
        done = self.pages[Step.DONE]
        assert isinstance(done, DonePage)
        done.asked.connect(self.asked)
        done.finished.connect(self.left)
        self._first_run.changed.connect(self._show)
        self._models.changed.connect(self._show)
        theme.changed.connect(self._set_font)
        self._set_font()

    def _close(self) -> None:
        self._first_run.leave()
        self.closed.emit()

    def _build(self) -> None:
        buttons = Flow(self._next, self._demo, self._back, self._list)
        column = QVBoxLayout()
        column.setSpacing(8)
        column.addWidget(self._progress)
        column.addWidget(self._title)
        column.addSpacing(4)
        column.addWidget(self._stack, 1)
        column.addLayout(buttons)
        self._middle.setLayout(column)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 28, 24, 20)
        row.addStretch(1)
        row.addWidget(self._middle, 100)
        row.addStretch(1)
        self._title.setAlignment(Qt.AlignmentFlag.AlignLeft)

    def _set_font(self) -> None:
        font = interface_font()
        font.setPointSizeF(TITLE_SIZE * font.pointSizeF())
        font.setWeight(font.Weight.DemiBold)
        self._title.setFont(font)
        self._middle.setMaximumWidth(round(TEXT_WIDTH * self._theme.scale))
