"""The edits of a document: seen again, deleted, and had back."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from app.state.editor.store import EditRecord, Store, Tab
from app.ui.editor.history import EditHistory
from app.ui.replay.replay import Replay
from engine.messages import Channel
from tests.app.edit_driving import CHANGED, SENTENCE, ask, begin, choose, keys, press, wait_phase
from tests.app.edit_scripts import editing


def edited(qtbot, view, *words: str) -> None:
    """One accepted edit for each instruction."""
    for number, instruction in enumerate(words):
        part = SENTENCE if number == 0 else CHANGED
        view.pipeline.script = editing(CHANGED if number == 0 else f"{CHANGED} {number}")
        ask(qtbot, view, part, instruction)
        wait_phase(qtbot, view)
        keys(view, "Ctrl+Return")


def history(qtbot, running) -> EditHistory:
    window = running.window
    window.crossing.edit_history()
    qtbot.waitUntil(lambda: window.editor.findChild(EditHistory) is not None)
    return window.editor.findChild(EditHistory)


def listed(dialog: EditHistory) -> list[str]:
    return [dialog.list.item(row).text().split("\n")[0] for row in range(dialog.list.count())]


def test_one_and_all_are_deleted_and_had_back(qtbot, start):
    running, view = begin(qtbot, start, editing("x"))
    edited(qtbot, view, "one", "two", "three")
    text = view.document.text
    dialog = history(qtbot, running)
    assert listed(dialog) == ["three", "two", "one"]
    dialog.list.setCurrentRow(1)
    dialog.list.setFocus()
    qtbot.keyClick(dialog.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: listed(dialog) == ["three", "one"])
    assert dialog.toast.text == "The edit is forgotten."
    assert dialog.list.currentRow() == 1
    press(qtbot, dialog, "Delete all")
    qtbot.waitUntil(lambda: listed(dialog) == [])
    assert dialog.toast.text == "2 edits are forgotten."
    assert not dialog.watch.isEnabled()
    press(qtbot, dialog, "Undo")
    qtbot.waitUntil(lambda: listed(dialog) == ["three", "one"])
    press(qtbot, dialog, "Delete")
    qtbot.waitUntil(lambda: listed(dialog) == ["one"])
    assert view.document.text == text  # the text itself stays
    dialog.close()
    assert listed(history(qtbot, running)) == ["one"]


def test_a_replay_is_opened_from_it_with_all_gaps(qtbot, start):
    text = "A ____ sat on the ____ today.\n"
    running, view = begin(qtbot, start, editing(("cat", "mat")), text)
    view.find_gaps()
    view.gaps.confirm()
    view.editing.fill()
    wait_phase(qtbot, view)
    keys(view, "Ctrl+Return")
    dialog = history(qtbot, running)
    press(qtbot, dialog, "Watch how it was written")
    qtbot.waitUntil(lambda: running.window.findChild(Replay) is not None)
    canvas = running.window.findChild(Replay).canvases[Channel.ANSWER]
    qtbot.waitUntil(lambda: canvas.shown_text.startswith("A "))
    assert " sat on the " in canvas.shown_text
    assert canvas.shown_text.rstrip("\n").endswith(" today.")


def test_a_dialog_whose_document_is_closed_harms_nothing(qtbot, start):
    running, view = begin(qtbot, start, editing("x"))
    edited(qtbot, view, "one")
    dialog = history(qtbot, running)
    running.window.editor.documents.remove(view.document)
    qtbot.wait(20)
    press(qtbot, dialog, "Use the instruction again")
    press(qtbot, dialog, "Delete")
    qtbot.waitUntil(lambda: listed(dialog) == [])
    press(qtbot, dialog, "Undo")
    dialog.close()  # before the answer is there
    running.window.editor.new("more")
    choose(running.window.editor.view, "more")


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def edit(document: str, seed: int) -> EditRecord:
    return EditRecord(
        document=document, made=1.0, kind="rewrite", instruction="x", seed=seed,
        before=("a",), after=("b",), around=("(", ")"),
    )  # fmt: skip


def seeds(store: Store, document: str) -> list[int]:
    return [each.seed for each in store.edits(document)]


def test_what_is_deleted_is_gone_for_good_at_the_next_start(store):
    for seed in (1, 2, 3):
        store.add_edit(edit("a", seed), b"film")
    store.add_edit(edit("b", 9), None)
    (second,) = store.delete_edits("a", store.edits("a")[1].number)
    assert seeds(store, "a") == [3, 1]
    assert store.delete_edits("a", second) == ()
    both = store.delete_edits("a")
    assert len(both) == 2
    store.undelete_edits(both)
    assert seeds(store, "a") == [3, 1]
    store.purge_edits()
    store.undelete_edits([second])
    assert seeds(store, "a") == [3, 1]
    assert seeds(store, "b") == [9]
    assert store.recording(second) is None
    assert store.edits("a")[0].around == ("(", ")")


def test_tabs_are_kept_in_their_order(store):
    tabs = (Tab(document="b", caret=3, top=1), Tab(document="a", is_shown=True))
    assert store.tabs() == ()
    store.keep_tabs(tabs)
    store.keep_tabs(tabs[::-1])
    assert store.tabs() == tabs[::-1]
