"""Editing with the model in the editor, used as a person does: keys, mouse; around a scripted model."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QCheckBox

from app.state.editor.edit import Phase
from app.ui.editor.overlay import FRAME_SECONDS
from app.ui.places import CHAT
from engine.messages import EditKind, ErrorKind, Strength, TokenState
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
    press,
    wait_phase,
)
from tests.app.edit_scripts import editing, refusing
from tests.fakes import Gate, answering


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


def test_an_instruction_may_be_for_few_words_only(qtbot, start):
    _, view = begin(qtbot, start, editing(CHANGED))
    choose(view, SENTENCE)
    keys(view, "Ctrl+K")
    few = view.editing.bar.findChild(QCheckBox)
    few.click()
    qtbot.keyClicks(view.editing.bar.field, "colder")
    qtbot.keyClick(view.editing.bar.field, Qt.Key.Key_Return)
    wait_phase(qtbot, view)
    keys(view, "Ctrl+R")
    wait_phase(qtbot, view)
    qtbot.waitUntil(lambda: len(asked(view)) == 2)
    assert {each.strength for each in asked(view)} == {Strength.MEDIUM}


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
