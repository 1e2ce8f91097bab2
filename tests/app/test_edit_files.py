"""Files and tabs of the editor, used as a person does."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QMessageBox

from app.ui.places import CHAT
from tests.app.driving import seen
from tests.app.edit_driving import (
    TEXT,
    begin,
    keys,
    press,
)
from tests.app.edit_scripts import editing
from tests.fakes import FakePipeline


def test_a_file_is_dropped_edited_and_saved(qtbot, start, tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes(b"def one():\r\n    return 1\r\n")
    running, view = begin(qtbot, start, editing("x"))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    assert view.editor.canInsertFromMimeData(data)
    view.editor.insertFromMimeData(data)
    pane = running.window.editor
    qtbot.waitUntil(lambda: pane.tabs.titles == ["Untitled 1 •", "a.py"])
    assert "CRLF · Python" in pane.status.text()
    qtbot.keyClicks(pane.view.editor, "# ")
    assert pane.tabs.titles[1] == "a.py •"
    keys(pane.view, "Ctrl+S")
    qtbot.waitUntil(lambda: pane.tabs.titles[1] == "a.py")
    assert path.read_bytes() == b"# def one():\r\n    return 1\r\n"
    assert running.settings.value.recent_files == (str(path),)
    keys(pane.view, "Ctrl+PgUp")
    assert pane.view is view
    pane.documents.open(path)
    qtbot.waitUntil(lambda: pane.view is not view)  # not opened twice
    assert len(pane.tabs.titles) == 2


def test_closing_asks_where_text_would_be_lost(qtbot, start, tmp_path):
    running, _ = begin(qtbot, start, editing("x"))
    pane = running.window.editor
    pane.close_current()
    box = pane.findChild(QMessageBox)
    assert "Save the changes in “Untitled 1”?" in box.text()
    buttons = {each.text(): each for each in box.buttons()}
    buttons["Cancel"].click()
    assert len(pane.documents.all) == 1
    path = tmp_path / "a.txt"
    pane.documents.save(pane.document, path)
    qtbot.waitUntil(lambda: not pane.document.is_modified)
    pane.close_current()
    assert pane.documents.all == ()
    assert path.read_text() == TEXT
    assert "Write, and let the model" in seen(pane)
    pane.new()
    pane.close_current()  # an empty one goes without a question
    assert pane.documents.all == ()


def test_what_another_program_does_is_noticed(qtbot, start, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old\n")
    running, _ = begin(qtbot, start, editing("x"))
    pane = running.window.editor
    pane.documents.open(path)
    qtbot.waitUntil(lambda: pane.document is not None and pane.document.path == path)
    path.write_text("new and longer\n")
    qtbot.waitUntil(pane.disk_bar.isVisible)
    assert "Another program has changed" in pane.disk_bar.words
    press(qtbot, pane.disk_bar, "Load the file")
    qtbot.waitUntil(lambda: pane.document.text == "new and longer\n")
    assert not pane.disk_bar.isVisible()
    path.unlink()
    qtbot.waitUntil(pane.disk_bar.isVisible)
    assert "is gone" in pane.disk_bar.words


def test_bad_files_are_refused_in_the_pane(qtbot, start, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(bytes(range(256)) * 40)
    running, _ = begin(qtbot, start, editing("x"))
    pane = running.window.editor
    pane.documents.open(path)
    qtbot.waitUntil(pane.notice.isVisible)
    assert "holds no text" in pane.notice.text
    assert len(pane.documents.all) == 1


def test_unsaved_text_is_offered_again(qtbot, start):
    running, view = begin(qtbot, start, editing("x"))
    qtbot.keyClicks(view.editor, "typed, and ")
    expected = view.document.text
    running.window.close()
    again = start(FakePipeline(editing("x")))
    pane = again.window.editor
    qtbot.waitUntil(lambda: pane.view is not None)
    assert pane.document.text == expected
    assert pane.document.is_modified
    assert "is here again" in pane.toast.text
    assert again.window.places.current == CHAT  # it does not push itself forward


def test_find_and_replace(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "one Two one\ntwo 😀 one\n")
    keys(view, "Ctrl+F")
    bar = view.find_bar
    qtbot.keyClicks(bar.query, "one")
    qtbot.waitUntil(lambda: bar.words == "3 places")
    qtbot.keyClick(bar.query, Qt.Key.Key_Return)
    assert view.selected_text == "one"
    bar.query.setText("Two")  # a capital letter counts
    qtbot.waitUntil(lambda: bar.words == "1 place")
    bar.query.setText("two")
    qtbot.waitUntil(lambda: bar.words == "2 places")
    keys(view, "Esc")
    assert not bar.isVisible()
    keys(view, "Ctrl+H")
    bar.query.setText("one")
    bar.other.setText("eins")
    press(qtbot, bar, "Replace all")
    assert view.document.text == "eins Two eins\ntwo 😀 eins\n"
    view.editor.undo()
    assert view.document.text == "one Two one\ntwo 😀 one\n"
    qtbot.waitUntil(lambda: bar.words == "3 places")
    view.editor.select(bar.places[1])
    press(qtbot, bar, "Replace")
    assert view.document.text == "one Two eins\ntwo 😀 one\n"
