"""Puts the models into the window, and connects them with the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.state.engine_status import EngineState, Phase
from app.state.models.first_run import is_due
from app.state.models.models import Models
from app.ui.models.pane import GUIDE, ModelsPane
from app.ui.places import CHAT, MODELS
from app.ui.theme import Theme
from app.ui.window_commands import fill_menu
from app.words import tr
from engine.messages import ErrorKind

if TYPE_CHECKING:
    from app.ui.main_window import MainWindow

OTHER_MODEL_HELPS = (
    ErrorKind.MODEL_MISSING,
    ErrorKind.MODEL_BROKEN,
    ErrorKind.MODEL_UNSUPPORTED,
    ErrorKind.OUT_OF_MEMORY,
    ErrorKind.DISK,
)


def add_models(window: MainWindow, models: Models, theme: Theme) -> ModelsPane:
    """The third place of the window. Whoever adds it starts `models` when the engine is there."""
    pane = ModelsPane(models, theme)
    number = window.places.add(pane, "models", tr("Models (Ctrl+3)"))
    assert number == MODELS
    pane.menu_requested.connect(lambda menu: fill_menu(menu, window.commands_here))

    def on_status(state: EngineState) -> None:
        """The demo model is the way on where another one cannot be loaded."""
        is_stuck = state.phase is Phase.FAILED and state.error is not None and not models.is_demo
        if is_stuck and state.error is not None and state.error.kind in OTHER_MODEL_HELPS:
            window.notice.offer(tr("Use the demo model"), models.load_demo)

    def to_chat() -> None:
        pane.show_page(0)
        window.places.show_place(CHAT)
        window.composer.focus()

    def ask(text: str) -> None:
        to_chat()
        window.asking.ask(text)

    window.dialogs.set_context_cost(models.context_cost)
    models.status.changed.connect(on_status)
    pane.left.connect(to_chat)
    pane.asked.connect(ask)
    window.first_painted.connect(pane.build)
    return pane


def show_first_run(window: MainWindow, pane: ModelsPane, models: Models) -> None:
    """At a start on which nothing has been set up yet; behind the set-up of the engine itself."""

    def show() -> None:
        is_idle = window.places.current == CHAT and not window.chats.current.path
        if is_idle and is_due(models.settings.value):
            window.places.show_place(MODELS)
            pane.show_page(GUIDE)

    if window.places.current == CHAT:
        show()
        return

    def show_when_ready(state: EngineState) -> None:
        if state.phase is Phase.READY:
            show()

    models.status.changed.connect(show_when_ready)
