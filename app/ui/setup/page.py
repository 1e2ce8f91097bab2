"""The place that shows how the engine is set up: what is made, how far it is, and ways on."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.layers import Flavour
from app.state.setup.setup import Setup, SetupState, Step
from app.ui.controls import scrolled
from app.ui.setup.row import Row
from app.ui.theme import TEXT_WIDTH, Theme, interface_font
from app.ui.widgets import flat_button, in_column, plain_label
from app.words import tr

TITLE_SIZE = 1.5  # times the size of all else


class SetupPage(QWidget):
    """Signals:
    restart_requested()
    """

    restart_requested = Signal()

    def __init__(self, setup: Setup, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._setup = setup
        self._title = plain_label()
        self._about = plain_label(muted=True)
        self._cpu = Row(tr("Engine for the processor"))
        self._cuda = Row(tr("Engine for your NVIDIA GPU"))
        self._note = plain_label(muted=True)
        self._restart = QPushButton(tr("Restart Redraft"))
        self._restart.setObjectName("primary")
        self._restart.clicked.connect(self.restart_requested)
        self._repair = flat_button(tr("Repair"))
        self._repair.setToolTip(tr("Fetches and installs the engine again."))
        self._repair.clicked.connect(setup.repair)
        self._copy = flat_button(tr("Copy details"))
        self._copy.clicked.connect(self._on_copy)
        self._cpu.stop_requested.connect(setup.stop)
        self._cpu.start_requested.connect(setup.start)
        self._cuda.stop_requested.connect(setup.stop)
        self._cuda.start_requested.connect(setup.want_gpu)
        self._lay_out()
        theme.changed.connect(self._dress)
        setup.changed.connect(self._show)
        self._show(setup.state)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._dress()  # what stands in a stack has lost its fonts when that was built

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self._restart)
        buttons.addWidget(self._repair)
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        content = QWidget()
        content.setMaximumWidth(TEXT_WIDTH)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 32, 0, 32)
        column.setSpacing(16)
        for part in (self._title, self._about, self._cpu, self._cuda, self._note):
            column.addWidget(part)
        column.addLayout(buttons)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scrolled(in_column(content)))

    def _dress(self) -> None:
        font = interface_font()
        font.setPointSizeF(TITLE_SIZE * font.pointSizeF())
        font.setWeight(font.Weight.DemiBold)
        self._title.setFont(font)

    def _show(self, state: SetupState) -> None:
        self._title.setText(_title(state))
        self._about.setText(_about(state))
        self._cpu.show_layer(state.cpu, is_used=state.used is Flavour.CPU)
        self._cuda.setVisible(state.cuda is not None)
        if state.cuda is not None:
            self._cuda.show_layer(state.cuda, is_used=state.used is Flavour.CUDA)
        self._note.setText(state.note)
        self._note.setVisible(bool(state.note))
        self._restart.setVisible(state.wants_restart)
        self._copy.setVisible(bool(state.details))
        self._copy.setText(tr("Copy details"))

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._setup.state.details)
        self._copy.setText(tr("Copied"))


def _title(state: SetupState) -> str:
    if state.wants_restart:
        return tr("A restart is all that is left")
    if state.used is not None:
        return tr("The engine is ready")
    if state.cpu.step in (Step.FAILED, Step.STOPPED):
        return tr("The engine is not set up yet")
    return tr("The engine is being set up")


def _about(state: SetupState) -> str:
    if state.wants_restart and state.cuda is not None and state.cuda.step is Step.DONE:
        return tr("Redraft uses your GPU after a restart. Your chats and texts are kept.")
    if state.wants_restart:
        return tr("Redraft sets the engine up again after a restart. Your chats are kept.")
    if state.cuda is not None and state.cuda.step is Step.WORKING:
        return tr("You can write. GPU support, about 3 GB, is fetched in the background.")
    if state.used is not None:
        return tr("There is nothing to do here.")
    return tr(
        "Redraft needs a library that computes, PyTorch, of about 250 MB. It is fetched once. "
        "Meanwhile your chats and the editor are there."
    )
