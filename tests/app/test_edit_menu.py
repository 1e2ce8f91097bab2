"""The menu over a text, by mouse and by key; and Qt's own words in the user's language."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QPlainTextEdit

from app.ui.qt_words import translate_qt
from app.words import load_words
from tests.app.edit_driving import (
    CHANGED,
    SENTENCE,
    TEXT,
    ask,
    asked,
    begin,
    choose,
    keys,
    wait_phase,
)
from tests.app.edit_scripts import editing

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")


def open_menu(qtbot, view, at: QPoint | None = None) -> QMenu:
    """With the menu key, or with the right mouse button at a place of the viewport."""
    reason = QContextMenuEvent.Reason
    viewport = view.editor.viewport()
    place = at or QPoint(2, 2)
    event = QContextMenuEvent(
        reason.Keyboard if at is None else reason.Mouse, place, viewport.mapToGlobal(place)
    )
    QApplication.sendEvent(viewport if at is not None else view.editor, event)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    return QApplication.activePopupWidget()


def entries(menu: QMenu) -> dict[str, bool]:
    return {
        action.text().split("\t")[0]: action.isEnabled()
        for action in menu.actions()
        if not action.isSeparator()
    }


def take(menu: QMenu, title: str) -> None:
    action = next(each for each in menu.actions() if each.text().split("\t")[0] == title)
    assert action.isEnabled()
    menu.close()
    action.trigger()


def test_the_menu_key_opens_it_and_everything_has_its_place(qtbot, start):
    _, view = begin(qtbot, start, editing("x"))
    QGuiApplication.clipboard().clear()
    menu = open_menu(qtbot, view)
    assert entries(menu) == {
        "Undo": False, "Redo": False, "Cut": False, "Copy": False, "Paste": False,
        "Select all": True, "Edit with the model": True, "Fill all gaps": False,
        "Drop a gap": True, "Insert here": True, "Send what is selected to the chat": False,
    }  # fmt: skip
    shown = {action.text() for action in menu.actions()}
    assert "Edit with the model\tCtrl+K" in shown
    assert (
        view.editor.viewport()
        .rect()
        .contains(view.editor.viewport().mapFromGlobal(menu.pos()) - QPoint(0, 1))
    )
    take(menu, "Select all")
    assert view.selected_text == TEXT
    assert entries(open_menu(qtbot, view))["Cut"]


def test_it_opens_by_keys_that_every_keyboard_has(qtbot, start):
    _, view = begin(qtbot, start, editing("x"))
    keys(view, "Shift+F10")
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    assert entries(QApplication.activePopupWidget())["Select all"]
    QApplication.activePopupWidget().close()


def test_cut_and_paste_and_undo(qtbot, start):
    _, view = begin(qtbot, start, editing("x"))
    choose(view, "quick ")
    take(open_menu(qtbot, view), "Cut")
    assert view.document.text == TEXT.replace("quick ", "")
    assert QGuiApplication.clipboard().text() == "quick "
    take(open_menu(qtbot, view), "Paste")
    assert view.document.text == TEXT
    take(open_menu(qtbot, view), "Undo")
    assert view.document.text == TEXT.replace("quick ", "")


def test_here_is_where_one_has_clicked(qtbot, start):
    _, view = begin(qtbot, start, editing("new "))
    cursor = view.editor.textCursor()
    cursor.setPosition(TEXT.index("brown"))
    place = view.editor.cursorRect(cursor).center()
    take(open_menu(qtbot, view, place), "Insert here")
    wait_phase(qtbot, view)
    (span,) = asked(view)[0].spans
    assert span.start == span.end == TEXT.index("brown")
    view.editing.cancel()
    choose(view, SENTENCE)
    menu = open_menu(qtbot, view, place)  # on the selection: it stays
    assert view.selected_text == SENTENCE
    take(menu, "Edit with the model")
    assert view.editing.bar.row == "prompt"


def test_an_offer_is_decided_from_it(qtbot, start):
    _, view = begin(qtbot, start, editing(CHANGED))
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    (shown,) = view.editing.overlay.widgets
    event = QContextMenuEvent(
        QContextMenuEvent.Reason.Mouse, QPoint(9, 9), shown.mapToGlobal(QPoint(9, 9))
    )
    QApplication.sendEvent(shown, event)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    menu = QApplication.activePopupWidget()
    assert next(iter(entries(menu))) == "Accept"
    take(menu, "Accept")
    assert view.document.text == TEXT.replace(SENTENCE, CHANGED)


@pytest.fixture
def german(qapp):
    translator = translate_qt(qapp, "de")
    yield load_words("de")
    qapp.removeTranslator(translator)


def test_fields_speak_the_users_language(qtbot, german):
    """Also in the chat, whose fields have the menus that Qt gives them."""
    field = QPlainTextEdit("Wort")
    qtbot.addWidget(field)
    menu = field.createStandardContextMenu()
    words = " ".join(action.text().replace("&", "") for action in menu.actions())
    for english in ("Undo", "Cut", "Copy", "Paste"):
        assert german.tr(english) in words, words
        assert english not in words
    assert german.tr("Select all") == "Alles auswählen"
