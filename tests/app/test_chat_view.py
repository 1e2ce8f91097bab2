"""The talk in the window: long chats, places that stay, branches, and what stands where."""

from __future__ import annotations

import gc
import weakref

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from app.settings import Scheme, Still
from app.state.conversation import Conversation
from app.ui.chat.view import FIRST, MORE, MOST
from engine.messages import Channel, EngineError, ErrorKind, FinishReason
from tests.app.driving import field, press, say, seen, spoken, wait_idle
from tests.app.talks import (
    answer,
    conversation_of,
    in_view,
    long_talk,
    question,
    settle,
    show,
    store,
    top_of,
)
from tests.fakes import FakePipeline, Gate, answering, draft, ending

MANY = 5000


def bar_of(running):
    return running.window.chat.verticalScrollBar()


def wait_rich(qtbot, running):
    views = running.window.chat.exchanges
    qtbot.waitUntil(
        lambda: all(view.answer.text is None or view.answer.text.is_rich for view in views)
    )
    settle()


def names(running) -> list[str]:
    return [view.question.message_id for view in running.window.chat.exchanges]


def test_of_a_chat_with_thousands_of_exchanges_only_the_end_becomes_widgets(qtbot, start, paths):
    store(paths, "long", long_talk(MANY))
    running = start()
    chat = running.window.chat
    qtbot.waitUntil(lambda: len(chat.exchanges) >= FIRST)
    wait_rich(qtbot, running)
    count = len(chat.exchanges)
    assert count <= 4 * MORE
    assert names(running) == [f"q{n}" for n in range(MANY - count, MANY)]
    assert top_of(running, chat.exchanges[-1]) == 0
    assert bar_of(running).value() == bar_of(running).maximum()


def walk(qtbot, running, step: int, until: str) -> list[str]:
    """Scrolls until this question was in view; returns all that were, each once, in order."""
    met: list[str] = []
    for _ in range(3000):
        for name, _top in in_view(running)[:: 1 if step > 0 else -1]:
            if name not in met:
                met.append(name)
        if until in met:
            return met
        bar_of(running).setValue(bar_of(running).value() + step)
        before = dict(in_view(running))
        assert set(before) & set(met), "the view jumped"
        settle()
        after = dict(in_view(running))
        name = next(iter(before))  # below it an answer may still become rich text
        assert abs(before[name] - after[name]) <= 2, (before, after)
        assert len(running.window.chat.exchanges) <= MOST
    raise AssertionError(f"never came to {until}")


def test_scrolling_goes_through_all_exchanges_in_order_and_never_jumps(qtbot, start):
    count = MOST + 20
    running = start()
    show(running, long_talk(count))
    up = walk(qtbot, running, -350, "q0")
    assert [int(name[1:]) for name in up] == list(reversed(range(count)))
    assert len(running.window.chat.exchanges) <= MOST
    assert names(running)[-1] != f"q{count - 1}"  # the end was given up
    down = walk(qtbot, running, 350, f"q{count - 1}")
    assert [int(name[1:]) for name in down] == list(range(count))


@pytest.mark.parametrize("height", [500, 2000])
def test_what_is_near_the_view_exists_and_what_is_far_does_not(qtbot, start, height):
    """Also where more short exchanges fit into the view than exist in a usual one."""
    running = start()
    running.window.resize(1100, height)
    messages: list = []
    for number in range(3 * MOST):
        asked = question(number, messages[-1].id if messages else None)
        messages += [asked, answer(f"a{number}", asked.id, "Yes.")]
    show(running, tuple(messages))
    chat, bar = running.window.chat, bar_of(running)
    view = chat.viewport().height()
    for _ in range(3):
        bar.setValue(max(bar.value() - 2 * view, bar.maximum() // 2))
        qtbot.waitUntil(lambda: not chat._growth.isActive())  # it comes to an end
        wait_rich(qtbot, running)
        first, last = chat.exchanges[0], chat.exchanges[-1]
        above, below = -top_of(running, first), top_of(running, last) + last.height() - view
        assert above >= view or names(running)[0] == "q0"
        assert below >= view or names(running)[-1] == f"q{3 * MOST - 1}"
        assert above <= 4 * view
        assert below <= 4 * view


def test_an_exchange_stays_where_the_keyboard_is(qtbot, start):
    running = start()
    show(running, long_talk(MOST + 20))
    wait_rich(qtbot, running)
    view = running.window.chat.exchanges[-1]
    view.answer.text.setFocus(Qt.FocusReason.TabFocusReason)
    view.answer.text.selectAll()
    walk(qtbot, running, -350, f"q{MOST}")
    assert top_of(running, view) > 3 * running.window.chat.viewport().height()
    assert QApplication.focusWidget() is view.answer.text
    assert view.answer.text.textCursor().hasSelection()
    walk(qtbot, running, -350, "q0")
    assert running.window.chat.last is None  # but not for ever


def test_rich_text_that_comes_above_moves_nothing(qtbot, start):
    running = start()
    show(running, long_talk(40))
    wait_rich(qtbot, running)
    bar = bar_of(running)
    bar.setValue(bar.maximum() // 2)
    name, top = in_view(running)[0]
    heights = [view.height() for view in running.window.chat.exchanges]
    bar.setValue(0)  # grows; the new ones become rich a moment later
    settle()
    name, top = in_view(running)[0]
    wait_rich(qtbot, running)
    assert dict(in_view(running))[name] == top
    assert heights != [view.height() for view in running.window.chat.exchanges]


def test_a_search_hit_is_scrolled_to(qtbot, start):
    running = start()
    chat = running.window.chat
    show(running, long_talk(300))
    for message_id, view_of in (
        ("q150", lambda view: view),
        ("a20", lambda view: view.answer),
        ("a0", lambda view: view.answer),
        ("q299", lambda view: view),
    ):
        chat.scroll_to_message(message_id)
        wait_rich(qtbot, running)
        number = message_id[1:]
        view = next(each for each in chat.exchanges if each.question.message_id == f"q{number}")
        top = top_of(running, view_of(view))
        assert -1 <= top <= 30 or bar_of(running).value() in (0, bar_of(running).maximum())
        assert 0 <= top < chat.viewport().height()


def test_a_hit_near_the_end_stays_where_it_is_when_rich_text_comes(qtbot, start):
    running = start()
    show(running, long_talk(30))
    running.window.chat.scroll_to_message("a27")
    settle()
    before = dict(in_view(running))
    wait_rich(qtbot, running)
    after = dict(in_view(running))
    assert after["q27"] == before["q27"]


def test_a_draft_never_goes_to_another_exchange_than_the_open_one(qtbot, start):
    gate = Gate()

    def script(request_id, request, cancelled):
        yield draft(request_id, ("one",))
        gate.pass_through()
        yield draft(request_id, ("two",), step=2)
        yield from ending(request_id, "Two.", FinishReason.END)

    running = start(FakePipeline(script))
    session = show(running, long_talk(MOST + 20))
    say(qtbot, running, "the new one")
    qtbot.waitUntil(gate.reached.is_set)
    chat = running.window.chat
    walk(qtbot, running, -450, "q2")
    assert chat.last is None
    gate.opened.set()
    wait_idle(qtbot, running)
    assert session.path[-1].text == "Two."
    assert all(view.canvas is None for view in chat.exchanges)
    assert "Two." not in "".join(spoken(running))


def test_the_top_of_the_page_stays_while_the_window_changes_its_height(qtbot, start):
    running = start()
    show(running, long_talk(30))
    wait_rich(qtbot, running)
    bar = bar_of(running)
    bar.setValue(bar.maximum() - 900)
    settle()
    name, top = in_view(running)[0]
    qtbot.keyClicks(field(running), "more than a line")
    for _ in range(4):
        qtbot.keyClick(field(running), Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    settle()
    assert dict(in_view(running))[name] == top


def branches() -> Conversation:
    """Two answers to the first question; below the second of them, five exchanges."""
    first = question(0, None)
    one, two = answer("one", "q0", "The first."), answer("two", "q0", "The second. " * 30)
    messages = [first, one, two]
    for number in range(1, 6):
        asked = question(number, messages[-1].id)
        messages += [asked, answer(f"a{number}", asked.id, "Words. " * 60)]
    return messages


def test_going_through_the_variants_of_an_answer_leaves_it_in_its_place(qtbot, start):
    running = start()
    messages = branches()
    session = show(running, tuple(messages), "a5")
    wait_rich(qtbot, running)
    running.window.chat.scroll_to_message("q0")
    settle()
    top = top_of(running, running.window.chat.exchanges[0])
    press(qtbot, running.window.chat.exchanges[0], "Earlier variant")
    settle()
    assert [message.id for message in session.path] == ["q0", "one"]
    assert spoken(running) == ["Question 0", "The first."]
    assert top_of(running, running.window.chat.exchanges[0]) == top
    assert "1 of 2" in seen(running.window.chat.exchanges[0])
    focus = QApplication.focusWidget()
    assert focus.accessibleName() != "Earlier variant"  # there is none
    press(qtbot, running.window.chat.exchanges[0], "Later variant")
    settle()
    assert len(spoken(running)) == 12
    assert top_of(running, running.window.chat.exchanges[0]) == top
    assert QApplication.focusWidget().accessibleName() == "Message"


def test_the_keyboard_goes_on_through_variants(qtbot, start):
    running = start()
    texts = [answer(f"v{n}", "q0", f"Variant {n}") for n in range(4)]
    show(running, (question(0, None), *texts), "v0")
    later = next(
        each
        for each in running.window.chat.findChildren(QWidget)
        if each.accessibleName() == "Later variant" and each.isVisible()
    )
    later.setFocus(Qt.FocusReason.TabFocusReason)
    for shown in ("Variant 1", "Variant 2"):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Space)
        settle()
        assert spoken(running)[1] == shown
        assert QApplication.focusWidget().accessibleName() == "Later variant"


def test_an_answer_asked_for_again_stands_where_the_old_one_stood(qtbot, start):
    gate = Gate()

    def script(request_id, request, cancelled):
        yield draft(request_id, ("new words",))
        gate.pass_through()
        yield from ending(request_id, "New.", FinishReason.END)

    running = start(FakePipeline(script))
    show(running, long_talk(5))
    wait_rich(qtbot, running)
    view = running.window.chat.exchanges[-1]
    top = top_of(running, view.question)
    press(qtbot, view, "Answer again")
    qtbot.waitUntil(lambda: view.canvas is not None and view.canvas.shown_text == "new words")
    assert top_of(running, view.question) == top
    gate.opened.set()
    wait_idle(qtbot, running)
    assert view.answer.text.toPlainText() == "New."
    assert "2 of 2" in seen(view)


def test_what_is_typed_in_an_edit_survives_scrolling_away_and_another_chat(qtbot, start):
    running = start()
    window = running.window
    session = show(running, long_talk(MOST + 20))
    window.edit_last()
    editor = window.chat.exchanges[-1].question.editor
    qtbot.keyClicks(editor._input, " precious")
    walk(qtbot, running, -450, "q1")
    assert window.chat.last is None
    window.chat.scroll_to_message(session.path[-2].id)
    settle()
    assert window.chat.exchanges[-1].question.editor.text.endswith(" precious")
    window.new_chat()
    settle()
    assert window.chat.exchanges == ()
    running.chats._show(session)
    settle()
    assert window.chat.exchanges[-1].question.editor.text.endswith(" precious")


def test_page_keys_scroll_the_talk_while_one_writes(qtbot, start):
    running = start()
    show(running, long_talk(30))
    wait_rich(qtbot, running)
    end = bar_of(running).value()
    qtbot.keyClicks(field(running), "typing")
    qtbot.keyClick(field(running), Qt.Key.Key_PageUp)
    assert bar_of(running).value() < end
    qtbot.keyClick(field(running), Qt.Key.Key_PageDown)
    settle()
    assert bar_of(running).value() == bar_of(running).maximum()
    assert field(running).toPlainText() == "typing"


class Windows(QObject):
    """Notes every window that is shown."""

    def __init__(self, app):
        super().__init__(app)
        self.seen = []

    def eventFilter(self, watched, event):  # noqa: N802
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.seen.append(type(watched).__name__)
        return False


def test_nothing_opens_a_window_of_its_own(qtbot, qapp, start):
    def script(request_id, request, cancelled):
        yield draft(request_id, ("hm",), channel=Channel.THOUGHT)
        yield draft(request_id, ("well",))
        yield from ending(request_id, "Done.", FinishReason.LENGTH)

    running = start(FakePipeline(script))
    windows = Windows(qapp)
    qapp.installEventFilter(windows)
    show(running, (*branches(),), "a5")
    say(qtbot, running, "hello")
    wait_idle(qtbot, running)
    running.window.edit_last()
    settle()
    press(qtbot, running.window.chat, "Cancel")
    press(qtbot, running.window.chat.exchanges[-1], "Answer again")
    wait_idle(qtbot, running)
    press(qtbot, running.window.chat.exchanges[-1], "Earlier variant")
    running.window.toggle_panel()
    running.window.toggle_sidebar()
    running.window.notice.tell("Oh.", "Well.", can_retry=True)
    running.window.toast.tell("Done.", "Undo", lambda: None)
    settle()
    qapp.removeEventFilter(windows)
    assert windows.seen == []


def test_a_chat_that_is_left_leaves_no_widget_behind(qtbot, start):
    running = start(FakePipeline(answering("Words.")))
    session = show(running, long_talk(40))
    wait_rich(qtbot, running)
    counts, views = [], []
    for _ in range(3):
        views += [weakref.ref(view) for view in running.window.chat.exchanges]
        views += [weakref.ref(view.answer.text) for view in running.window.chat.exchanges]
        running.chats._show(running.chats._new_session())
        for _ in range(3):
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
            settle()
        gc.collect()
        counts.append(len(running.window.findChildren(QWidget)))
        show(running, tuple(session.path))
        wait_rich(qtbot, running)
    assert len(set(counts)) == 1
    assert views
    assert [ref() for ref in views if ref() is not None and ref() not in _living(running)] == []


def _living(running):
    views = running.window.chat.exchanges
    return [*views, *(view.answer.text for view in views)]


def test_tab_goes_through_the_talk_as_one_reads(qtbot, start):
    running = start()
    messages = (question(0, None), answer("v0", "q0", "One."), answer("v1", "q0", "Two."))
    asked = question(1, "v1")
    show(running, (*messages, asked, answer("a1", "q1", "Three.", has_recording=True)))
    wait_rich(qtbot, running)
    running.window.chat.verticalScrollBar().setValue(0)
    field(running).setFocus()
    met = []
    for _ in range(80):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Backtab)
        met.append(QApplication.focusWidget().accessibleName())
        if met[-1] == "Your message" and met.count("Your message") == 2:
            break
    assert list(reversed(met)) == [
        "Your message", "Copy the message", "Edit and ask again",
        "Answer", "Earlier variant", "Copy the answer", "Open it in the editor", "Answer again",
        "Your message", "Copy the message", "Edit and ask again",
        "Answer", "Copy the answer", "Open it in the editor", "Answer again",
        "Watch how it was written",
    ]  # fmt: skip


def test_every_control_of_the_talk_has_a_name(qtbot, start):
    running = start()
    show(running, (*branches(),), "a5")
    wait_rich(qtbot, running)
    stops = [
        each
        for each in running.window.findChildren(QWidget)
        if each.focusPolicy() & Qt.FocusPolicy.TabFocus and each.isVisible()
    ]
    nameless = [
        each
        for each in stops
        if not each.accessibleName() and not getattr(each, "text", lambda: "")()
    ]
    assert len(stops) > 20
    assert nameless == []


def test_sizes_and_colours_follow_while_messages_are_shown(qtbot, start, theme):
    gate = Gate()

    def script(request_id, request, cancelled):
        yield draft(request_id, ("hm",), channel=Channel.THOUGHT)
        yield draft(request_id, ("being", " written"))
        gate.pass_through()
        yield from ending(request_id, "Done.", FinishReason.END)

    running = start(FakePipeline(script))
    thought = answer("a0", "q0", "An answer of some words. " * 20, thought="I see. " * 30)
    show(running, (question(0, None, "What is it? " * 30), thought))
    wait_rich(qtbot, running)
    view = running.window.chat.exchanges[0]
    view.answer.thought._line.click()
    running.window.edit_last()
    view.question.editor._on_too_long("")
    say_view = running.window.chat
    before = {
        "question": view.question._text.document().defaultFont().pointSizeF(),
        "answer": view.answer.text.document().defaultFont().pointSizeF(),
        "thought": view.answer.thought._body.document().defaultFont().pointSizeF(),
        "editor": view.question.editor._input.font().pointSizeF(),
        "composer": field(running).font().pointSizeF(),
    }
    theme.set_sizes(reading_points=20, interface_scale=1.5)
    try:
        theme.set_scheme(Scheme.DARK)
        settle()
        qtbot.waitUntil(lambda: view.answer.text.document().defaultFont().pointSizeF() == 20)
        after = {
            "question": view.question._text.document().defaultFont().pointSizeF(),
            "answer": view.answer.text.document().defaultFont().pointSizeF(),
            "thought": view.answer.thought._body.document().defaultFont().pointSizeF(),
            "editor": view.question.editor._input.font().pointSizeF(),
            "composer": field(running).font().pointSizeF(),
        }
        assert {key for key in before if after[key] <= before[key]} == set()
        assert after["question"] == after["answer"] == after["editor"] == after["composer"] == 20
        settle()
        for part in (view.question._text, view.answer.text, view.answer.thought._body):
            assert part.height() >= part.document().size().height()
        assert view.width() <= say_view.viewport().width()
    finally:
        theme.set_sizes(reading_points=12, interface_scale=1.0)
        theme.set_scheme(Scheme.LIGHT)
        gate.opened.set()


@pytest.mark.parametrize("is_panel_open", [False, True])
def test_in_the_narrowest_window_nothing_is_cut_off(qtbot, start, is_panel_open):
    running = start()
    error = EngineError(kind=ErrorKind.OUT_OF_MEMORY, message="Too little. " * 9, remedy="Close.")
    asked = question(1, "a0", "Why?")
    show(
        running,
        (
            question(0, None, "Many words to say. " * 20),
            answer("a0", "q0", "Yes. " * 90),
            asked,
            answer("a1", "q1", "", reason=None, usage=None, error=error),
        ),
    )
    running.window.notice.tell("The disk is full.", "Free some space.", can_retry=True)
    running.window.toast.tell("A chat is deleted.", "Undo", lambda: None)
    if is_panel_open:
        running.window.toggle_panel()
    wait_rich(qtbot, running)
    window = running.window
    window.resize(window.minimumSize())
    settle()
    settle()
    page = window.chat.widget()
    assert page.width() <= window.chat.viewport().width()
    view = window.chat.exchanges[0]
    room = window.chat.viewport().rect()
    for part in (view.question._bubble, view.answer.text, view.answer._footer):
        left = part.mapTo(window.chat.viewport(), part.rect().topLeft()).x()
        assert left >= 0
        assert left + part.width() <= room.width()
    assert window.width() == window.minimumWidth()
    for part in window.findChildren(QPushButton):
        if part.isVisible():
            assert part.width() >= part.minimumSizeHint().width(), part.text()
            left = part.mapTo(window, part.rect().topLeft()).x()
            assert 0 <= left <= window.width() - part.width(), part.text()


def test_still_mode_reaches_what_is_being_written(qtbot, start):
    gates = [Gate(), Gate()]

    def script(request_id, request, cancelled):
        yield draft(request_id, ("hm", " hm"), channel=Channel.THOUGHT)
        gates[0].pass_through()
        yield draft(request_id, ("an", " answer"), step=2)
        gates[1].pass_through()
        yield from ending(request_id, "Done.", FinishReason.END)

    running = start(FakePipeline(script))
    say(qtbot, running, "hi")
    view = running.window.chat.exchanges[0].answer
    qtbot.waitUntil(lambda: view.thought is not None and view.thought.is_live)
    running.settings.change(still=Still.ON)
    assert view.canvas.is_still
    assert view.thought._canvas.is_still
    samples = view.legend.findChild(type(view.canvas))
    qtbot.waitUntil(lambda: samples.shown_text.startswith("•"))
    running.settings.change(still=Still.OFF)
    assert not view.canvas.is_still
    assert not view.thought._canvas.is_still
    for gate in gates:
        gate.opened.set()
    wait_idle(qtbot, running)


def test_the_history_and_the_view_agree_after_many_changes(qtbot, start):
    """Against the plainest model there is: what the view must show is the branch itself."""
    running = start(FakePipeline(answering("More.")))
    session = show(running, (*branches(),), "a5")
    for step in ("one", "two", "one"):
        session.show_variant(step)
        settle()
        assert names(running) == [each.id for each in session.path[::2]]
    say(qtbot, running, "on")
    wait_idle(qtbot, running)
    session.take_back(session.path[-2].id)
    settle()
    assert names(running) == [each.id for each in session.path[::2]]
    session.take_back("q0")
    settle()
    assert running.window.chat.exchanges == ()
    assert running.window.empty_state.isVisible()
    assert conversation_of(tuple(branches())).path[0].id == "q0"
