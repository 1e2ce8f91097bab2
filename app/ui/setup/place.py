"""Adds the set-up of the engine to the window of an installed Redraft."""

from __future__ import annotations

from pathlib import Path

from app.layers import Layers
from app.state.setup.setup import Setup
from app.ui.main_window import MainWindow
from app.ui.places import CHAT
from app.ui.setup.page import SetupPage
from app.ui.theme import Theme
from app.words import tr


def add_setup(window: MainWindow, theme: Theme, layers: Layers, logs: Path) -> Setup:
    """A place of its own, shown first as long as there is no engine."""
    setup = Setup(layers, logs, parent=window)
    page = SetupPage(setup, theme)
    place = window.places.add(page, "setup", tr("Set-up"))
    restart = window.status.restart_requested

    def leave() -> None:
        if window.places.current == place:
            window.places.show_place(CHAT)

    def tell() -> None:
        window.toast.tell(tr("Redraft can use your GPU now."), tr("Restart Redraft"), restart.emit)

    if setup.is_needed:
        window.places.show_place(place)
        page.setFocus()
    setup.usable.connect(leave)
    setup.better.connect(tell)
    page.restart_requested.connect(restart)
    window.first_painted.connect(setup.start)
    window.closing.connect(setup.close)
    return setup
