"""How a job on a model goes: a bar, one line, and what one can do about it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.settings import SPEED_LIMIT
from app.state.models.work import RESUMABLE, Task, TaskPhase
from app.ui.controls import choice
from app.ui.flow import Flow
from app.ui.models.words import PERCENT, kind_text, percent_of, task_text
from app.ui.widgets import flat_button, focus_named, focused_name, plain_label
from app.words import number, tr, tr_engine
from engine.messages import ErrorKind, JobKind

LIMITS = (0, 1, 2, 5, 10, 20, 50, 100)  # MB a second


class TaskView(QFrame):
    """Shows one task at a time.

    Signals:
        pause_requested(), resume_requested(), discard_requested(), dismiss_requested(),
        token_requested(), page_requested(): the model asks for a permission.
        limit_requested(int): MB a second; 0: none.
    """

    pause_requested = Signal()
    resume_requested = Signal()
    discard_requested = Signal()
    dismiss_requested = Signal()
    token_requested = Signal()
    page_requested = Signal()
    limit_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._title = plain_label(wrap=False)
        self._title.setProperty("strong", True)
        self._line = plain_label(muted=True)
        self._remedy = plain_label()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._pause = QPushButton()
        self._pause.clicked.connect(self.pause_requested)
        self._resume = QPushButton(tr("Go on"))
        self._resume.setObjectName("primary")
        self._resume.clicked.connect(self.resume_requested)
        self._token = QPushButton(tr("Enter an access token…"))
        self._token.clicked.connect(self.token_requested)
        self._page = QPushButton(tr("Open its page"))
        self._page.clicked.connect(self.page_requested)
        self._discard = flat_button(tr("Discard…"))
        self._discard.clicked.connect(self.discard_requested)
        self._dismiss = flat_button(tr("Dismiss"))
        self._dismiss.clicked.connect(self.dismiss_requested)
        self._limit = choice([(limit, _limit_text(limit)) for limit in LIMITS])
        self._limit.setAccessibleName(tr("Speed limit"))
        self._limit.activated.connect(
            lambda place: self.limit_requested.emit(self._limit.itemData(place))
        )
        self._build()

    @property
    def text(self) -> str:
        labels = (self._title, self._line, self._remedy)
        return "\n".join(label.text() for label in labels if not label.isHidden())

    def show_task(self, task: Task, limit: int) -> None:
        """limit: MB a second that downloads may take; 0: all."""
        focused = focused_name(self)
        error = task.error
        self._title.setText(kind_text(task.kind) if error is None else tr_engine(error.message))
        self._title.setWordWrap(error is not None)
        self._line.setText(task_text(task))
        self._line.setVisible(bool(self._line.text()))
        self._remedy.setText("" if error is None else tr_engine(error.remedy))
        self._remedy.setVisible(error is not None)
        self._show_bar(task)
        is_resumable = task.kind in RESUMABLE
        self._pause.setText(tr("Pause") if is_resumable else tr("Cancel"))
        self._pause.setAccessibleName(self._pause.text())
        self._pause.setVisible(task.is_running and task.kind is not JobKind.DELETE)
        self._pause.setEnabled(task.phase is TaskPhase.RUNNING)
        self._resume.setVisible(task.can_go_on)
        self._resume.setText(tr("Go on") if task.phase is TaskPhase.PAUSED else tr("Try again"))
        is_closed = error is not None and error.kind is ErrorKind.ACCESS
        self._token.setVisible(is_closed)
        self._page.setVisible(is_closed)
        self._discard.setVisible(is_resumable and task.phase is not TaskPhase.PAUSING)
        self._dismiss.setVisible(task.phase is TaskPhase.FAILED)
        self._limit.setVisible(task.kind is JobKind.DOWNLOAD and task.is_running)
        self._limit.setCurrentIndex(max(0, self._limit.findData(limit)))
        if focused:
            focus_named(self, focused)

    def _show_bar(self, task: Task) -> None:
        percent = percent_of(task)
        is_known = percent is not None or not task.is_running
        self._bar.setRange(0, PERCENT if is_known else 0)
        self._bar.setValue(percent or 0)
        self._bar.setAccessibleName(kind_text(task.kind))
        self._bar.setVisible(task.is_running or percent is not None)

    def _build(self) -> None:
        asked = (self._resume, self._pause, self._page, self._token)
        buttons = Flow(*asked, self._discard, self._dismiss, self._limit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 14, 12)
        layout.setSpacing(8)
        for part in (self._title, self._bar, self._line, self._remedy):
            layout.addWidget(part)
        layout.addLayout(buttons)


def _limit_text(limit: int) -> str:
    if limit == SPEED_LIMIT[0]:
        return tr("No speed limit")
    return tr("At most {number} MB a second", number=number(limit))
