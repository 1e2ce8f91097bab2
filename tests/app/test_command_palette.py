"""The palette, used as a person does: with keys only."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QListView, QWidget

from app.state.commands import Command
from app.ui.command_palette import CommandPalette, remembered


class World:
    """Two providers, as in the app: commands, and chats that come and go."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.chats = ["Mara\nand the lamp", "Recipes"]
        self.is_stoppable = False

    def commands(self) -> list[Command]:
        return [
            self._command("New chat", shortcut="Ctrl+N"),
            self._command("Stop", is_enabled=lambda: self.is_stoppable),
            self._command("Settings"),
        ]

    def titles(self) -> list[Command]:
        return [self._command(title, group="Chat") for title in self.chats]

    def _command(self, title: str, **more) -> Command:
        return Command(id=title, title=title, run=lambda: self.ran.append(title), **more)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def palette(qtbot, theme, world: World):
    window = QWidget()
    window.resize(800, 600)
    qtbot.addWidget(window)
    window.show()
    made = CommandPalette(theme, [world.commands, world.titles], window)
    made.open_with()
    qtbot.waitExposed(made)
    yield made
    window.close()  # and holds on to it until here


def field(palette: CommandPalette) -> QLineEdit:
    return palette.findChild(QLineEdit)


def test_letters_and_enter_run_a_command(qtbot, palette, world):
    used: list[str] = []
    palette.used.connect(used.append)
    qtbot.keyClicks(field(palette), "sett")
    assert palette.titles == ["Settings"]
    qtbot.keyClick(field(palette), Qt.Key.Key_Return)
    assert world.ran == used == ["Settings"]
    assert not palette.isVisible()


def test_arrows_go_round(qtbot, palette, world):
    for _ in range(len(palette.titles) + 1):
        qtbot.keyClick(field(palette), Qt.Key.Key_Down)
    qtbot.keyClick(field(palette), Qt.Key.Key_Up)
    qtbot.keyClick(field(palette), Qt.Key.Key_Up)
    qtbot.keyClick(field(palette), Qt.Key.Key_Return)
    assert world.ran == [world.chats[-1]]


def test_escape_runs_nothing(qtbot, palette, world):
    qtbot.keyClick(field(palette), Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert world.ran == []


def test_enter_without_a_match_runs_nothing(qtbot, palette, world):
    qtbot.keyClicks(field(palette), "xyzzy")
    qtbot.keyClick(field(palette), Qt.Key.Key_Return)
    assert palette.isVisible()
    assert (palette.titles, world.ran) == ([], [])


def test_only_what_can_be_done_is_offered_and_of_now(palette, world):
    assert "Stop" not in palette.titles
    world.is_stoppable = True
    world.chats.append("Added")
    palette.open_with(["Settings"])
    assert palette.titles[0] == "Settings"
    assert {"Stop", "Added"} <= set(palette.titles)


def test_what_ended_meanwhile_does_not_run(qtbot, palette, world):
    world.is_stoppable = True
    palette.open_with()
    qtbot.keyClicks(field(palette), "stop")
    world.is_stoppable = False
    qtbot.keyClick(field(palette), Qt.Key.Key_Return)
    assert world.ran == []


def test_a_screen_reader_hears_what_enter_would_do(qtbot, palette):
    assert field(palette).accessibleName()
    assert field(palette).accessibleDescription() == "New chat, Ctrl+N"
    qtbot.keyClicks(field(palette), "reci")
    assert field(palette).accessibleDescription() == "Recipes, Chat"


def test_a_click_runs_too(qtbot, palette, world):
    rows = palette.findChild(QListView)
    place = rows.visualRect(rows.model().index(1, 0)).center()
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert world.ran == ["Settings"]


def test_thousands_of_chats_are_borne(qtbot, palette, world):
    world.chats = [f"Chat number {number}" for number in range(5000)]
    palette.open_with()
    qtbot.keyClicks(field(palette), "4711")
    assert palette.titles == ["Chat number 4711"]


def test_the_latest_command_is_remembered_first():
    assert remembered(("a", "b", "c"), "b", 3) == ("b", "a", "c")
    assert remembered(("a", "b", "c"), "d", 3) == ("d", "a", "b")
