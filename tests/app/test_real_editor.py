"""The editor with the demo model itself: nothing scripted."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest

from app.state.editor.changes import Range
from app.state.editor.edit import Phase
from app.state.editor.gaps import Length
from app.ui.places import EDITOR
from engine.messages import TokenState
from tests.app.test_real_model import LONG, start_ready

TEXT = (
    "Mara put the [[...]] on the table 😀.\n"
    "Tom saw the silver ____ on the table and gave it to Oscar.\n"
    "日本語 stays as it is.\n"
)


def test_gaps_are_filled_in_place_and_nothing_else_changes(qtbot, start):
    running = start_ready(qtbot, start)
    running.window.places.show_place(EDITOR)
    running.window.editor.new(TEXT)
    view = running.window.editor.view
    view.find_gaps()
    view.gaps.confirm()
    for number in range(2):
        view.gaps.set_length(number, Length.SHORT)
    states: set[int] = set()
    view.session.drafted.connect(lambda: states.update(view.session.draft(0).states))
    seen: set[str] = set()
    view.session.drafted.connect(lambda: seen.update(w.text for w in view.editing.overlay.widgets))
    view.editing.fill()
    qtbot.waitUntil(lambda: view.session.phase is not Phase.RUNNING, timeout=LONG)
    assert view.session.phase is Phase.OFFERED
    assert states & {TokenState.NOISE, TokenState.PROVISIONAL}
    assert all(text.startswith(("Mara put the ", "Tom saw the silver ")) for text in seen)
    first, second = view.session.offer.texts
    assert first.strip()
    assert second.strip()
    assert view.document.text == TEXT
    view.editor.setFocus()
    keys = QKeySequence("Ctrl+Return")[0]
    QTest.keyClick(view.editor, keys.key(), keys.keyboardModifiers())
    filled = TEXT.replace("[[...]]", first).replace("____", second)
    assert view.document.text == filled
    qtbot.keyClick(view.editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert view.document.text == TEXT


def test_an_edit_is_stopped_and_the_model_goes_on_to_the_next(qtbot, start):
    running = start_ready(qtbot, start)
    running.window.places.show_place(EDITOR)
    running.window.editor.new(TEXT)
    view = running.window.editor.view
    place = Range(start=TEXT.index("[["), end=TEXT.index("]]") + 2)
    view.editor.select(place)
    view.drop_gap()
    view.gaps.set_length(0, Length.LONG)
    view.editing.fill()
    qtbot.waitUntil(lambda: view.session.draft(0) is not None, timeout=LONG)
    view.escape()
    assert view.session.phase is Phase.IDLE
    assert view.document.text == TEXT
    view.gaps.set_length(0, Length.SHORT)
    view.editing.fill()
    qtbot.waitUntil(lambda: view.session.phase is not Phase.RUNNING, timeout=LONG)
    assert view.session.phase is Phase.OFFERED
    running.window.editor.documents.remove(view.document)
    qtbot.waitUntil(lambda: running.window.editor.view is None)
