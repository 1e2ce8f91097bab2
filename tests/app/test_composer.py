"""Typing, sending, and pasting far too much."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton

from app.settings import SendKey
from app.state.unsent import Unsent
from app.ui.chat.composer import Composer
from app.ui.chat.input import PASTED_BYTES
from app.words import load_words

MEGABYTE = "x" * (1 << 20)


@pytest.fixture
def composer(qtbot, theme) -> Composer:
    widget = Composer(theme)
    qtbot.addWidget(widget)
    widget.resize(700, 120)
    widget.show()
    return widget


@pytest.fixture
def field(composer) -> QPlainTextEdit:
    return composer.findChild(QPlainTextEdit)


def paste(field: QPlainTextEdit, text: str) -> None:
    data = QMimeData()
    data.setText(text)
    field.insertFromMimeData(data)


def test_enter_sends_and_shift_enter_begins_a_line(qtbot, composer, field):
    qtbot.keyClicks(field, "one")
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(field, "two")
    with qtbot.waitSignal(composer.send_requested):
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert composer.unsent.text == "one\ntwo"  # the owner takes it, the composer drops nothing
    with qtbot.waitSignal(composer.send_requested):
        qtbot.keyClick(field, Qt.Key.Key_Enter)


def test_while_busy_one_types_on_and_the_button_stops(qtbot, composer, field):
    composer.set_busy(True)
    button = next(each for each in composer.findChildren(QPushButton) if each.objectName() == "act")
    assert button.accessibleName() == "Stop"
    with qtbot.assertNotEmitted(composer.send_requested):
        qtbot.keyClicks(field, "next")
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert composer.unsent.text == "next"
    with qtbot.waitSignal(composer.stop_requested):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    composer.set_busy(False)
    assert button.accessibleName() == "Send"


def test_a_megabyte_is_pasted_at_once_and_whole(qtbot, composer, field):
    qtbot.keyClicks(field, "Read this:")
    began = time.thread_time()
    paste(field, MEGABYTE)
    qtbot.keyClicks(field, " please")
    assert time.thread_time() - began < 1.0
    assert composer.unsent == Unsent(typed="Read this: please", pasted=MEGABYTE)
    assert composer.unsent.text == f"Read this: please\n\n{MEGABYTE}"
    assert "1,048,576 characters" in composer._note.text()


def test_the_note_counts_as_the_language_does(composer, field, monkeypatch):
    monkeypatch.setattr("app.words._chosen", load_words("de"))
    paste(field, MEGABYTE)
    assert "1.048.576 Zeichen" in composer._note.text()


def test_many_pastes_cannot_fill_the_field(composer, field):
    for _ in range(10):
        paste(field, "y" * 3000)
    assert len(field.toPlainText()) <= 10_000
    assert len(composer.unsent.text.replace("\n", "")) == 30_000


def test_a_note_can_be_removed(qtbot, composer, field):
    paste(field, MEGABYTE)
    remove = next(e for e in composer.findChildren(QPushButton) if e.text() == "Remove")
    qtbot.mouseClick(remove, Qt.MouseButton.LeftButton)
    assert composer.unsent == Unsent()
    assert not composer._note_frame.isVisible()


def test_what_no_model_could_read_is_refused_and_everything_else_stays(qtbot, composer, field):
    qtbot.keyClicks(field, "Read this: ")
    paste(field, MEGABYTE)
    before = composer.unsent
    told = []
    composer.changed.connect(lambda: told.append(composer.unsent))
    paste(field, "word " * 10_000_000)
    words = [label.text() for label in composer.findChildren(QLabel) if label.isVisible()]
    assert any("No model can read 50 MB" in each and "clipboard" in each for each in words)
    assert composer.unsent == before
    assert told == []  # nothing to save
    qtbot.keyClicks(field, "please")
    assert not any(
        "clipboard" in label.text() for label in composer.findChildren(QLabel) if label.isVisible()
    )
    assert composer.unsent == Unsent(typed="Read this: please", pasted=MEGABYTE)


def test_pastes_together_hold_no_more_than_one(composer, field):
    most = "y" * (PASTED_BYTES - 2 * len(MEGABYTE))
    for text in (MEGABYTE, most, MEGABYTE):
        paste(field, text)
    assert composer.unsent.pasted == f"{MEGABYTE}\n\n{most}"
    paste(field, "typed instead")
    assert composer.unsent.typed == "typed instead"


def test_what_was_kept_comes_back_whatever_its_size(composer):
    unsent = Unsent(typed="typed", pasted="z" * (PASTED_BYTES + 1))
    composer.set_unsent(unsent)
    assert composer.unsent == unsent


def test_pasted_text_is_made_clean(composer, field):
    paste(field, "a\ud800b")
    assert composer.unsent.text.encode().decode() == composer.unsent.text


def test_html_and_files_are_not_pasted(composer, field):
    data = QMimeData()
    data.setHtml("<img src='file:///etc/hostname'>")
    data.setUrls([QUrl("file:///etc/hostname")])
    assert "<img" not in composer.unsent.text
    field.insertFromMimeData(data)
    assert "<" not in composer.unsent.text


def test_a_text_brought_back_stands_before_what_was_typed_since(qtbot, composer, field):
    qtbot.keyClicks(field, "newer")
    composer.put_before("older")
    assert composer.unsent.text == "older\n\nnewer"
    composer.clear()
    composer.put_before(MEGABYTE)
    assert composer.unsent.text == MEGABYTE
    assert field.toPlainText() == ""


def test_the_field_grows_with_its_text_and_then_scrolls(qtbot, composer, field):
    heights = [field.height()]
    for _ in range(12):
        qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
        heights.append(field.height())
    assert heights[0] < heights[3] < heights[7]
    assert heights[8] == heights[-1]
    composer.clear()
    assert field.height() == heights[0]


def press_up(qtbot, field, times=1, key=Qt.Key.Key_Up):
    for _ in range(times):
        qtbot.keyClick(field, key)


def test_up_brings_back_what_was_asked_and_down_goes_on(qtbot, composer, field):
    composer.set_asked(("first", "second\nof two lines", "third"))
    press_up(qtbot, field)
    assert field.toPlainText() == "third"
    press_up(qtbot, field, 5)
    assert field.toPlainText() == "first"
    press_up(qtbot, field, 1, Qt.Key.Key_Down)
    assert field.toPlainText() == "second\nof two lines"
    press_up(qtbot, field, 2, Qt.Key.Key_Down)
    assert field.toPlainText() == ""


def test_what_one_types_oneself_is_never_replaced(qtbot, composer, field):
    composer.set_asked(("asked",))
    qtbot.keyClicks(field, "mine")
    press_up(qtbot, field)
    assert field.toPlainText() == "mine"
    composer.clear()
    press_up(qtbot, field)
    qtbot.keyClicks(field, " and more")
    press_up(qtbot, field)
    press_up(qtbot, field, 1, Qt.Key.Key_Down)
    assert field.toPlainText() == "asked and more"


def test_page_keys_are_for_the_talk_until_the_field_has_pages_of_its_own(qtbot, composer, field):
    asked = []
    composer.paged.connect(asked.append)
    qtbot.keyClick(field, Qt.Key.Key_PageUp)
    qtbot.keyClick(field, Qt.Key.Key_PageDown)
    assert asked == [-1, 1]
    for _ in range(20):
        qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    end = field.textCursor().blockNumber()
    qtbot.keyClick(field, Qt.Key.Key_PageUp)
    assert asked == [-1, 1]
    assert field.textCursor().blockNumber() < end


def test_the_hint_and_the_button_name_the_key_that_sends(qtbot, composer, field):
    composer.set_send_key(SendKey.CTRL_ENTER)
    button = next(each for each in composer.findChildren(QPushButton) if each.objectName() == "act")
    assert "Ctrl+Enter" in button.toolTip()
    assert any("Ctrl+Enter sends" in each.text() for each in composer.findChildren(QLabel))
    qtbot.keyClicks(field, "one")
    with qtbot.assertNotEmitted(composer.send_requested):
        qtbot.keyClick(field, Qt.Key.Key_Return)
    with qtbot.waitSignal(composer.send_requested):
        qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert composer.unsent.text == "one\n"


def test_each_line_runs_in_its_own_direction(qtbot, composer, field):
    field.insertPlainText("مرحبا، كيف حالك؟")
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(field, "Hello")
    blocks = [field.document().findBlockByNumber(number) for number in range(2)]
    assert [block.textDirection() for block in blocks] == [
        Qt.LayoutDirection.RightToLeft,
        Qt.LayoutDirection.LeftToRight,
    ]
    assert composer.unsent.text == "مرحبا، كيف حالك؟\nHello"


def test_it_can_be_as_narrow_as_the_window(composer):
    assert composer.minimumSizeHint().width() <= 250


def test_what_is_shown_of_another_chat_is_all_of_it(composer):
    unsent = Unsent(typed="typed", pasted=MEGABYTE)
    composer.set_unsent(unsent)
    assert composer.unsent == unsent
    composer.set_unsent(Unsent(typed="only"))
    assert composer.unsent == Unsent(typed="only")
    assert not composer._note_frame.isVisible()
