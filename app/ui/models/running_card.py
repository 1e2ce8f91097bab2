"""What runs now: the loaded model, where it runs, what it takes, and how it is let go."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.state.engine_status import EngineState, EngineStatus, Phase
from app.state.models.amounts import memory_text, size_text
from app.state.text import visible
from app.ui.widgets import focus_named, focused_name, plain_label
from app.words import number, tr, tr_engine
from engine.messages import Ready

PERCENT = 100


class RunningCard(QFrame):
    """Follows the engine. Loading shows how far it is, by bytes."""

    def __init__(self, status: EngineStatus, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._status = status
        self._title = plain_label(wrap=False)
        self._title.setProperty("strong", True)
        self._about = plain_label(muted=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("Loading"))
        self._unload = QPushButton(tr("Unload"))
        self._unload.setToolTip(tr("Gives the memory back. The next question loads it again"))
        self._unload.clicked.connect(status.unload)
        self._load = QPushButton(tr("Load again"))
        self._load.clicked.connect(status.load)
        words = QVBoxLayout()
        words.setSpacing(4)
        for part in (self._title, self._about, self._bar):
            words.addWidget(part)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 12, 14, 12)
        layout.setSpacing(16)
        layout.addLayout(words, 1)
        layout.addWidget(self._unload)
        layout.addWidget(self._load)
        status.changed.connect(self._show)
        self._show(status.state)

    @property
    def text(self) -> str:
        return f"{self._title.text()}\n{self._about.text()}"

    def _show(self, state: EngineState) -> None:
        focused = focused_name(self)
        title, about = _words(state)
        self._title.setText(title)
        self._about.setText(about)
        self._bar.setVisible(state.phase is Phase.LOADING)
        if state.phase is Phase.LOADING:
            self._bar.setRange(0, PERCENT if state.total else 0)
            self._bar.setValue(PERCENT * state.done // state.total if state.total else 0)
        is_loading = state.phase is Phase.LOADING
        self._unload.setText(tr("Cancel") if is_loading else tr("Unload"))
        self._unload.setAccessibleName(self._unload.text())
        self._unload.setVisible(state.phase in (Phase.LOADING, Phase.READY, Phase.UNLOADING))
        self._unload.setEnabled(state.phase is not Phase.UNLOADING)
        self._load.setVisible(state.phase in (Phase.UNLOADED, Phase.FAILED))
        self._load.setText(tr("Try again") if state.phase is Phase.FAILED else tr("Load again"))
        if focused and not self._unload.hasFocus():
            focus_named(self, focused)


def _words(state: EngineState) -> tuple[str, str]:
    match state.phase:
        case Phase.IDLE:
            return tr("No model is loaded"), tr("The next question loads one.")
        case Phase.LOADING:
            what = tr_engine(state.what) if state.what else tr("Loading the model")
            done = tr("{done} of {size}", done=size_text(state.done), size=size_text(state.total))
            return tr("Loading the model"), f"{what} · {done}" if state.total else what
        case Phase.READY:
            return _ready_words(state.ready) if state.ready is not None else (tr("Ready"), "")
        case Phase.UNLOADING:
            return tr("Unloading the model"), tr("As soon as a running answer is finished.")
        case Phase.UNLOADED:
            return tr("No model is loaded"), tr("Its memory is free. The next question loads it.")
        case Phase.FAILED:
            if state.error is None:
                return tr("No model"), ""
            return tr_engine(state.error.message), tr_engine(state.error.remedy)


def _ready_words(ready: Ready) -> tuple[str, str]:
    device = tr("this CPU") if ready.device == "cpu" else visible(ready.device)
    about = tr(
        "Running on {device} · {tokens} tokens of context · {memory} of memory",
        device=device,
        tokens=number(ready.context),
        memory=memory_text(ready.memory_bytes),
    )
    return visible(tr_engine(ready.model)), about
