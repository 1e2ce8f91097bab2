"""The pictures of the editor: what the demo model really does with a text of its own small world."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from app.__main__ import Running
from app.state.editor.changes import Range
from app.state.editor.edit import Phase
from app.ui.editor.document_view import DocumentView
from app.ui.editor.history import EditHistory
from app.ui.places import CHAT, EDITOR
from app.ui.replay.replay import Replay
from tests.benchmarks.session import wait

Save = Callable[[QWidget, str], None]

TEXT = """# The lamp

Mara bought a lamp, a rope, three maps and a lantern at the market.

On Monday Tom walks to the harbour and paints a small boat. He wants to sell it to Oscar, but
nobody at the harbour knows where Oscar lives.

Mara put the silver ____ on the table. Tom saw the ____ lamp on the table and gave it to Oscar.
Oscar carried the silver lamp to the [[...]] and went home.

The end of the story is not written yet.
"""
LISTED = "Mara bought a lamp, a rope, three maps and a lantern at the market."
PAST = "On Monday Tom walks to the harbour and paints a small boat."


def editor(running: Running, save: Save, save_now: Save) -> None:
    """Prompt bar, three gaps, a canvas in a text, one longer than its text, the menu, a replay.

    `save` waits until the window has come to rest; `save_now` takes the picture of that moment.
    """
    window = running.window
    window.places.show_place(EDITOR)
    save(window, "editor-empty")
    window.editor.new(TEXT, "markdown")
    view = window.editor.view
    assert view is not None
    select(view, LISTED)
    view.editing.ask()
    save(window, "editor-prompt")
    view.editing.cancel()
    gaps(running, view, save, save_now)
    rewrite(running, view, save, save_now)
    as_list(running, view, save, save_now)
    menu(view, save)
    replay(running, view, save)
    window.places.show_place(CHAT)


def gaps(running: Running, view: DocumentView, save: Save, save_now: Save) -> None:
    """Three of them, while they are filled and afterwards."""
    window = running.window
    view.find_gaps()
    view.gaps.confirm()
    view.editing.fill()
    wait(lambda: has_step(view, 4) or view.session.phase is not Phase.RUNNING)
    save_now(window, "editor-gaps")
    wait(lambda: view.session.phase is not Phase.RUNNING)
    save(window, "editor-filled")
    view.editing.accept()


def rewrite(running: Running, view: DocumentView, save: Save, save_now: Save) -> None:
    """A sentence in the middle of its canvas, and what would change."""
    window = running.window
    select(view, PAST)
    view.editing.ask()
    view.editing.run("Put this into the past tense")
    wait(lambda: has_step(view, 3) or view.session.phase is not Phase.RUNNING)
    save_now(window, "editor-denoising")
    wait(lambda: view.session.phase is not Phase.RUNNING)
    save(window, "editor-changes")
    view.editing.accept()


def as_list(running: Running, view: DocumentView, save: Save, save_now: Save) -> None:
    """What takes more lines than before: the page makes room."""
    window = running.window
    select(view, LISTED)
    view.editing.ask()
    view.editing.run("Turn this into a list")
    wait(lambda: has_step(view, 3) or view.session.phase is not Phase.RUNNING)
    save_now(window, "editor-longer")
    wait(lambda: view.session.phase is not Phase.RUNNING)
    save(window, "editor-longer-changes")
    view.editing.accept()


def menu(view: DocumentView, save: Save) -> None:
    view.editor.menu_requested.emit(view.editor.mapToGlobal(view.editor.rect().center()))
    opened = view.findChild(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    assert isinstance(opened, QMenu)
    save(opened, "editor-menu")
    opened.close()


def replay(running: Running, view: DocumentView, save: Save) -> None:
    window = running.window
    window.crossing.edit_history()
    wait(lambda: window.editor.findChild(EditHistory) is not None)
    history = window.editor.findChild(EditHistory)
    assert isinstance(history, EditHistory)
    save(history, "editor-history")
    history.list.setCurrentRow(history.list.count() - 1)  # the three gaps
    before = set(window.findChildren(QWidget))
    history.watch.click()
    wait(lambda: bool(dialogs(window, before)))
    dialog = dialogs(window, before)[0]
    player = dialog.findChild(Replay).player
    player.go_to(1)
    save(dialog, "editor-replay")
    dialog.close()
    history.close()


def dialogs(window: QWidget, before: set[QWidget]) -> list[QWidget]:
    """The windows that have come since."""
    return [each for each in window.findChildren(QWidget) if each.isWindow() and each not in before]


def has_step(view: DocumentView, step: int) -> bool:
    draft = view.session.draft(0)
    return draft is not None and draft.step >= step


def select(view: DocumentView, part: str) -> None:
    start = view.document.text.index(part)
    view.editor.select(Range(start=start, end=start + len(part)))
