"""One quiet line below the composer: which model, what it is doing, how fast."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.state.engine_status import EngineState, Phase
from app.state.progress import Progress, progress_text
from app.ui.widgets import OneLine, plain_label
from engine.messages import Ready

DEMO_NOTE = "It knows almost nothing and only shows how Redraft writes"


class StatusLine(QWidget):
    """The model on the left; on the right what happens now, or else a word about the model."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = plain_label(muted=True, wrap=False)
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
        note = DEMO_NOTE if is_demo and state.phase is Phase.READY else ""
        if self._activity.text() == self._note:
            self._activity.setText(note)
        self._note = note

    def show_progress(self, progress: Progress) -> None:
        self._activity.setText(progress_text(progress))

    def show_idle(self) -> None:
        self._activity.setText(self._note)


def engine_text(state: EngineState) -> str:
    match state.phase:
        case Phase.IDLE:
            return "Starting"
        case Phase.LOADING:
            share = f" · {100 * state.done // state.total} %" if state.total else ""
            return f"{state.what or 'Loading the model'}{share}"
        case Phase.READY:
            return _name_of(state.ready) if state.ready is not None else "Ready"
        case Phase.FAILED:
            return "No model"


def _name_of(ready: Ready) -> str:
    return f"{ready.model} on {'this CPU' if ready.device == 'cpu' else ready.device}"
