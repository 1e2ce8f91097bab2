"""What the window says of updates, and what its buttons do: a real window around a real feed."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import QApplication, QLabel, QProgressBar, QPushButton, QWidget

from app.state.updates import fetch as fetching
from app.state.updates.place import Place
from app.state.updates.status import Fetched, Offer, Phase, Status
from app.state.updates.updates import Updates
from app.ui.places import CHAT, EDITOR
from app.ui.settings.dialog import UPDATES, SettingsDialog
from app.ui.settings.updates_page import UpdatesView
from app.ui.updates.bar import UpdateBar
from app.ui.updates.place import add_updates
from tests.app import edit_driving, updates_rig
from tests.app.driving import say, wait_idle
from tests.app.edit_scripts import editing
from tests.fakes import FakePipeline, Gate, answering

# the offscreen platform says this about every window that comes to the front
pytestmark = pytest.mark.qt_log_ignore("does not support raise", extend=True)


NEXT = 20_000  # milliseconds


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    updates_rig.hurry(monkeypatch)
    updates_rig.rename_only(monkeypatch)
    monkeypatch.setattr(fetching, "PERIOD", 0.0)


@pytest.fixture
def place(tmp_path: Path, feed) -> Place:
    return updates_rig.place(tmp_path / "updates", feed, "0.1.0")


@pytest.fixture
def begin(start, place):
    """A window with updates in it."""
    begun: list[Updates] = []

    def begin_one(pipeline: FakePipeline | None = None):
        running = start(pipeline)
        updates = Updates(place, running.settings, parent=running.window)
        begun.append(updates)
        add_updates(running.window, updates)
        return running, updates

    yield begin_one
    for each in begun:
        each.close()


def words(part: QWidget) -> str:
    return " ".join(each.text() for each in part.findChildren(QLabel) if each.isVisible())


def buttons(part: QWidget) -> list[str]:
    return [each.text() for each in part.findChildren(QPushButton) if each.isVisible()]


def press(part: QWidget, text: str) -> None:
    (found,) = [
        each for each in part.findChildren(QPushButton) if each.text() == text and each.isVisible()
    ]
    found.click()


def bar_of(running) -> UpdateBar:
    return running.window.findChild(UpdateBar)


def page_of(running) -> UpdatesView:
    dialog = running.window.dialogs.settings()
    dialog.show_page(UPDATES)
    return dialog.page(UPDATES).findChild(UpdatesView)


def wait(qtbot, updates: Updates, phase: Phase) -> None:
    qtbot.waitUntil(lambda: updates.status.phase is phase, timeout=NEXT)


# --- the line above every place -------------------------------------------------------------------


def test_it_asks_once_and_then_all_goes_by_itself(qtbot, begin, place):
    running, updates = begin()
    bar = bar_of(running)
    assert not bar.isVisible()
    running.settings.change(updates=True)
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    assert words(bar) == "Redraft 0.2.0 is there (385 kB)."
    assert buttons(bar) == ["Get it", "Not this one", "Later"]
    for where in (EDITOR, CHAT):
        running.window.places.show_place(where)
        assert bar.isVisible()
    press(bar, "Get it")
    assert "You can go on writing" in words(bar)
    wait(qtbot, updates, Phase.READY)
    assert words(bar) == "Redraft 0.2.0 is ready: it starts with the next start."
    assert buttons(bar) == ["Restart now", "Later"]
    with qtbot.waitSignal(running.status.restart_requested):
        press(bar, "Restart now")
    assert place.versions.state().current == "0.2.0"


def test_later_means_not_again_in_this_run(qtbot, begin, feed):
    running, updates = begin()
    bar = bar_of(running)
    updates.look_now()
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    press(bar, "Later")
    assert not bar.isVisible()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    assert not bar.isVisible()
    feed.publish("0.3.0")
    updates.look_now()
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    assert "0.3.0" in words(bar)


def test_not_this_one_is_remembered(qtbot, begin):
    running, updates = begin()
    bar = bar_of(running)
    updates.look_now()
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    press(bar, "Not this one")
    qtbot.waitUntil(lambda: updates.status.offer.is_unwanted, timeout=NEXT)
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    assert not bar.isVisible()
    assert "Not wanted" in words(page_of(running))


def test_a_look_in_the_background_that_fails_disturbs_nobody(qtbot, begin, feed):
    feed.answers["linux.json"] = updates_rig.status(500)
    running, updates = begin()
    running.settings.change(updates=True)
    wait(qtbot, updates, Phase.FAILED)
    assert not bar_of(running).isVisible()
    assert "127.0.0.1 cannot answer now (error 500)." in words(page_of(running))


def test_what_the_user_wanted_and_cannot_have_is_said_and_tried_again(qtbot, begin, feed):
    running, updates = begin()
    bar = bar_of(running)
    path = feed.path_of("wheels/redraft")
    feed.answers[path] = updates_rig.other(lambda data: bytes(len(data)))
    updates.look_now()
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    press(bar, "Get it")
    wait(qtbot, updates, Phase.FAILED)
    assert words(bar).startswith("A file arrived that is not what it should be.")
    feed.answers.clear()
    press(bar, "Try again")
    wait(qtbot, updates, Phase.READY)


def test_a_restart_takes_no_answer_away(qtbot, begin):
    gate = Gate()

    def script(request_id, request, cancelled):
        gate.pass_through()
        yield from answering("A long answer.")(request_id, request, cancelled)

    running, updates = begin(FakePipeline(script))
    bar = bar_of(running)
    updates.look_now()
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    press(bar, "Get it")
    wait(qtbot, updates, Phase.READY)
    say(qtbot, running, "Hello")
    qtbot.waitUntil(lambda: bool(running.chats.busy_ids), timeout=NEXT)
    asked: list[bool] = []
    running.status.restart_requested.connect(lambda: asked.append(True))
    press(bar, "Restart now")
    assert words(bar) == "Something is being written. Restart when it is done."
    assert asked == []
    gate.opened.set()
    wait_idle(qtbot, running)
    press(bar, "Restart now")
    assert asked == [True]


def test_a_restart_takes_no_edit_away(qtbot, start, place):
    gate = Gate()

    def script(request_id, request, cancelled):
        gate.pass_through()
        yield from editing(edit_driving.CHANGED)(request_id, request, cancelled)

    running, view = edit_driving.begin(qtbot, start, script)
    updates = Updates(place, running.settings, parent=running.window)
    add_updates(running.window, updates)
    bar = bar_of(running)
    updates.look_now()
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    press(bar, "Get it")
    wait(qtbot, updates, Phase.READY)
    edit_driving.ask(qtbot, view, edit_driving.SENTENCE, "Shorter")
    asked: list[bool] = []
    running.status.restart_requested.connect(lambda: asked.append(True))
    press(bar, "Restart now")
    assert "Something is being written" in words(bar)
    gate.opened.set()
    edit_driving.wait_phase(qtbot, view)
    press(bar, "Restart now")
    assert asked == [True]
    updates.close()


def test_tab_reaches_it_between_the_rail_and_the_place(qtbot, begin):
    running, updates = begin()
    bar = bar_of(running)
    updates.look_now()
    qtbot.waitUntil(bar.isVisible, timeout=NEXT)
    with qtbot.waitActive(running.window):
        running.window.activateWindow()
    running.window.places.rail.findChildren(QWidget)[-1].setFocus()
    reached = []
    for _ in range(30):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        if isinstance(focus, QPushButton) and bar.isAncestorOf(focus):
            reached.append(focus.text())
    assert reached[:3] == ["Get it", "Not this one", "Later"]


# --- the page -------------------------------------------------------------------------------------


def test_the_page_goes_all_the_way(qtbot, begin, feed, place):
    running, updates = begin()
    page = page_of(running)
    assert words(page) == "This is Redraft 0.1.0."
    assert buttons(page) == ["Look now"]
    begun = threading.Event()
    feed.answers["linux.json"] = updates_rig.stalled(feed, begun)
    press(page, "Look now")
    assert "Looking for a newer one." in words(page)
    assert buttons(page) == ["Stop"]
    feed.answers.clear()
    feed.go_on.set()
    wait(qtbot, updates, Phase.FOUND)
    assert "Redraft 0.2.0 of " in words(page)
    assert "Faster.\nKinder." in words(page)
    assert "Last looked: " in words(page)
    assert buttons(page) == ["Look now", "Get it", "Skip this version"]
    feed.go_on.clear()
    begun.clear()
    feed.answers[feed.path_of("wheels/redraft")] = updates_rig.stalled(feed, begun)
    press(page, "Get it")
    qtbot.waitUntil(begun.is_set, timeout=NEXT)
    bar = page.findChild(QProgressBar)
    qtbot.waitUntil(lambda: 0 < bar.value() < bar.maximum(), timeout=NEXT)
    assert "kB of 385 kB" in words(page)
    press(page, "Stop")
    wait(qtbot, updates, Phase.FOUND)
    assert "Get it" in buttons(page)
    feed.answers.clear()
    feed.go_on.set()
    press(page, "Get it")
    wait(qtbot, updates, Phase.READY)
    assert "Redraft 0.2.0 starts with the next start." in words(page)
    with qtbot.waitSignal(running.status.restart_requested):
        press(page, "Restart now")


def test_the_page_leads_back(qtbot, begin, tmp_path, feed, place, start):
    _running, updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    wait(qtbot, updates, Phase.READY)
    place.versions.choose(place.installed)
    running = start()
    second = Updates(updates_rig.place(tmp_path / "updates", feed, "0.2.0"), running.settings)
    add_updates(running.window, second)
    page = page_of(running)
    qtbot.waitUntil(lambda: "Back to 0.1.0" in buttons(page), timeout=NEXT)
    press(page, "Back to 0.1.0")
    wait(qtbot, second, Phase.READY)
    assert "Redraft 0.1.0 starts with the next start." in words(page)
    assert "Restart now" in buttons(page)
    second.close()


def test_a_version_is_skipped_from_the_page(qtbot, begin):
    running, updates = begin()
    page = page_of(running)
    press(page, "Look now")
    wait(qtbot, updates, Phase.FOUND)
    press(page, "Skip this version")
    qtbot.waitUntil(lambda: updates.status.offer.is_unwanted, timeout=NEXT)
    assert "Skip this version" not in buttons(page)
    assert not bar_of(running).isVisible()


def test_the_command_looks_and_shows_what_comes_of_it(qtbot, begin):
    running, updates = begin()
    (command,) = [each for each in running.window.commands if each.id == "updates"]
    assert command.title == "Look for updates"
    command.run()
    assert running.window.findChild(UpdatesView).isVisible()
    wait(qtbot, updates, Phase.FOUND)


def test_a_copy_that_cannot_says_why(qtbot, start):
    running = start()
    add_updates(running.window, Updates(None, running.settings, parent=running.window))
    running.window.dialogs.look_for_updates()
    dialog = running.window.findChild(SettingsDialog)
    assert "cannot look for updates" in words(dialog.page(UPDATES))
    assert not dialog.page(UPDATES).control("updates").isEnabled()


OFFER = Offer(
    version="0.2.0", released="2026-11-21", notes={"en": "New.", "de": "Neu."}, size=8_200_000
)
STATUS = Status(phase=Phase.FOUND, running="0.1.0", offer=OFFER, looked=1_790_000_000.0)


@pytest.fixture
def view(qtbot, begin):
    """The page, told what to show."""
    running, updates = begin()
    page = page_of(running)
    qtbot.wait(50)  # what was on its way has arrived

    def show(status: Status) -> UpdatesView:
        updates._set(status)
        return page

    return show


def test_notes_are_plain_text_of_the_user_s_language(view):
    before = QLocale()
    try:
        QLocale.setDefault(QLocale("de"))
        assert "Neu." in words(view(STATUS))
        QLocale.setDefault(QLocale("fr"))
        assert "New." in words(view(STATUS))
    finally:
        QLocale.setDefault(before)
    odd = {"en": "<b>bold</b> \u202e<img src='http://x/y'> \ud800"}
    page = view(replace(STATUS, offer=replace(OFFER, notes=odd)))
    assert "<b>bold</b> \ufffd<img src='http://x/y'> \ufffd" in words(page)
    for each in page.findChildren(QLabel):
        assert each.textFormat() is Qt.TextFormat.PlainText


def test_a_version_that_wants_its_installer_cannot_be_got_here(view, qtbot):
    page = view(replace(STATUS, offer=replace(OFFER, needs_installer=True)))
    assert "installed with its installer" in words(page)
    assert "Get it" not in buttons(page)


def test_while_it_installs_the_bar_says_only_that_something_happens(view):
    page = view(replace(STATUS, phase=Phase.FETCHING, progress=Fetched(done=2, total=8_200_000)))
    assert page.findChild(QProgressBar).maximum() > 0
    page = view(replace(STATUS, phase=Phase.INSTALLING))
    assert page.findChild(QProgressBar).maximum() == 0
    assert buttons(page) == ["Stop"]
