"""Everything one can do in the editor: for the palette, the menu and the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeyEvent, QKeySequence

from app.state.commands import Command
from app.state.editor.edit import Phase
from app.state.editor.gaps import Length
from app.state.editor.offer import Choice
from app.state.text import visible
from app.ui.editor.document_view import DocumentView
from app.ui.editor.gap_bar import length_name
from app.words import tr

if TYPE_CHECKING:
    from app.ui.main_window import MainWindow

# Keys that a text field would take for itself. The editor leaves them to its commands.
RESERVED = frozenset(
    QKeySequence(keys).toString()
    for keys in (
        "Ctrl+K", "Ctrl+I", "Ctrl+H", "Ctrl+Return", "Ctrl+Enter", "Alt+Return", "Alt+Enter",
        "Alt+Backspace", "Alt+Up", "Alt+Down", "Alt+Left", "Alt+Right", "Ctrl+PgUp", "Ctrl+PgDown",
        "Alt+Z", "Shift+F10", "Esc",
    )
)  # fmt: skip

Do = Callable[[DocumentView], object]
When = Callable[[DocumentView], bool]


def is_reserved(event: QKeyEvent) -> bool:
    return QKeySequence(event.keyCombination()).toString() in RESERVED


def editor_commands(window: MainWindow) -> tuple[Command, ...]:
    """In the order of the menu."""
    return (
        *_files(window),
        *_text(window),
        *_edits(window),
        *_gaps(window),
        *_offer(window),
    )


def recent_files(window: MainWindow) -> tuple[Command, ...]:
    """A command for each file that was open lately: to open it again."""
    return tuple(
        Command(
            id=f"editor.file:{path}",
            title=visible(PurePath(path).name),
            run=partial(window.crossing.open_file, path),
            group=tr("Open file"),
        )
        for path in window.settings.value.recent_files
    )


def _files(window: MainWindow) -> Iterator[Command]:
    editor, group = window.editor, tr("Document")

    def has_one() -> bool:
        return editor.view is not None

    def make(
        key: str,
        title: str,
        run: Callable[[], object],
        shortcut: str = "",
        is_enabled: Callable[[], bool] = has_one,
    ) -> Command:
        return Command(
            id=f"editor.{key}",
            title=title,
            run=run,
            shortcut=shortcut,
            group=group,
            is_enabled=is_enabled,
        )

    yield make("new", tr("New document"), editor.new_document, "Ctrl+N", lambda: True)
    yield make("open", tr("Open…"), editor.open, "Ctrl+O", lambda: True)
    yield make("save", tr("Save"), editor.save, "Ctrl+S")
    yield make("save_as", tr("Save as…"), editor.save_as, "Ctrl+Shift+S")
    yield make("close", tr("Close the document"), editor.close_current, "Ctrl+W")
    yield make("previous", tr("Previous document"), lambda: editor.step_tab(-1), "Ctrl+PgUp")
    yield make("next", tr("Next document"), lambda: editor.step_tab(1), "Ctrl+PgDown")
    yield make(
        "history", tr("How this document was edited"), window.crossing.edit_history, "Ctrl+Shift+H"
    )


def _text(window: MainWindow) -> Iterator[Command]:
    make = _maker(window, tr("Text"))
    yield make("find", tr("Find"), lambda view: view.find_bar.open(), "Ctrl+F")
    yield make("replace", tr("Replace"), lambda view: view.find_bar.open(replacing=True), "Ctrl+H")
    yield make("find_next", tr("Next place"), lambda view: view.find_bar.step(1), "F3")
    yield make("find_before", tr("Place before"), lambda view: view.find_bar.step(-1), "Shift+F3")
    yield make(
        "leave_text", tr("Leave the text"), lambda _view: window.focusNextPrevChild(True), "F6"
    )
    # not every keyboard has a key for it
    yield make(
        "menu", tr("Menu at the caret"), lambda view: view.editor.ask_for_menu(), "Shift+F10"
    )
    yield make("wrap", tr("Wrap long lines or not"), lambda _view: _toggle_wrap(window), "Alt+Z")
    yield make(
        "to_chat",
        tr("Send what is selected to the chat"),
        lambda view: window.crossing.to_chat(view.selected_text),
        "Ctrl+Shift+L",
        lambda view: bool(view.selected_text),
    )


def _edits(window: MainWindow) -> Iterator[Command]:
    make = _maker(window, tr("Edit"))
    yield make("ask", tr("Edit with the model"), lambda view: view.editing.ask(), "Ctrl+K")
    yield make(
        "repeat", tr("Repeat the last instruction"), lambda v: v.editing.repeat(), "Ctrl+Shift+K"
    )
    yield make("insert", tr("Insert here"), lambda v: v.editing.insert_here(), "Ctrl+Shift+I")
    yield make("continue", tr("Continue at the end"), lambda v: v.editing.continue_text(), "Ctrl+G")
    yield make("gap", tr("Drop a gap"), lambda view: view.drop_gap(), "Ctrl+Shift+G")
    yield make("gaps", tr("Find marks for gaps"), lambda view: view.find_gaps())
    yield make(
        "fill",
        tr("Fill all gaps"),
        lambda view: view.editing.fill(),
        "Ctrl+Shift+F",
        lambda view: bool(view.gaps.gaps),
    )


def _gaps(window: MainWindow) -> Iterator[Command]:
    """What the chips below the text do with the mouse; without one, the gap at the caret is meant."""
    make = _maker(window, tr("Gap"), lambda view: view.gap_here is not None)
    yield make(
        "confirm",
        tr("Make the marks that were found gaps"),
        lambda view: view.gaps.confirm(),
        "",
        lambda view: bool(view.gaps.asked),
    )
    for length in Length:
        yield make(
            f"length.{length.value}",
            tr("Length of this gap: {length}", length=length_name(length)),
            lambda view, length=length: view.set_gap_length(length),
        )
    yield make("no_gap", tr("No gap"), lambda view: view.remove_gap())
    yield make(
        "forget",
        tr("Forget all gaps"),
        lambda view: view.gaps.clear(),
        "",
        lambda view: bool(view.gaps.gaps),
    )


def _offer(window: MainWindow) -> Iterator[Command]:
    make = _maker(window, tr("Offer"), _is_offered)
    yield make("accept", tr("Accept"), lambda v: v.editing.accept(), "Ctrl+Return")
    yield make(
        "take", tr("Take this change"), lambda v: v.editing.choose(Choice.ACCEPTED), "Alt+Return"
    )
    yield make(
        "leave",
        tr("Leave this as it was"),
        lambda v: v.editing.choose(Choice.REJECTED),
        "Alt+Backspace",
    )
    yield make("hunk_next", tr("Next change"), lambda v: v.editing.step_hunk(1), "Alt+Down")
    yield make("hunk_before", tr("Change before"), lambda v: v.editing.step_hunk(-1), "Alt+Up")
    yield make(
        "other_next", tr("Next alternative"), lambda v: v.editing.step_alternative(1), "Alt+Right"
    )
    yield make(
        "other_before",
        tr("Alternative before"),
        lambda v: v.editing.step_alternative(-1),
        "Alt+Left",
    )
    yield make("again", tr("Another try"), lambda v: v.editing.again(), "Ctrl+R")
    yield make("discard", tr("Discard"), lambda v: v.editing.cancel(), "", _is_open)


def _maker(
    window: MainWindow, group: str, usual: When = lambda _view: True
) -> Callable[..., Command]:
    """Commands that act on the shown document; they are enabled while there is one."""
    editor = window.editor

    def make(key: str, title: str, do: Do, shortcut: str = "", when: When = usual) -> Command:
        def run() -> None:
            if editor.view is not None:
                do(editor.view)

        def is_enabled() -> bool:
            return editor.view is not None and when(editor.view)

        return Command(
            id=f"editor.{key}",
            title=title,
            run=run,
            shortcut=shortcut,
            group=group,
            is_enabled=is_enabled,
        )

    return make


def _is_offered(view: DocumentView) -> bool:
    return view.session.phase is Phase.OFFERED


def _is_open(view: DocumentView) -> bool:
    return view.editing.is_open


def _toggle_wrap(window: MainWindow) -> None:
    window.settings.change(wrap_lines=not window.settings.value.wrap_lines)
