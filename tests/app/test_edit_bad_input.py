"""What users, disks and other programs do at the wrong moment."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFileDialog

from app.state.editor.changes import Range
from app.state.editor.edit import Phase
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
from tests.fakes import Gate


@pytest.fixture
def under_way(qtbot, start):
    """An edit that stands still after its first step."""
    gate = Gate()
    running, view = begin(qtbot, start, editing(CHANGED, gate=gate), "")
    qtbot.keyClicks(view.editor, SENTENCE)
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(gate.reached.is_set)
    yield running, view
    gate.opened.set()


def test_undoing_into_the_text_lets_go_with_a_word(qtbot, under_way):
    running, view = under_way
    view.editor.undo()
    assert view.session.phase is Phase.IDLE
    assert "You changed the text" in running.window.editor.toast.text
    view.editor.redo()
    assert view.document.text == SENTENCE


def test_an_overlapping_edit_waits_for_the_user(qtbot, under_way):
    running, view = under_way
    choose(view, "brown fox jumps")
    keys(view, "Ctrl+K")
    assert "under way here" in running.window.editor.toast.text
    view.gaps.drop(Range(start=0, end=9))
    view.editing.fill()
    assert "Another edit is open here" in running.window.editor.toast.text
    assert len(asked(view)) == 1
    assert view.document.text == SENTENCE


def test_a_file_loaded_anew_while_it_is_edited(qtbot, start, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    gate = Gate()
    running, _ = begin(qtbot, start, editing(CHANGED, gate=gate))
    pane = running.window.editor
    pane.documents.open(path)
    qtbot.waitUntil(lambda: pane.document.path == path and pane.document.is_filled)
    view = pane.view
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(gate.reached.is_set)
    path.write_text("all of it is another text\n")
    pane.documents.reload(view.document)
    qtbot.waitUntil(lambda: view.session.phase is Phase.IDLE)
    assert "You changed the text" in pane.toast.text
    assert view.document.text == "all of it is another text\n"
    gate.opened.set()


def test_a_file_that_vanishes_is_written_again_when_saved(qtbot, start, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\r\n")
    running, _ = begin(qtbot, start, editing("x"))
    pane = running.window.editor
    pane.documents.open(path)
    qtbot.waitUntil(lambda: pane.document.path == path and pane.document.is_filled)
    path.unlink()
    qtbot.waitUntil(pane.disk_bar.isVisible)
    qtbot.keyClicks(pane.view.editor, "half ")
    pane.save()
    qtbot.waitUntil(path.exists)
    qtbot.waitUntil(lambda: not pane.disk_bar.isVisible())
    assert path.read_bytes() == b"half one\r\ntwo\r\n"


def test_a_read_only_file_is_edited_and_saved_under_another_name(
    qtbot, start, tmp_path, monkeypatch
):
    from app.state.editor import files

    monkeypatch.setattr(files, "_can_write", lambda mode, path: path.name != "kept.txt")
    path = tmp_path / "kept.txt"
    path.write_text(TEXT)
    running, _ = begin(qtbot, start, editing(CHANGED))
    pane = running.window.editor
    pane.documents.open(path)
    qtbot.waitUntil(lambda: pane.document.path == path and pane.document.is_filled)
    assert "read only" in pane.status.text()
    ask(qtbot, pane.view, SENTENCE, "x")
    wait_phase(qtbot, pane.view)
    keys(pane.view, "Ctrl+Return")
    other = tmp_path / "other.txt"
    pane.save()
    assert "may be read, but not changed" in pane.toast.text
    dialog = pane.findChild(QFileDialog)
    dialog.fileSelected.emit(str(other))
    dialog.close()
    qtbot.waitUntil(other.exists)
    qtbot.waitUntil(lambda: pane.document.path == other)
    assert path.read_text() == TEXT
    assert other.read_text() == TEXT.replace(SENTENCE, CHANGED)


def test_an_offer_that_nobody_took_is_not_in_the_text_of_the_next_start(qtbot, start):
    running, view = begin(qtbot, start, editing(CHANGED))
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    running.window.close()
    again = start(view.pipeline)
    qtbot.waitUntil(lambda: again.window.editor.view is not None)
    assert again.window.editor.document.text == TEXT  # what nobody accepted is not in it


def test_a_document_closed_between_two_drafts_harms_nothing(qtbot, start):
    running, view = begin(qtbot, start, editing("word " * 200, steps=200))
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(lambda: view.session.draft(0) is not None)
    QTimer.singleShot(3, lambda: running.window.editor.documents.remove(view.document))
    qtbot.waitUntil(lambda: running.window.editor.view is None)
    qtbot.wait(100)
    running.window.editor.new("still here")
    assert running.window.editor.document.text == "still here"


def test_marks_that_became_gaps_by_hand_are_not_gaps_twice(qtbot, start):
    _, view = begin(qtbot, start, editing(("one", "two")), "a [[x]] b ____ c")
    view.find_gaps()
    assert len(view.gaps.asked) == 2
    choose(view, "a [[x]]")
    view.drop_gap()
    view.gaps.confirm()
    assert [view.document.part(gap.place) for gap in view.gaps.gaps] == ["a [[x]]", "____"]
    view.editing.fill()
    wait_phase(qtbot, view)
    keys(view, "Ctrl+Return")
    assert view.document.text == "one b two c"


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("f(\"____\", '[[x]]')  # TODO fill: y", ["____", "[[x]]", "# TODO fill: y"]),
        ("[[a [[b]] c]]", ["[[b]]"]),
        ("r'\\d____' and __init__", []),
    ],
)
def test_marks_in_code_are_asked_about_and_never_taken_unasked(qtbot, start, text, marks):
    _, view = begin(qtbot, start, editing("x"), text, "python")
    view.find_gaps()
    assert [view.document.part(gap.place) for gap in view.gaps.asked] == marks
    assert view.gaps.gaps == ()
    keys(view, "Esc")
    assert view.gaps.asked == ()
    assert view.document.text == text


@pytest.mark.parametrize("size", [0, 1])
def test_the_smallest_documents(qtbot, start, size):
    _, view = begin(qtbot, start, editing("new"), "y" * size)
    view.editor.selectAll()
    keys(view, "Ctrl+K")
    view.editing.bar.run_requested.emit("x")
    wait_phase(qtbot, view)
    keys(view, "Ctrl+Return")
    assert view.document.text == "new"
    view.editor.undo()
    assert view.document.text == "y" * size


def test_a_document_with_gaps_and_places_found_is_closed(qtbot, start):
    running, view = begin(qtbot, start, editing("x"), "____ one ____ two " * 40)
    view.find_gaps()
    view.gaps.confirm()
    keys(view, "Ctrl+F")
    view.find_bar.query.setText("one")
    qtbot.waitUntil(lambda: len(view.find_bar.places) == 40)
    view.editor.moveCursor(view.editor.textCursor().MoveOperation.End)
    running.window.editor.documents.remove(view.document)
    qtbot.wait(150)  # what had been begun ends now
    assert running.window.editor.view is None
