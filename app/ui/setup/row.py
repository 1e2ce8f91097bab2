"""One layer of the engine: its name, how far it is, what is wrong, and what can be done."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.state.setup.making import Progress, Stage
from app.state.setup.setup import LayerState, Step
from app.ui.controls import heading
from app.ui.widgets import flat_button, plain_label
from app.words import number, tr

STEPS = 1000  # of the bar
MEGABYTE = 1e6


class Row(QFrame):
    """Signals:
    start_requested()
    stop_requested()
    """

    start_requested = Signal()
    stop_requested = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._state = plain_label(muted=True, wrap=False)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(name)
        self._message = plain_label()
        self._message.setObjectName("message")
        self._remedy = plain_label()
        self._trouble = QFrame()
        self._trouble.setObjectName("error")
        self._start = QPushButton(tr("Try again"))
        self._start.setAccessibleDescription(name)
        self._start.clicked.connect(self.start_requested)
        self._stop = flat_button(tr("Stop"))
        self._stop.setAccessibleDescription(name)
        self._stop.clicked.connect(self.stop_requested)
        words = QVBoxLayout(self._trouble)
        words.setContentsMargins(12, 10, 12, 10)
        words.setSpacing(4)
        words.addWidget(self._message)
        words.addWidget(self._remedy)
        top = QHBoxLayout()
        top.addWidget(heading(name))
        top.addStretch(1)
        top.addWidget(self._state)
        buttons = QHBoxLayout()
        buttons.addWidget(self._start)
        buttons.addWidget(self._stop)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(10)
        column.addLayout(top)
        column.addWidget(self._bar)
        column.addWidget(self._trouble)
        column.addLayout(buttons)

    def show_layer(self, layer: LayerState, *, is_used: bool) -> None:
        is_working = layer.step is Step.WORKING
        self._state.setText(_words(layer, is_used))
        self._bar.setVisible(is_working)
        if is_working:
            self._show_bar(layer.progress)
        self._trouble.setVisible(layer.trouble is not None)
        if layer.trouble is not None:
            self._message.setText(layer.trouble.message)
            self._remedy.setText(layer.trouble.remedy)
        self._start.setText(tr("Go on") if layer.step is Step.STOPPED else tr("Try again"))
        self._start.setVisible(layer.step in (Step.STOPPED, Step.FAILED))
        self._stop.setVisible(is_working)

    def _show_bar(self, progress: Progress | None) -> None:
        """Without a total the bar only says that something happens."""
        total = progress.total if progress and progress.stage is Stage.INSTALLING else 0
        self._bar.setRange(0, STEPS if total else 0)
        if total and progress:
            self._bar.setValue(round(STEPS * progress.done / total))


def _words(layer: LayerState, is_used: bool) -> str:
    match layer.step:
        case Step.WAITING:
            return tr("Waiting")
        case Step.WORKING:
            return _progress(layer.progress)
        case Step.DONE:
            return tr("In use") if is_used else tr("Ready")
        case Step.FAILED:
            return tr("Not set up")
        case Step.STOPPED:
            return tr("Stopped")


def _progress(progress: Progress | None) -> str:
    if progress is None:
        return tr("Starting")
    if progress.stage is Stage.CHECKING:
        return tr("Checking that it works")
    values = {
        "done": number(progress.done / MEGABYTE),
        "total": number(progress.total / MEGABYTE),
        "speed": number(progress.speed / MEGABYTE, 1),
    }
    if progress.total:
        return tr("{done} of {total} MB, {speed} MB/s", **values)
    return tr("{done} MB on the disk, {speed} MB/s", **values)
