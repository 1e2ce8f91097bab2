"""The editor among the other places: chat, palette, history, look."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication

from app.ui.editor.history import EditHistory
from app.ui.places import CHAT, EDITOR
from tests.app.driving import say, seen, wait_idle
from tests.app.edit_driving import (
    CHANGED,
    SENTENCE,
    TEXT,
    ask,
    begin,
    choose,
    keys,
    press,
    wait_phase,
)
from tests.app.edit_scripts import editing
from tests.fakes import FakePipeline, answering


def test_answers_and_code_go_to_the_editor_and_text_to_the_chat(qtbot, start):
    answer = "Look:\n\n```python\nx = 1\n```\n\nDone."
    running = start(FakePipeline(answering(answer)))
    window = running.window
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    press(qtbot, window.chat, "Open it in the editor")
    assert window.places.current == EDITOR
    assert window.editor.document.text == running.session.path[-1].text == answer
    assert window.editor.document.is_modified
    window.places.show_place(CHAT)
    qtbot.waitUntil(lambda: "Edit" in seen(window.chat))
    press(qtbot, window.chat, "Open this code in the editor")
    assert window.editor.document.text.rstrip("\n") == "x = 1"
    assert window.editor.document.language == "python"
    choose(window.editor.view, "x = 1")
    keys(window.editor.view, "Ctrl+Shift+L")
    assert window.places.current == CHAT
    assert window.composer.unsent.text == "x = 1"


def test_the_palette_has_the_commands_of_the_place(qtbot, start):
    running, view = begin(qtbot, start, editing("x"))
    window = running.window
    window.open_palette()
    titles = window.palette_dialog.titles
    assert {"Edit with the model", "Save", "Go to the chat", "Settings"} <= set(titles)
    assert "Answer again" not in titles
    assert "Accept" not in titles  # there is nothing to accept
    window.palette_dialog.close()
    window.places.show_place(CHAT)
    window.open_palette()
    assert "New chat" in window.palette_dialog.titles
    assert "Save" not in window.palette_dialog.titles
    window.palette_dialog.close()
    assert view.document.text == TEXT


def test_no_two_commands_of_the_editor_share_keys(qtbot, start):
    running, _ = begin(qtbot, start, editing("x"))
    window = running.window
    shortcuts = [each.shortcut for each in window.commands_here if each.shortcut]
    plain = [QKeySequence(each).toString() for each in shortcuts]
    assert len(plain) > 35
    assert len(set(plain)) == len(plain)
    assert "Tab" not in plain
    keys_of_place = {QKeySequence("Ctrl+N").toString(), QKeySequence("Ctrl+F").toString()}
    assert keys_of_place <= set(plain)


def test_keys_belong_to_the_place_that_is_shown(qtbot, start):
    running, view = begin(qtbot, start, editing("x"))
    window = running.window
    keys(view, "Ctrl+N")
    assert len(window.editor.documents.all) == 2
    assert len(running.chats.summaries) == 0
    keys(view, "Ctrl+1")
    assert window.places.current == CHAT
    keys(view, "Ctrl+F")
    assert QApplication.focusWidget() is not None
    assert window.chat_list.isAncestorOf(QApplication.focusWidget())
    keys(view, "Ctrl+2")
    assert window.places.current == EDITOR


def test_edits_are_remembered_with_their_replay(qtbot, start):
    running, view = begin(qtbot, start, editing(CHANGED, "Other words."))
    ask(qtbot, view, SENTENCE, "make it red")
    wait_phase(qtbot, view)
    keys(view, "Alt+Right")
    keys(view, "Ctrl+Return")
    window = running.window
    window.crossing.edit_history()
    qtbot.waitUntil(lambda: window.editor.findChild(EditHistory) is not None)
    dialog = window.editor.findChild(EditHistory)
    assert dialog.list.count() == 1
    assert dialog.list.item(0).text().startswith("make it red")
    assert dialog.before.toPlainText() == SENTENCE
    assert dialog.after.toPlainText() == "Other words."
    shown = []
    window.dialogs.replay = lambda data, **named: shown.append((data, named))
    dialog.watch.click()
    qtbot.waitUntil(lambda: bool(shown))
    assert shown[0][1]["edit"].candidate == 1
    assert shown[0][0]
    dialog.close()


def test_larger_text_and_another_look_reach_the_editor(qtbot, start, theme):
    from app.settings import Scheme

    running, view = begin(qtbot, start, editing(CHANGED))
    size = view.editor.font().pointSizeF()
    keys(view, "Ctrl++")
    qtbot.waitUntil(lambda: view.editor.font().pointSizeF() == size)  # the theme is not the app's
    theme.set_sizes(reading_points=20.0, interface_scale=1.0)
    try:
        assert view.editor.font().pointSizeF() == 20.0
        ask(qtbot, view, SENTENCE, "x")
        wait_phase(qtbot, view)
        theme.set_scheme(Scheme.DARK)
        assert view.editing.overlay.widgets[0].text
    finally:
        theme.set_scheme(Scheme.LIGHT)
        theme.set_sizes(reading_points=12.0, interface_scale=1.0)
    assert running.window.places.current == EDITOR


def test_words_of_code_are_coloured(qtbot, start):
    code = "def one():\n    return 'text'  # why\n"
    _, view = begin(qtbot, start, editing("x"), code, "python")
    line = view.editor.document().findBlockByNumber(1).layout()
    qtbot.waitUntil(lambda: len(line.formats()) == 3)
    parts = [code.split("\n")[1][f.start : f.start + f.length] for f in line.formats()]
    assert parts == ["return", "'text'", "# why"]
    assert view.document.text == code
    assert not view.document.text_document.isUndoAvailable()


def test_line_numbers_grow_with_the_text(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "a\n" * 50)
    narrow = view.editor.gutter.width()
    view.document.replace_all("a\n" * 20_000)
    assert view.editor.gutter.width() > narrow
    assert view.editor.viewport().geometry().left() == view.editor.gutter.width()
