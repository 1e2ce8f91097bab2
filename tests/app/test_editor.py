"""The editor pane, used as a person does: keys, mouse, files; around a scripted model."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QMessageBox

from app.state.editor.edit import Phase
from app.state.editor.gaps import Length
from app.ui.editor.history import EditHistory
from app.ui.editor.overlay import FRAME_SECONDS
from app.ui.places import CHAT, EDITOR
from engine.messages import EditKind, ErrorKind, TokenState
from tests.app.driving import say, seen, wait_idle
from tests.app.edit_driving import (
    CHANGED,
    SENTENCE,
    TEXT,
    ask,
    asked,
    begin,
    choose,
    keys,
    paste,
    press,
    wait_phase,
)
from tests.app.edit_scripts import editing, refusing
from tests.fakes import FakePipeline, Gate, answering

# --- editing with the model -----------------------------------------------------------------------


def test_a_selection_is_rewritten_by_keys_alone(qtbot, start):
    running, view = begin(qtbot, start, editing(CHANGED))
    ask(qtbot, view, SENTENCE, "be brief")
    wait_phase(qtbot, view)
    assert view.editor.hasFocus()  # one may go on typing elsewhere
    assert view.document.text == TEXT
    assert "quick" in view.editing.overlay.widgets[0].text
    assert "brownred fox jumpsleaps" in view.editing.overlay.widgets[0].text
    keys(view, "Tab")
    wait_phase(qtbot, view)  # Tab accepts nothing
    view.editor.undo()
    keys(view, "Ctrl+Return")
    assert view.document.text == TEXT.replace(SENTENCE, CHANGED)
    assert view.editing.overlay.widgets == ()
    keys(view, "Ctrl+Z")
    assert view.document.text == TEXT
    request = running.window.editor.documents
    assert request is not None
    assert running.settings.value.edit_instructions == ("be brief",)


def test_hunks_are_decided_one_by_one(qtbot, start):
    _, view = begin(qtbot, start, editing(CHANGED))
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    assert [hunk.new for hunk in view.session.offer.hunks] == ["red", "leaps", ""]
    keys(view, "Alt+Down")
    assert view.editing.overlay.current == 1
    keys(view, "Alt+Backspace")
    assert view.editing.overlay.current == 2
    keys(view, "Alt+Up")
    keys(view, "Alt+Up")
    assert view.editing.overlay.current == 0
    keys(view, "Alt+Return")
    assert view.session.phase is Phase.OFFERED
    press(qtbot, view.editing.bar, "Not this")
    assert view.session.phase is Phase.IDLE
    assert "The quick red fox jumps over the lazy dog." in view.document.text


def test_a_hunk_is_chosen_with_the_mouse(qtbot, start):
    _, view = begin(qtbot, start, editing(CHANGED))
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    (shown,) = view.editing.overlay.widgets
    found = {
        shown.hunk_at(QPointF(x, shown.text_height / 2)): x for x in range(0, shown.width(), 3)
    }
    assert set(found) == {None, 0, 1, 2}
    place = QPointF(found[1], shown.text_height / 2).toPoint()
    qtbot.mouseClick(shown, Qt.MouseButton.LeftButton, pos=place)
    assert view.editing.overlay.current == 1


def test_alternatives_another_seed_and_other_words(qtbot, start):
    _running, view = begin(qtbot, start, editing(CHANGED, "A fox jumps over a dog.", "Fox. Dog."))
    ask(qtbot, view, SENTENCE, "first words")
    wait_phase(qtbot, view)
    assert "1 of 3" in seen(view.editing.bar)
    keys(view, "Alt+Right")
    keys(view, "Alt+Right")
    assert view.session.shown == 2
    keys(view, "Alt+Left")
    assert view.session.shown == 1
    keys(view, "Ctrl+R")
    wait_phase(qtbot, view)
    keys(view, "Ctrl+K")  # in other words, about the original
    field = view.editing.bar.field
    assert field.text() == "first words"
    field.clear()
    qtbot.keyClicks(field, "second words")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    wait_phase(qtbot, view)
    requests = asked(view)
    assert [each.instruction for each in requests] == ["first words"] * 2 + ["second words"]
    assert {each.text for each in requests} == {TEXT}
    keys(view, "Esc")
    assert view.session.phase is Phase.IDLE
    assert view.document.text == TEXT
    keys(view, "Ctrl+K")
    keys(view, "Up")
    assert field.text() == "second words"
    keys(view, "Up")
    assert field.text() == "first words"
    keys(view, "Down")
    keys(view, "Down")
    assert field.text() == "second words"  # what was in the field


def test_escape_lets_everything_go_at_once(qtbot, start):
    gate = Gate()
    _, view = begin(qtbot, start, editing(CHANGED, gate=gate))
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(gate.reached.is_set)
    qtbot.waitUntil(lambda: view.session.draft(0) is not None)
    keys(view, "Esc")
    assert view.session.phase is Phase.IDLE
    assert view.editing.bar.row == ""
    assert view.editing.overlay.widgets == ()
    assert view.document.text == TEXT
    assert not view.document.text_document.isUndoAvailable()
    keys(view, "Ctrl+K")
    assert view.editing.bar.field.text() == "x"  # the half-typed words are not lost


def test_the_canvas_stands_over_the_text(qtbot, start):
    gate = Gate()
    _, view = begin(qtbot, start, editing("A long new sentence. ", gate=gate))
    below = view.editor.document().findBlockByNumber(2)
    place = view.editor.blockBoundingGeometry(below).translated(view.editor.contentOffset())
    ask(qtbot, view, "brown fox", "x")
    qtbot.waitUntil(gate.reached.is_set)
    qtbot.waitUntil(lambda: bool(view.editing.overlay.widgets))
    (shown,) = view.editing.overlay.widgets
    qtbot.waitUntil(lambda: "A long new" in shown.text)
    assert shown.text.startswith("The quick ")  # pinned, in its place
    assert shown.text.endswith(" jumps over the lazy dog.")
    line = view.editor.document().findBlockByNumber(1)
    top = view.editor.blockBoundingGeometry(line).translated(view.editor.contentOffset()).top()
    assert shown.y() == round(top)
    again = view.editor.blockBoundingGeometry(below).translated(view.editor.contentOffset())
    assert again == place  # what fits moves nothing
    states = {
        look.state for row in shown._canvas.lines(shown.rect().toRectF()) for look in row.patches
    }
    assert {TokenState.PINNED, TokenState.NOISE} <= states
    gate.opened.set()
    wait_phase(qtbot, view)


def test_pictures_come_no_oftener_than_twenty_times_a_second(qtbot, start):
    _, view = begin(qtbot, start, editing(CHANGED, steps=200))
    frames = []
    overlay = view.editing.overlay
    show = overlay._show_frame

    def counting():
        frames.append(overlay._last_frame)
        show()

    overlay._timer.timeout.disconnect()
    overlay._timer.timeout.connect(counting)
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view)
    gaps = [b - a for a, b in pairwise(frames[1:])]
    assert all(gap >= FRAME_SECONDS * 0.9 for gap in gaps)
    assert len(frames) < 200


def test_typing_elsewhere_goes_on_and_typing_inside_lets_go(qtbot, start):
    gate = Gate()
    running, view = begin(qtbot, start, editing(CHANGED, gate=gate))
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(gate.reached.is_set)
    cursor = view.editor.textCursor()
    cursor.setPosition(0)
    view.editor.setTextCursor(cursor)
    qtbot.keyClicks(view.editor, "Typed. ")
    assert view.session.phase is Phase.RUNNING
    cursor.setPosition(view.session.ranges[0].start + 5)
    view.editor.setTextCursor(cursor)
    qtbot.keyClicks(view.editor, "!")
    assert view.session.phase is Phase.IDLE
    assert "You changed the text" in running.window.editor.toast.text
    assert view.document.text.startswith("Typed. One line above.\nThe q!uick")
    gate.opened.set()


def test_the_canvas_goes_with_its_text_in_every_layout(qtbot, start):
    gate = Gate()
    running, view = begin(qtbot, start, editing("other words", gate=gate), "x " * 400 + "\n" + TEXT)
    running.settings.change(wrap_lines=False)
    ask(qtbot, view, "brown fox", "x")
    qtbot.waitUntil(lambda: view.session.draft(0) is not None)
    (shown,) = view.editing.overlay.widgets
    cursor = view.editor.textCursor()
    cursor.setPosition(0)
    cursor.insertText("typed\ntwice\n")
    assert view.editing.overlay.widgets == (shown,)  # not another one for each key
    line = view.editor.document().findBlock(view.session.ranges[0].start)

    def place():
        box = view.editor.blockBoundingGeometry(line).translated(view.editor.contentOffset())
        return round(box.left()), round(box.top())

    qtbot.waitUntil(lambda: (shown.x(), shown.y()) == place())
    view.editor.horizontalScrollBar().setValue(40)
    assert shown.x() == place()[0] == -40
    gate.opened.set()
    wait_phase(qtbot, view)


def test_two_edits_at_once_are_refused_plainly(qtbot, start):
    gate = Gate()
    running, view = begin(qtbot, start, editing(CHANGED, gate=gate))
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(gate.reached.is_set)
    choose(view, "brown fox")
    keys(view, "Ctrl+K")
    assert "under way here" in running.window.editor.toast.text
    view.editing.insert_here()
    assert "Another edit is open" in running.window.editor.toast.text
    gate.opened.set()
    wait_phase(qtbot, view)
    assert len(asked(view)) == 1


def test_a_document_is_closed_while_it_is_edited(qtbot, start):
    gate = Gate()
    running, view = begin(qtbot, start, editing(CHANGED, gate=gate))
    ask(qtbot, view, SENTENCE, "x")
    qtbot.waitUntil(gate.reached.is_set)
    pipeline = view.pipeline
    running.window.editor.documents.remove(view.document)
    qtbot.waitUntil(lambda: running.window.editor.view is None)
    gate.opened.set()
    pipeline.script = answering("Still alive.")
    running.window.places.show_place(CHAT)
    say(qtbot, running, "hi")
    wait_idle(qtbot, running)
    assert running.session.path[-1].text == "Still alive."


def test_a_model_that_goes_away_is_said_plainly(qtbot, start):
    script = refusing("No model is loaded.", "Load a model.", ErrorKind.NOT_LOADED)
    running, view = begin(qtbot, start, script)
    ask(qtbot, view, SENTENCE, "x")
    wait_phase(qtbot, view, Phase.IDLE)
    assert running.window.editor.toast.text == "No model is loaded. Load a model."
    assert view.document.text == TEXT


def test_a_million_characters_are_sent_and_the_window_lives(qtbot, start):
    text = "word " * 200_000
    _running, view = begin(qtbot, start, editing("short"), text)
    view.editor.selectAll()
    keys(view, "Ctrl+K")
    view.editing.bar.run_requested.emit("x")
    wait_phase(qtbot, view)
    assert asked(view)[0].text == text
    keys(view, "Ctrl+Return")
    assert view.document.text == "short"
    keys(view, "Ctrl+Z")
    assert view.document.text == text


def test_nothing_selected_writes_at_the_caret(qtbot, start):
    _running, view = begin(qtbot, start, editing("new words "))
    cursor = view.editor.textCursor()
    cursor.setPosition(4)
    view.editor.setTextCursor(cursor)
    keys(view, "Ctrl+K")
    assert "Fix" not in seen(view.editing.bar)
    qtbot.keyClick(view.editing.bar.field, Qt.Key.Key_Return)
    wait_phase(qtbot, view)
    keys(view, "Ctrl+Return")
    assert view.document.text == "One new words line above.\n" + TEXT.split("\n", 1)[1]
    keys(view, "Ctrl+G")
    wait_phase(qtbot, view)
    keys(view, "Ctrl+Return")
    assert view.document.text.endswith("below.\nnew words ")
    first, second = asked(view)
    assert (first.kind, first.spans[0].start, first.spans[0].end) == (EditKind.INFILL, 4, 4)
    assert second.spans[0].start == second.spans[0].end == len(second.text)


def test_quick_actions_and_kept_instructions(qtbot, start):
    running, view = begin(qtbot, start, editing(CHANGED))
    choose(view, SENTENCE)
    keys(view, "Ctrl+K")
    press(qtbot, view.editing.bar, "Fix")
    wait_phase(qtbot, view)
    assert asked(view)[0].kind is EditKind.PROOFREAD
    keys(view, "Ctrl+K")  # while it is offered: about the original, in another manner
    press(qtbot, view.editing.bar, "Shorter")
    wait_phase(qtbot, view)
    assert asked(view)[1].kind is EditKind.REWRITE
    assert asked(view)[1].text == asked(view)[0].text
    keys(view, "Esc")
    choose(view, SENTENCE)
    keys(view, "Ctrl+K")
    view.editing.bar.field.setText("Like a pirate")
    press(qtbot, view.editing.bar, "Keep this instruction")
    assert running.settings.value.kept_instructions == ("Like a pirate",)
    press(qtbot, view.editing.bar, "Like a pirate")
    wait_phase(qtbot, view)
    assert asked(view)[-1].instruction == "Like a pirate"
    keys(view, "Esc")
    choose(view, "One line below.")
    keys(view, "Ctrl+Shift+K")
    wait_phase(qtbot, view)
    assert asked(view)[-1].instruction == "Like a pirate"


# --- gaps -----------------------------------------------------------------------------------------


def test_pasted_marks_are_gaps_once_one_says_so(qtbot, start):
    script = editing(("cat", "mat", "slept"))
    _running, view = begin(qtbot, start, script, "")
    text = "The ____ sat on the [[thing]] and ____.\r\n"
    paste(view, text)
    qtbot.waitUntil(lambda: "3 places look like gaps" in seen(view.gap_bar))
    assert view.gaps.gaps == ()
    assert view.document.text == text.replace("\r", "")  # nothing is changed unasked
    press(qtbot, view.gap_bar, "Make them gaps")
    view.gaps.set_length(1, Length.LONG)
    press(qtbot, view.gap_bar, "Fill all")
    wait_phase(qtbot, view)
    (request,) = asked(view)
    assert [request.text[each.start : each.end] for each in request.spans] == [
        "____", "[[thing]]", "____",
    ]  # fmt: skip
    assert [(each.hint, each.lengths) for each in request.spans] == [
        ("", None), ("thing", (24, 64)), ("", None),
    ]  # fmt: skip
    keys(view, "Ctrl+Return")
    assert view.document.text == "The cat sat on the mat and slept.\n"
    assert view.gaps.gaps == ()
    assert not view.gap_bar.isVisible()
    view.editor.undo()
    assert view.document.text == text.replace("\r", "")


def test_marks_that_are_no_gaps_stay(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "")
    paste(view, "fields = '____'")
    press(qtbot, view.gap_bar, "Leave it as text")
    assert not view.gap_bar.isVisible()
    assert view.gaps.gaps == ()
    assert view.document.text == "fields = '____'"
    paste(view, "no marks at all")
    assert not view.gap_bar.isVisible()


def test_a_gap_is_dropped_anywhere_and_moves_with_the_text(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "ab")
    cursor = view.editor.textCursor()
    cursor.setPosition(1)
    view.editor.setTextCursor(cursor)
    keys(view, "Ctrl+Shift+G")
    assert view.document.text == "a[[...]]b"
    choose(view, "b")
    keys(view, "Ctrl+Shift+G")
    assert view.document.text == "a[[...]]b"  # over what is selected
    assert len(view.gaps.gaps) == 2
    cursor.setPosition(0)
    cursor.insertText("123")
    assert [view.document.part(gap.place) for gap in view.gaps.gaps] == ["[[...]]", "b"]
    cursor.setPosition(6)
    cursor.insertText("x")  # inside of the mark
    assert [view.document.part(gap.place) for gap in view.gaps.gaps] == ["b"]


def test_gaps_need_no_mouse(qtbot, start):
    running, view = begin(qtbot, start, editing("x"), "one ____ two ____")
    commands = {each.id: each for each in running.window.commands_here}
    view.find_gaps()
    assert not commands["editor.length.long"].is_enabled()
    commands["editor.confirm"].run()
    cursor = view.editor.textCursor()
    cursor.setPosition(6)
    view.editor.setTextCursor(cursor)
    assert commands["editor.length.long"].is_enabled()
    commands["editor.length.long"].run()
    assert [gap.length for gap in view.gaps.gaps] == [Length.LONG, Length.AUTO]
    commands["editor.no_gap"].run()
    assert len(view.gaps.gaps) == 1
    assert not commands["editor.no_gap"].is_enabled()
    view.editor.setFocus()
    keys(view, "F6")
    assert not view.editor.hasFocus()


def test_many_gaps_are_counted(qtbot, start):
    _, view = begin(qtbot, start, editing("x"), "____ " * 20)
    view.find_gaps()
    view.gaps.confirm()
    qtbot.waitUntil(lambda: "and 12 more" in seen(view.gap_bar))


# --- documents ------------------------------------------------------------------------------------


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


# --- chat, palette, history -----------------------------------------------------------------------


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
