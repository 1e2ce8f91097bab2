"""Puts updates into the window, and connects them with the rest of it."""

from __future__ import annotations

from app.state.editor.edit import EditSession, Phase
from app.state.updates.updates import Updates
from app.ui.main_window import MainWindow
from app.ui.updates.bar import UpdateBar


def add_updates(window: MainWindow, updates: Updates) -> None:
    """They begin when the window is up. A restart never takes away what is being written."""

    bar = UpdateBar(updates)

    def restart() -> None:
        if _is_writing(window):
            bar.ask_to_wait()
        else:
            window.status.restart_requested.emit()

    window.places.put_above(bar)
    window.dialogs.set_updates(updates)
    updates.restart_requested.connect(restart)
    window.first_painted.connect(updates.start)
    window.closing.connect(updates.close)


def _is_writing(window: MainWindow) -> bool:
    """Whether the model writes, in a chat or in a document."""
    edits = window.editor.findChildren(EditSession)
    return bool(window.chats.busy_ids) or any(each.phase is Phase.RUNNING for each in edits)
