"""One quiet line below the composer: which model, what it is doing, how fast."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.state.engine_status import EngineState, Phase
from app.state.progress import Progress, progress_text
from app.ui.widgets import OneLine
from app.words import tr, tr_engine
from engine.messages import Ready


class StatusLine(QWidget):
    """The model on the left; on the right what happens now, or else a word about the model."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = OneLine()
        self._model.setProperty("muted", True)
        self._model.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._model.setMinimumWidth(1)
        self._activity = OneLine()
        self._activity.setProperty("muted", True)
        self._activity.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._note = ""
        layout = QHBoxLayout(self)
        layout.setContentsMargins(18, 0, 18, 0)
        layout.setSpacing(24)
        layout.addWidget(self._model, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._activity, 1)

    @property
    def text(self) -> str:
        return f"{self._model.text()} | {self._activity.text()}"

    def show_engine(self, state: EngineState, *, is_demo: bool) -> None:
        self._model.setText(engine_text(state))
        note = ""
        if is_demo and state.phase is Phase.READY:
            note = tr("It knows almost nothing and only shows how Redraft writes")
        if self._activity.text() == self._note:
            self._activity.setText(note)
        self._note = note
        self._activity.setToolTip(note)

    def show_progress(self, progress: Progress) -> None:
        self._activity.setText(progress_text(progress))

    def show_idle(self) -> None:
        self._activity.setText(self._note)


def engine_text(state: EngineState) -> str:
    match state.phase:
        case Phase.IDLE:
            return tr("Starting")
        case Phase.LOADING:
            share = f" · {100 * state.done // state.total} %" if state.total else ""
            return f"{tr_engine(state.what) if state.what else tr('Loading the model')}{share}"
        case Phase.READY:
            return _name_of(state.ready) if state.ready is not None else tr("Ready")
        case Phase.UNLOADING:
            return tr("Unloading the model")
        case Phase.UNLOADED:
            return tr("No model is loaded")
        case Phase.FAILED:
            return tr("No model")


def _name_of(ready: Ready) -> str:
    device = tr("this CPU") if ready.device == "cpu" else ready.device
    return tr("{model} on {device}", model=tr_engine(ready.model), device=device)
