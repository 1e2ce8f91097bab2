"""The list at the left, driven with keys and the mouse; and its rows by themselves."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu

from app.state.history.rows import TITLE_CHARACTERS, ChatSummary
from app.state.history.search import Hit
from app.ui.chat.list import ChatList
from app.ui.chat.rows import row_of
from engine.messages import FinishReason
from tests.app.driving import field, press, say, seen, spoken, wait_chat, wait_idle
from tests.fakes import FakePipeline, Gate, draft, ending, prompt_of


def chat(number, title=None, **more):
    title = f"chat {number}" if title is None else title
    return ChatSummary(id=f"id{number}", title=title, created=0.0, updated=0.0, **more)


def hit(number, message="m", snippet="so we found it", ranges=((6, 11),)):
    return Hit(
        chat_id=f"id{number}",
        message_id=message,
        title=f"chat {number}",
        snippet=snippet,
        ranges=ranges,
    )


@pytest.fixture
def chats(qtbot, theme):
    """The list alone, with five chats, the first of them shown."""
    made = ChatList(theme)
    qtbot.addWidget(made)
    made.resize(250, 500)
    made.show()
    qtbot.waitExposed(made)
    made.show_chats(tuple(chat(number) for number in range(5)))
    made.show_current("id0")
    return made


def search_field(chats):
    return next(each for each in chats.findChildren(QLineEdit) if each.parent() is chats)


def editor(chats):
    """The field in the row that is being renamed."""
    found = [each for each in chats.view.viewport().findChildren(QLineEdit) if each.isVisible()]
    return found[0] if found else None


def click(qtbot, chats, row):
    place = chats.view.visualRect(chats.view.model().index(row, 0)).center()
    qtbot.mouseClick(chats.view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def here(chats):
    return chats.view.currentIndex().data()


def answers(gates=None):
    """`answer to …` for each prompt, behind its gate if it has one."""
    gates = gates or {}

    def script(request_id, request, cancelled):
        prompt = prompt_of(request)
        yield draft(request_id, (f"draft of {prompt}",))
        if prompt in gates:
            gates[prompt].reached.set()
            while not gates[prompt].opened.wait(0.001):
                if cancelled():
                    yield from ending(request_id, f"part of {prompt}", FinishReason.STOPPED)
                    return
        yield from ending(request_id, f"answer to {prompt}", FinishReason.END)

    return script


def ask(qtbot, running, *questions):
    """Each in a chat of its own."""
    for text in questions:
        running.window.new_chat()
        say(qtbot, running, text)
        wait_idle(qtbot, running)
        qtbot.waitUntil(lambda text=text: text in running.window.chat_list.titles)


# --- rows -----------------------------------------------------------------------------------------


def test_rows_say_what_they_are(chats):
    nasty = "pay \u202e001\nnow"
    chats.show_chats((chat(1, ""), chat(2, nasty), chat(3, "日本 \U0001f9d1\u200d\U0001f680")))
    assert chats.titles == ("New chat", "pay \ufffd001 now", "日本 \U0001f9d1\u200d\U0001f680")
    model = chats.view.model()
    role = Qt.ItemDataRole.AccessibleTextRole
    assert model.index(0, 0).data(role) == "New chat"
    chats.show_busy(frozenset({"id1"}))
    assert model.index(0, 0).data(role) == "New chat, being answered"


def test_a_found_word_is_near_the_start_of_its_row_and_marked_where_it_is():
    chooser = random.Random(5)
    for _ in range(300):
        words = ["w" * chooser.randint(1, 9) for _ in range(chooser.randint(0, 12))]
        before = " ".join(words) + " " if words else ""
        text = f"{before}\U0001f600Fund and more, and the Fund again"
        first, second = text.index("Fund"), text.rindex("Fund")
        ranges = ((first, first + 4), (second, second + 4))
        row = row_of(hit(1, snippet=text, ranges=ranges), frozenset())
        assert [row.snippet[a:b] for a, b in row.ranges] == ["Fund", "Fund"]
        assert row.ranges[0][0] <= 14
        assert text.endswith(row.snippet.lstrip("…"))


def test_a_title_that_was_found_is_not_said_twice():
    row = row_of(hit(1, message=None, snippet="chat 1", ranges=((0, 4),)), frozenset())
    assert (row.title, row.snippet) == ("chat 1", "")


def test_only_rows_with_other_words_change(chats):
    model, changed, resets = chats.view.model(), [], []
    model.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    model.modelReset.connect(lambda: resets.append(1))
    now = [chat(number) for number in range(5)]
    chats.show_chats(tuple(replace(each, updated=5.0) for each in now))
    assert (changed, resets) == ([], [])
    now[3] = chat(3, "other")
    chats.show_chats(tuple(now))
    assert (changed, resets) == ([(3, 3)], [])
    assert chats.titles[3] == "other"


def pixels(widget):
    image = widget.grab().toImage()
    return bytes(image.constBits()), image.width()


def test_the_dot_is_seen_while_a_chat_is_answered_and_gone_after(chats):
    before = pixels(chats.view)
    chats.show_busy(frozenset({"id3"}))
    with_dot = pixels(chats.view)
    assert with_dot != before
    chats.show_busy(frozenset())
    assert pixels(chats.view) == before


def test_rows_of_messages_are_two_lines_and_others_one(qtbot, chats):
    qtbot.keyClicks(search_field(chats), "found")
    chats.show_hits((hit(1, None), hit(2)))
    rect = chats.view.visualRect
    model = chats.view.model()
    one, two = rect(model.index(0, 0)).height(), rect(model.index(1, 0)).height()
    line = chats.view.fontMetrics().lineSpacing()
    assert two - one == line
    search_field(chats).clear()
    assert {rect(model.index(row, 0)).height() for row in range(5)} == {one}


def test_without_chats_it_says_so(chats):
    chats.show_chats(())
    assert "Your chats will be listed here." in seen(chats)


# --- the place in the list ------------------------------------------------------------------------


def test_what_changes_elsewhere_does_not_move_who_goes_through_the_list(qtbot, chats):
    many = tuple(chat(number) for number in range(200))
    chats.show_chats(many)
    chats.view.setFocus()
    for _ in range(60):
        qtbot.keyClick(chats.view, Qt.Key.Key_Down)
    above = chats.view.verticalScrollBar().value()
    assert (here(chats), above > 0) == ("chat 60", True)
    chats.show_busy(frozenset({"id0"}))
    chats.show_chats(tuple(replace(each, updated=9.0) for each in many))
    chats.show_chats((many[150], *many[:150], *many[151:]))  # one moves to the top
    chats.show_current("id0")
    assert here(chats) == "chat 60"
    assert chats.view.verticalScrollBar().value() == above


def test_after_deleting_a_row_one_stands_on_the_next(qtbot, chats):
    chats.view.setFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_Down)
    with qtbot.waitSignal(chats.delete_requested) as told:
        qtbot.keyClick(chats.view, Qt.Key.Key_Delete)
    assert told.args == ["id1"]
    chats.show_chats(tuple(chat(number) for number in (0, 2, 3, 4)))
    assert here(chats) == "chat 2"


def test_the_shown_chat_is_marked_again_when_the_keyboard_leaves(qtbot, chats):
    chats.view.setFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_Down)
    assert here(chats) == "chat 1"
    search_field(chats).setFocus()
    assert here(chats) == "chat 0"


def test_the_list_goes_to_the_chat_that_is_shown(chats):
    chats.show_chats(tuple(chat(number) for number in range(10_000)))
    chats.show_current("id9000")
    assert here(chats) == "chat 9000"
    rect = chats.view.visualRect(chats.view.currentIndex())
    assert chats.view.viewport().rect().contains(rect)
    chats.show_current("not stored")
    assert here(chats) is None


def test_keys_open_a_chat(qtbot, chats):
    chats.view.setFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_Down)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
        with qtbot.waitSignal(chats.chosen) as told:
            qtbot.keyClick(chats.view, key)
        assert told.args == ["id1"]
    qtbot.keyClick(chats.view, Qt.Key.Key_End)
    assert here(chats) == "chat 4"


# --- renaming -------------------------------------------------------------------------------------


def rename(qtbot, chats, text, key=Qt.Key.Key_Return):
    renamed = []
    chats.rename_requested.connect(lambda *what: renamed.append(what))
    chats.view.setFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_F2)
    editor(chats).selectAll()
    qtbot.keyClick(editor(chats), Qt.Key.Key_Backspace)
    qtbot.keyClicks(editor(chats), text)
    qtbot.keyClick(editor(chats), key)
    QApplication.processEvents()
    return renamed


def test_f2_renames(qtbot, chats):
    assert rename(qtbot, chats, " Mine ") == [("id0", "Mine")]
    assert editor(chats) is None


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_title_is_told_as_empty(qtbot, chats, text):
    assert rename(qtbot, chats, text) == [("id0", "")]


def test_escape_and_the_same_title_rename_nothing(qtbot, chats):
    assert rename(qtbot, chats, "other", Qt.Key.Key_Escape) == []
    assert rename(qtbot, chats, "chat 0") == []


def test_a_chat_without_a_title_is_not_called_new_chat_for_good(qtbot, chats):
    chats.show_chats((chat(0, ""), chat(1)))
    assert rename(qtbot, chats, "") == []


def test_no_more_can_be_typed_than_a_title_holds(qtbot, chats):
    assert rename(qtbot, chats, "x" * 200) == [("id0", "x" * TITLE_CHARACTERS)]


def test_a_title_that_is_being_typed_survives_what_happens_meanwhile(qtbot, chats):
    chats.view.setFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_F2)
    qtbot.keyClicks(editor(chats), "half a ti")
    chats.show_busy(frozenset({"id2"}))
    chats.show_chats(tuple(chat(number, f"new {number}") for number in (3, 0, 1)))
    chats.show_current("id0")
    assert editor(chats).text() == "half a ti"
    with qtbot.waitSignal(chats.rename_requested) as told:
        qtbot.keyClick(editor(chats), Qt.Key.Key_Return)
    assert told.args == ["id0", "half a ti"]
    qtbot.waitUntil(lambda: chats.titles == ("new 3", "new 0", "new 1"))


def test_renaming_a_chat_that_a_search_hides_ends_the_search(qtbot, chats):
    qtbot.keyClicks(search_field(chats), "x")
    chats.show_hits((hit(1),))
    chats.begin_rename("id1")
    assert editor(chats).text() == "chat 1"
    qtbot.keyClick(editor(chats), Qt.Key.Key_Escape)
    chats.begin_rename("id3")
    assert search_field(chats).text() == ""
    assert editor(chats).text() == "chat 3"


# --- searching ------------------------------------------------------------------------------------


def test_typing_searches_and_what_was_asked_before_is_no_longer_wanted(qtbot, chats):
    asked = []
    chats.search_requested.connect(asked.append)
    chats.search_ended.connect(lambda: asked.append(None))
    qtbot.keyClicks(search_field(chats), "fo")
    qtbot.waitUntil(lambda: "fo" in asked)
    qtbot.keyClicks(search_field(chats), "x")
    assert asked == [None, None, "fo", None]
    qtbot.waitUntil(lambda: asked[-1] == "fox")


def test_the_list_stays_until_something_is_found_and_comes_back(qtbot, chats):
    everything = chats.titles
    qtbot.keyClicks(search_field(chats), "f")
    chats.show_busy(frozenset({"id1"}))
    chats.show_chats(tuple(chat(number) for number in range(5)))
    assert chats.titles == everything
    chats.show_hits((hit(2),))
    assert chats.titles == ("chat 2",)
    chats.show_hits(())
    assert chats.titles == ()
    assert "Nothing found." in seen(chats)
    search_field(chats).clear()
    assert chats.titles == everything
    assert "Nothing found." not in seen(chats)
    chats.show_hits((hit(2),))  # an answer that comes too late
    assert chats.titles == everything
    assert here(chats) == "chat 0"


def test_what_is_deleted_is_no_longer_found(qtbot, chats):
    qtbot.keyClicks(search_field(chats), "f")
    chats.show_hits((hit(2), hit(3)))
    asked = []
    qtbot.waitUntil(lambda: not chats._timer.isActive())
    chats.search_requested.connect(asked.append)
    chats.show_chats(tuple(chat(number) for number in (0, 1, 3, 4)))
    assert chats.titles == ("chat 3",)
    qtbot.waitUntil(lambda: asked == ["f"])  # and what is there now is found


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Down])
def test_keys_lead_from_the_field_to_what_was_found(qtbot, chats, key):
    qtbot.keyClicks(search_field(chats), "f")
    chats.show_hits((hit(2, "m2"), hit(3, "m3")))
    qtbot.keyClick(search_field(chats), key)
    assert chats.view.hasFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_Down)
    with qtbot.waitSignal(chats.message_chosen) as told:
        qtbot.keyClick(chats.view, Qt.Key.Key_Return)
    assert told.args == ["id3", "m3"]


def test_a_title_that_was_found_opens_its_chat(qtbot, chats):
    qtbot.keyClicks(search_field(chats), "c")
    chats.show_hits((hit(2, None),))
    with qtbot.waitSignal(chats.chosen) as told:
        click(qtbot, chats, 0)
    assert told.args == ["id2"]


# --- the menu -------------------------------------------------------------------------------------


def act(menu, title):
    next(action for action in menu.actions() if action.text() == title).trigger()


def test_the_menu_does_what_it_says(qtbot, chats):
    told = []
    chats.delete_requested.connect(lambda chat_id: told.append(("delete", chat_id)))
    chats.export_requested.connect(lambda chat_id: told.append(("export", chat_id)))
    model = chats.view.model()
    for title in ("Export…", "Delete"):
        act(chats.menu_for(model.index(3, 0)), title)
    assert told == [("export", "id3"), ("delete", "id3")]
    act(chats.menu_for(model.index(2, 0)), "Rename")
    assert editor(chats).text() == "chat 2"


@pytest.mark.qt_log_ignore("does not support raise", "does not support grabbing")
def test_the_menu_opens_by_mouse_and_by_key_for_its_row(qtbot, chats):
    told = []
    chats.delete_requested.connect(told.append)

    def opened():
        (menu,) = [each for each in chats.findChildren(QMenu) if each.isVisible()]
        act(menu, "Delete")
        menu.close()
        QApplication.sendPostedEvents(None, 52)  # deferred deletions
        QApplication.processEvents()

    rect = chats.view.visualRect(chats.view.model().index(4, 0))
    reason = QContextMenuEvent.Reason
    viewport = chats.view.viewport()
    place = rect.center()
    event = QContextMenuEvent(reason.Mouse, place, viewport.mapToGlobal(place))
    QApplication.sendEvent(viewport, event)
    opened()
    chats.view.setFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_Down)
    place = chats.view.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle).center()
    event = QContextMenuEvent(reason.Keyboard, place, chats.view.mapToGlobal(place))
    QApplication.sendEvent(chats.view, event)
    opened()
    assert told == ["id4", "id1"]
    empty = QPoint(20, viewport.height() - 4)
    QApplication.sendEvent(viewport, QContextMenuEvent(reason.Mouse, empty, empty))
    assert not [each for each in chats.findChildren(QMenu) if each.isVisible()]


# --- in the window --------------------------------------------------------------------------------


def test_a_chat_one_leaves_is_answered_and_no_draft_shows_in_another(qtbot, start):
    gates = {"slow": Gate()}
    running = start(FakePipeline(answers(gates)))
    chats = running.window.chat_list
    ask(qtbot, running, "other")
    running.window.new_chat()
    say(qtbot, running, "slow")
    qtbot.waitUntil(lambda: chats.titles == ("slow", "other"))
    qtbot.waitUntil(gates["slow"].reached.is_set)
    click(qtbot, chats, 1)
    wait_chat(qtbot, running, ["other", "answer to other"])
    busy = Qt.ItemDataRole.AccessibleTextRole
    assert chats.view.model().index(0, 0).data(busy) == "slow, being answered"
    assert all(exchange.canvas is None for exchange in running.window.chat.exchanges)
    click(qtbot, chats, 0)
    (exchange,) = running.window.chat.exchanges
    assert exchange.canvas.shown_text == "draft of slow"  # at once, not with the next step
    assert "Canvas 1" in running.window.status_line.text
    click(qtbot, chats, 1)
    wait_chat(qtbot, running, ["other", "answer to other"])
    assert "Canvas 1" not in running.window.status_line.text
    qtbot.keyClicks(field(running), "typed in other")
    gates["slow"].opened.set()
    qtbot.waitUntil(lambda: not running.chats.busy_ids)
    assert chats.view.model().index(0, 0).data(busy) == "slow"
    assert spoken(running) == ["other", "answer to other"]
    click(qtbot, chats, 0)
    wait_chat(qtbot, running, ["slow", "answer to slow"])
    assert field(running).toPlainText() == ""
    click(qtbot, chats, 1)
    wait_chat(qtbot, running, ["other", "answer to other"])
    assert field(running).toPlainText() == "typed in other"


def test_stop_stops_the_chat_that_is_shown_and_no_other(qtbot, start):
    gates = {"slow": Gate(), "shown": Gate()}
    running = start(FakePipeline(answers(gates)))
    say(qtbot, running, "slow")
    slow = running.session
    qtbot.waitUntil(gates["slow"].reached.is_set)
    running.window.new_chat()
    say(qtbot, running, "shown")
    qtbot.keyClick(field(running), Qt.Key.Key_Escape)
    wait_idle(qtbot, running)
    assert running.session.path[-1].reason is FinishReason.STOPPED
    assert slow.is_busy
    gates["slow"].opened.set()
    qtbot.waitUntil(lambda: not slow.is_busy)
    assert slow.path[-1].text == "answer to slow"


def test_a_search_leads_to_the_message_on_its_branch(qtbot, start):
    running = start(FakePipeline(answers()))
    chats = running.window.chat_list
    ask(qtbot, running, "zebra")
    assert running.session.edit(running.session.path[0].id, "horse")
    wait_idle(qtbot, running)
    ask(qtbot, running, *(f"filler {number}" for number in range(3)))
    qtbot.keyClicks(search_field(chats), "to zebra")
    qtbot.waitUntil(lambda: chats.view.model().rowCount() == 1)
    click(qtbot, chats, 0)
    wait_chat(qtbot, running, ["zebra", "answer to zebra"])
    qtbot.keyClick(search_field(chats), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: chats.titles == ("zebra", "filler 2", "filler 1", "filler 0"))
    assert here(chats) == "zebra"


def test_a_hit_far_up_in_a_long_chat_comes_into_view(qtbot, start):
    running = start(FakePipeline(answers()))
    for number in range(40):
        running.session.send(f"needle {number}" if number == 3 else f"straw {number}")
        qtbot.waitUntil(lambda: not running.session.is_busy)
    ask(qtbot, running, "elsewhere")
    chats = running.window.chat_list
    qtbot.keyClicks(search_field(chats), "needle")
    qtbot.waitUntil(lambda: chats.titles == ("straw 0", "straw 0"))  # the answer, the question
    click(qtbot, chats, 1)
    view = running.window.chat

    def is_seen():
        for exchange in view.exchanges:
            if "needle 3" in exchange.question._text.toPlainText():
                top = exchange.mapTo(view.viewport(), QPoint(0, 0)).y()
                return -exchange.height() < top < view.viewport().height() // 2
        return False

    qtbot.waitUntil(is_seen)


def test_escape_in_the_field_clears_it_and_does_not_stop_the_answer(qtbot, start):
    gates = {"slow": Gate()}
    running = start(FakePipeline(answers(gates)))
    say(qtbot, running, "slow")
    qtbot.waitUntil(gates["slow"].reached.is_set)
    chats = running.window.chat_list
    running.window.search()
    qtbot.keyClicks(search_field(chats), "x")
    qtbot.keyClick(search_field(chats), Qt.Key.Key_Escape)
    assert search_field(chats).text() == ""
    assert running.session.is_busy
    qtbot.keyClick(search_field(chats), Qt.Key.Key_Escape)
    wait_idle(qtbot, running)
    assert running.session.path[-1].text == "part of slow"


def test_delete_and_undo_in_the_window(qtbot, start):
    running = start(FakePipeline(answers()))
    window, chats = running.window, running.window.chat_list
    ask(qtbot, running, "keep", "shown")
    chats.view.setFocus()
    qtbot.keyClick(chats.view, Qt.Key.Key_Delete)
    assert window.toast.isVisible()
    assert "“shown” is deleted." in seen(window.toast)
    assert chats.titles == ("keep",)
    assert spoken(running) == []
    press(qtbot, window.toast, "Undo")
    wait_chat(qtbot, running, ["shown", "answer to shown"])
    assert not window.toast.isVisible()
    assert chats.titles == ("shown", "keep")


def test_rename_in_the_window_reaches_the_header_and_the_disk(qtbot, start):
    running = start(FakePipeline(answers()))
    window, chats = running.window, running.window.chat_list
    ask(qtbot, running, "a question")
    window.toggle_sidebar()
    window.rename_current()
    assert chats.isVisible()
    editor(chats).setText("My name")
    qtbot.keyClick(editor(chats), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.header.title == "My name")
    rename(qtbot, chats, "")
    qtbot.waitUntil(lambda: window.header.title == "a question")
