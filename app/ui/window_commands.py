"""Everything one can do in the window: for the palette, the menu and the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QMenu, QWidget

from app.settings import READING_POINTS, Scheme, SettingsStore, Still
from app.state.chats import Chats
from app.state.commands import Command
from app.state.engine_status import EngineStatus, Phase
from app.state.text import visible
from app.ui.places import CHAT, EDITOR, MODELS
from app.words import tr

if TYPE_CHECKING:
    from app.ui.main_window import MainWindow

CHATS_LISTED = 2000  # in the palette
ALSO = {  # further keys
    "palette": "Ctrl+P",
    "larger": "Ctrl+=",  # where + needs Shift
    "editor.ask": "Ctrl+I",
    "editor.accept": "Ctrl+Enter",  # of the number pad
    "editor.take": "Alt+Enter",
}


def commands(window: MainWindow) -> tuple[Command, ...]:
    """In the order of the menu; a group each for talk, view and the application."""
    return (*talk(window), *anywhere(window))


def anywhere(window: MainWindow) -> tuple[Command, ...]:
    """What can be done in every place of the window."""
    return (*_view(window), *_model(window.status), *_application(window))


def talk(window: MainWindow) -> Iterator[Command]:
    chats, shown, group = window.chats, window.shown, tr("Chat")

    def is_stored() -> bool:
        return chats.is_stored(chats.current.chat_id)

    def has_messages() -> bool:
        return bool(chats.current.path)

    def has_answer() -> bool:
        return has_messages() and bool(chats.current.path[-1].text)

    def can_ask() -> bool:
        return has_messages() and not chats.current.is_busy

    def can_go_on() -> bool:
        return has_messages() and chats.current.can_continue(chats.current.path[-1])

    def make(
        key: str,
        title: str,
        run: Callable[[], object],
        shortcut: str = "",
        is_enabled: Callable[[], bool] = lambda: True,
    ) -> Command:
        return Command(
            id=key, title=title, run=run, shortcut=shortcut, group=group, is_enabled=is_enabled
        )

    yield make("new", tr("New chat"), window.new_chat, "Ctrl+N")
    yield make("search", tr("Search chats"), window.search, "Ctrl+F")
    yield make("again", tr("Answer again"), window.answer_again, "Ctrl+R", can_ask)
    yield make("go_on", tr("Continue the answer"), window.go_on, "Ctrl+G", can_go_on)
    yield make("edit", tr("Edit the last question"), window.edit_last, "Ctrl+Shift+E", can_ask)
    yield make("copy", tr("Copy the last answer"), shown.copy_last, "Ctrl+Shift+C", has_answer)
    yield make(
        "replay", tr("Watch how the last answer was written"), shown.replay_last, "", can_ask
    )
    yield make("previous", tr("Previous chat"), lambda: shown.step(-1), "Ctrl+PgUp")
    yield make("next", tr("Next chat"), lambda: shown.step(1), "Ctrl+PgDown")
    yield make("rename", tr("Rename this chat"), window.rename_current, "", is_stored)
    yield make("export", tr("Export this chat…"), shown.export, "Ctrl+S", is_stored)
    yield make("delete", tr("Delete this chat"), shown.delete, "", is_stored)


def _view(window: MainWindow) -> Iterator[Command]:
    settings, group = window.settings, tr("View")

    def make(key: str, title: str, run: Callable[[], object], shortcut: str = "") -> Command:
        return Command(id=key, title=title, run=run, shortcut=shortcut, group=group)

    yield make("chat", tr("Go to the chat"), partial(_go_to, window, CHAT), "Ctrl+1")
    yield make("editor", tr("Go to the editor"), partial(_go_to, window, EDITOR), "Ctrl+2")
    yield make("models", tr("Go to the models"), partial(_go_to, window, MODELS), "Ctrl+3")
    yield make("sidebar", tr("Show or hide the chats"), window.toggle_sidebar, "Ctrl+B")
    yield make("panel", tr("Show or hide how answers are made"), window.toggle_panel, "Ctrl+.")
    yield make("larger", tr("Larger text"), lambda: resize_text(settings, 1), "Ctrl++")
    yield make("smaller", tr("Smaller text"), lambda: resize_text(settings, -1), "Ctrl+-")
    yield make("usual", tr("Usual text size"), lambda: settings.reset("reading_points"), "Ctrl+0")
    for scheme, title in (
        (Scheme.LIGHT, tr("Light look")),
        (Scheme.DARK, tr("Dark look")),
        (Scheme.SYSTEM, tr("Look as the system says")),
    ):
        yield make(f"scheme.{scheme.value}", title, partial(settings.change, scheme=scheme))
    yield make(
        "still", tr("Let text come into focus without moving"), lambda: _toggle_still(settings)
    )


def _model(status: EngineStatus) -> Iterator[Command]:
    """Whether it holds memory. Which model it is, is chosen elsewhere."""
    group = tr("Model")
    absent = (Phase.IDLE, Phase.UNLOADING, Phase.UNLOADED, Phase.FAILED)
    yield Command(
        id="model.load",
        title=tr("Load the model"),
        run=status.load,
        group=group,
        is_enabled=lambda: status.state.phase in absent,
    )
    yield Command(
        id="model.unload",
        title=tr("Unload the model and free its memory"),
        run=status.unload,
        group=group,
        is_enabled=lambda: status.state.phase in (Phase.LOADING, Phase.READY),
    )


def _application(window: MainWindow) -> Iterator[Command]:
    group = tr("Redraft")

    def make(key: str, title: str, run: Callable[[], object], shortcut: str = "") -> Command:
        return Command(id=key, title=title, run=run, shortcut=shortcut, group=group)

    yield make("palette", tr("All commands"), window.open_palette, "Ctrl+Shift+P")
    yield make("settings", tr("Settings"), window.dialogs.settings, "Ctrl+,")
    yield make("updates", tr("Look for updates"), window.dialogs.look_for_updates)
    yield make("log", tr("Log"), window.dialogs.log)
    yield make("about", tr("About Redraft"), window.dialogs.about)
    yield make("quit", tr("Quit"), window.close, "Ctrl+Q")


def chat_commands(chats: Chats) -> Sequence[Command]:
    """A command for each chat: to open it."""
    return [
        Command(
            id=f"chat:{summary.id}",
            title=visible(summary.title) or tr("New chat"),
            run=partial(chats.open, summary.id),
            group=tr("Open chat"),
        )
        for summary in chats.summaries[:CHATS_LISTED]
    ]


def connect_shortcuts(window: QWidget, some: Iterable[Command]) -> list[QShortcut]:
    return [
        QShortcut(QKeySequence(key), window, partial(_run, command))
        for command in some
        for key in (command.shortcut, ALSO.get(command.id, ""))
        if key
    ]


def fill_menu(menu: QMenu, all_commands: Sequence[Command]) -> None:
    """The commands in their groups, as they can be used now."""
    menu.clear()
    last = ""
    for command in all_commands:
        if last and command.group != last:
            menu.addSeparator()
        last = command.group
        keys = QKeySequence(command.shortcut).toString(QKeySequence.SequenceFormat.NativeText)
        # as text: with a shortcut of its own the action would compete with the window's, and Qt
        # runs neither of two
        action = menu.addAction(command.title.replace("&", "&&") + (f"\t{keys}" if keys else ""))
        action.setEnabled(command.is_enabled())
        action.triggered.connect(lambda _checked=False, command=command: _run(command))


def _run(command: Command) -> None:
    if command.is_enabled():
        command.run()


def _go_to(window: MainWindow, place: int) -> None:
    window.places.show_place(place)


def resize_text(settings: SettingsStore, by: float) -> None:
    least, most = READING_POINTS
    settings.change(reading_points=min(max(settings.value.reading_points + by, least), most))


def _toggle_still(settings: SettingsStore) -> None:
    is_on = settings.value.still is Still.ON
    settings.change(still=Still.OFF if is_on else Still.ON)
