"""What one can do in the window: by its keys, its menu, and only when it makes sense."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu

from app.settings import READING_POINTS, Scheme, SendKey, Still
from app.state.engine_status import Phase
from app.ui.window_commands import chat_commands, fill_menu
from engine.messages import FinishReason
from tests.app.driving import field, say, spoken, wait_chat, wait_idle
from tests.fakes import FakePipeline, Gate, answering, draft, ending

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier

# What text fields do with keys, whatever the desktop. Written down, because which of them Qt knows
# depends on where a test runs.
EDITING = (
    "Ctrl+A, Ctrl+C, Ctrl+V, Ctrl+X, Ctrl+Z, Ctrl+Y, Ctrl+Shift+Z, Ctrl+K, Ctrl+U, Ctrl+E, Ctrl+H",
    "Ctrl+D, Ctrl+Left, Ctrl+Right, Ctrl+Up, Ctrl+Down, Ctrl+Home, Ctrl+End, Ctrl+Backspace",
    "Ctrl+Del, Ctrl+Ins, Ctrl+Shift+Left, Ctrl+Shift+Right, Ctrl+Shift+V, Shift+Ins, Shift+Del",
    "Ctrl+Return, Ctrl+Enter, Shift+Return, Return, Enter, Tab, Home, End, PgUp, PgDown, F2, Esc",
)


def stopping(text):
    def script(request_id, _request, _cancelled):
        yield from ending(request_id, text, FinishReason.STOPPED)

    return script


def command(running, key):
    return next(each for each in running.window.commands if each.id == key)


def enabled(running):
    return {each.id for each in running.window.commands if each.is_enabled()}


def activate(qtbot, running):
    with qtbot.waitActive(running.window):
        running.window.activateWindow()
    field(running).setFocus()


def press_keys(running, keys):
    """The keys as a person presses them, into whatever has the focus."""
    combination = QKeySequence(keys)[0]
    target = QApplication.focusWidget() or running.window
    QTest.keyClick(target, combination.key(), combination.keyboardModifiers())


TALK = {"again", "edit", "replay", "copy"}
STORED = {"rename", "export", "delete"}


def test_commands_can_be_used_when_they_make_sense(qtbot, start):
    gate = Gate()
    scripts = [stopping("Half"), None, stopping("")]

    def script(request_id, request, cancelled):
        chosen = scripts.pop(0)
        if chosen is not None:
            yield from chosen(request_id, request, cancelled)
            return
        yield draft(request_id, ("x",))
        gate.until_cancelled(cancelled)
        yield from ending(request_id, "Other half", FinishReason.END)

    running = start(FakePipeline(script))
    qtbot.waitUntil(lambda: running.status.state.phase is Phase.READY)
    always = enabled(running)
    assert not always & (TALK | STORED | {"go_on"})
    assert {"new", "search", "settings", "quit", "palette"} <= always
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    assert enabled(running) == always | TALK | STORED | {"go_on"}
    running.window.go_on()
    qtbot.waitUntil(gate.reached.is_set)
    assert enabled(running) == always | STORED | {"copy"}
    running.window.stop()
    wait_idle(qtbot, running)
    assert enabled(running) == always | TALK | STORED
    running.window.answer_again()
    wait_idle(qtbot, running)
    assert running.session.path[-1].text == ""
    assert enabled(running) == always | (TALK - {"copy"}) | STORED


def test_a_chat_with_nothing_but_a_draft_can_be_deleted(qtbot, start):
    running = start()
    qtbot.keyClicks(field(running), "half")
    qtbot.waitUntil(lambda: running.window.chat_list.titles == ("New chat",))
    assert enabled(running) >= STORED
    command(running, "delete").run()
    assert running.window.chat_list.titles == ()
    assert field(running).toPlainText() == ""
    running.window.toast._on_action()
    qtbot.waitUntil(lambda: field(running).toPlainText() == "half")


# --- keys -----------------------------------------------------------------------------------------


def test_no_two_commands_share_keys_and_none_takes_those_of_text(start):
    shortcuts = [each.shortcut for each in start().window.commands if each.shortcut]
    shortcuts += ["Ctrl+P", "Ctrl+="]
    plain = [QKeySequence(keys).toString() for keys in shortcuts]
    assert len(set(plain)) == len(plain)
    assert all(plain)
    taken = {QKeySequence(keys).toString() for line in EDITING for keys in line.split(", ")}
    assert len(taken) > 35
    assert not set(plain) & taken
    for standard in ("Copy", "Cut", "Paste", "Undo", "Redo", "SelectAll", "DeleteEndOfLine"):
        key = getattr(QKeySequence.StandardKey, standard)
        bound = {each.toString() for each in QKeySequence.keyBindings(key)}
        assert not set(plain) & bound


@pytest.mark.qt_log_ignore("does not support raise", "does not support grabbing")
def test_keys_work_also_after_the_menu_was_open(qtbot, start):
    running = start()
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    activate(qtbot, running)
    field(running).setFocus()
    menus = [each for each in running.window.header.findChildren(QMenu) if not each.actions()]
    menu = menus[-1]
    for _ in range(2):
        menu.popup(running.window.mapToGlobal(running.window.rect().center()))
        QApplication.processEvents()
        assert any("New chat" in action.text() for action in menu.actions())
        menu.close()
        QApplication.processEvents()
    press_keys(running, "Ctrl+N")
    assert spoken(running) == []
    assert not running.session.path


def test_keys_do_what_they_say(qtbot, start):
    running = start(FakePipeline(answering("Hello there.")))
    window = running.window
    activate(qtbot, running)
    say(qtbot, running, "one")
    wait_idle(qtbot, running)
    press_keys(running, "Ctrl+Shift+C")
    assert QGuiApplication.clipboard().text() == "Hello there."
    press_keys(running, "Ctrl+R")
    wait_idle(qtbot, running)
    answer = running.session.path[-1]
    assert len(running.session.conversation.variants(answer.id)) == 2
    press_keys(running, "Ctrl+Shift+E")
    assert window.chat.exchanges[-1].question.editor is not None
    field(running).setFocus()
    press_keys(running, "Ctrl+N")
    assert running.session.path == ()
    say(qtbot, running, "two")
    wait_idle(qtbot, running)
    qtbot.waitUntil(lambda: window.chat_list.titles == ("two", "one"))
    press_keys(running, "Ctrl+PgDown")
    wait_chat(qtbot, running, ["one", "Hello there."])
    press_keys(running, "Ctrl+PgUp")
    wait_chat(qtbot, running, ["two", "Hello there."])
    for _ in range(2):
        was = window.chat_list.isVisible(), window.side_panel.isVisible()
        press_keys(running, "Ctrl+B")
        press_keys(running, "Ctrl+.")
        assert (window.chat_list.isVisible(), window.side_panel.isVisible()) != was
        assert window.chat_list.isVisible() is not was[0]
    press_keys(running, "Ctrl+F")
    assert isinstance(QApplication.focusWidget(), QLineEdit)
    assert window.chat_list.isAncestorOf(QApplication.focusWidget())


def test_an_answer_is_gone_on_with_by_key(qtbot, start):
    running = start(FakePipeline(stopping("Half. ")))
    activate(qtbot, running)
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    press_keys(running, command(running, "go_on").shortcut)
    wait_idle(qtbot, running)
    assert running.session.path[-1].text == "Half. Half. "


@pytest.mark.parametrize("send_key", list(SendKey))
def test_ctrl_enter_sends_from_the_field_whatever_the_last_answer_is(qtbot, start, send_key):
    running = start(FakePipeline(stopping("Half. ")))
    running.settings.change(send_key=send_key)
    activate(qtbot, running)
    for count in (1, 2):
        field(running).setFocus()
        qtbot.keyClicks(field(running), f"question {count}")
        press_keys(running, "Ctrl+Return")
        wait_idle(qtbot, running)
        assert [m.text for m in running.session.path[::2]][-1] == f"question {count}"
        assert len(running.session.path) == 2 * count


def test_text_keys_work_in_the_field(qtbot, start):
    running = start()
    activate(qtbot, running)
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    qtbot.keyClicks(field(running), "some words")
    for keys in ("Ctrl+A", "Ctrl+C"):
        press_keys(running, keys)
    assert QGuiApplication.clipboard().text() == "some words"
    press_keys(running, "Ctrl+X")
    assert field(running).toPlainText() == ""
    press_keys(running, "Ctrl+V")
    assert field(running).toPlainText() == "some words"
    press_keys(running, "Ctrl+Z")
    assert field(running).toPlainText() == ""
    press_keys(running, "Ctrl+Shift+Z")
    assert field(running).toPlainText() == "some words"
    press_keys(running, "Ctrl+Backspace")
    assert field(running).toPlainText() == "some "
    assert spoken(running) == ["hi", "Hello there, friend."]


# --- the look -------------------------------------------------------------------------------------


def test_text_grows_and_shrinks_within_its_limits_and_back(start):
    running = start()
    usual = running.settings.value.reading_points
    for key, limit in (("larger", READING_POINTS[1]), ("smaller", READING_POINTS[0])):
        for _ in range(60):
            command(running, key).run()
        assert running.settings.value.reading_points == limit
    command(running, "usual").run()
    assert running.settings.value.reading_points == usual


def test_the_look_and_the_motion_are_chosen(start):
    running = start()
    for scheme in Scheme:
        command(running, f"scheme.{scheme.value}").run()
        assert running.settings.value.scheme is scheme
    found = []
    for _ in range(3):
        command(running, "still").run()
        found.append(running.settings.value.still)
    assert found == [Still.ON, Still.OFF, Still.ON]


# --- menu and palette -----------------------------------------------------------------------------


def test_the_menu_has_every_command_in_its_group_with_its_keys(qtbot, start):
    running = start()
    menu = QMenu()
    qtbot.addWidget(menu)
    for _ in range(2):  # filled anew each time
        fill_menu(menu, running.window.commands)
    rows = [action for action in menu.actions() if not action.isSeparator()]
    assert len(rows) == len(running.window.commands)
    for action, each in zip(rows, running.window.commands, strict=True):
        title, _, keys = action.text().partition("\t")
        assert title == each.title
        assert QKeySequence(keys, QKeySequence.SequenceFormat.NativeText) == QKeySequence(
            each.shortcut
        )
        assert action.isEnabled() is each.is_enabled()
        assert action.shortcut().isEmpty()  # it would fight with the window's own
    groups = list(dict.fromkeys(each.group for each in running.window.commands))
    assert sum(action.isSeparator() for action in menu.actions()) == len(groups) - 1
    next(action for action in rows if "Dark look" in action.text()).trigger()
    assert running.settings.value.scheme is Scheme.DARK


def test_a_command_that_cannot_be_used_does_nothing(qtbot, start):
    running = start()
    activate(qtbot, running)
    for each in running.window.commands:
        if not each.is_enabled() and each.shortcut:
            press_keys(running, each.shortcut)
    assert running.session.path == ()
    assert not running.session.is_busy


def test_every_chat_is_a_command(qtbot, start):
    running = start()
    for text in ("first \u202e chat", "second"):
        running.window.new_chat()
        running.session.send(text)
        wait_idle(qtbot, running)
    qtbot.waitUntil(lambda: len(running.chats.summaries) == 2)
    offered = chat_commands(running.chats)
    assert [each.title for each in offered] == ["second", "first \ufffd chat"]
    offered[1].run()
    qtbot.waitUntil(lambda: running.session.path[0].text == "first \u202e chat")
