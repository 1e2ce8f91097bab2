"""Puts updates into the window, and connects them with the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.paths import Paths
from app.state.editor.edit import EditSession, Phase
from app.ui.main_window import MainWindow

if TYPE_CHECKING:
    from app.state.updates.updates import Updates


def follow_updates(window: MainWindow, paths: Paths) -> None:
    """What looks for newer versions is imported and begins when the window is up."""

    def begin() -> None:
        from app.state.updates.place import place_in
        from app.state.updates.updates import Updates

        add_updates(window, Updates(place_in(paths), window.settings, window))

    window.first_painted.connect(begin)


def add_updates(window: MainWindow, updates: Updates) -> None:
    """They begin at once. A restart never takes away what is being written."""
    from app.ui.updates.bar import UpdateBar

    bar = UpdateBar(updates)

    def restart() -> None:
        if _is_writing(window):
            bar.ask_to_wait()
        else:
            window.status.restart_requested.emit()

    window.places.put_above(bar)
    window.dialogs.set_updates(updates)
    updates.restart_requested.connect(restart)
    window.closing.connect(updates.close)
    updates.start()


def _is_writing(window: MainWindow) -> bool:
    """Whether the model writes, in a chat or in a document."""
    edits = window.editor.findChildren(EditSession)
    return bool(window.chats.busy_ids) or any(each.phase is Phase.RUNNING for each in edits)
