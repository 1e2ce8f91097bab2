"""The talk: exchanges below each other. Follows the end unless the user has scrolled away.

Of a long chat only a stretch of exchanges exists as widgets: those in view and near it. More come
one at a time as one scrolls, so that the window never waits for them, and those far away go.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QScrollBar, QVBoxLayout, QWidget

from app.state.chat import ChatSession
from app.state.conversation import Message
from app.ui.chat.exchange import ExchangeView
from app.ui.chat.steady import Steady
from app.ui.chat.surroundings import Surroundings
from app.ui.theme import SCROLL_BAR_WIDTH
from app.ui.widgets import drop, focus_named, focused_name, in_column, restyle
from app.words import tr
from engine.messages import Draft

FIRST = 3  # exchanges where one jumps to; the window shows them before more are made
MORE = 2  # that are shown at once below a question where the branch is another one
NEAR = 1.5  # heights of the view above it and below it in which all exchanges exist
FAR = 2.5  # heights beyond which they go, unless the keyboard is there
MOST = 30  # that exist at a time
ABOVE_HIT = 20  # pixels between the top of the view and what was looked for


class ChatView(QScrollArea):
    """Shows one chat at a time.

    The last exchange is given the height of the window, so that a new question stands at the top
    and its answer has room: nothing moves while it is written.
    """

    def __init__(self, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self._session: ChatSession | None = None
        self._first = 0  # place in the branch of the first exchange that exists, in exchanges
        self._exchanges: list[ExchangeView] = []
        self._rows: list[QWidget] = []
        self._edits: dict[str, str] = {}  # questions that were being edited as their views went
        self._is_busy = False
        self._growth = QTimer(self, singleShot=True, interval=0)
        self._growth.timeout.connect(self._grow)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(tr("The talk"))
        self._page = QWidget()
        self._column = QVBoxLayout(self._page)
        # as wide as the scroll bar, which always has its room: so the column never moves sideways
        self._column.setContentsMargins(SCROLL_BAR_WIDTH, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self.setWidget(self._page)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._on_range_changed)
        bar.setProperty("idle", True)
        self._steady = Steady(
            self,
            rows=lambda: self._rows,
            has_end=lambda: not self._ends_early(),
            is_written=lambda: self._is_busy,
        )
        self._steady.scrolled.connect(self._on_scrolled)

    @property
    def exchanges(self) -> tuple[ExchangeView, ...]:
        """Those that exist as widgets, in order."""
        return tuple(self._exchanges)

    @property
    def last(self) -> ExchangeView | None:
        """The last exchange of the chat, if it exists as a widget."""
        return self._exchanges[-1] if self._exchanges and not self._ends_early() else None

    @property
    def has_focus(self) -> bool:
        """Whether the keyboard is in the talk, or was in a part of it that is gone."""
        focus = QApplication.focusWidget()
        return focus is None or self._page.isAncestorOf(focus)

    def show_chat(self, session: ChatSession) -> None:
        """Another chat, from its end."""
        self.hide_all()  # before the session is another one: what is being edited belongs to this
        self._session = session
        self._is_busy = session.is_busy
        self._show_end()

    def hide_all(self) -> None:
        while self._exchanges:
            self._remove(-1)
        self._first = 0

    def refresh_from(self, place: int) -> None:
        """The branch is another one from this message on.

        A new question is scrolled to. Otherwise the exchange that is another one now stays where
        it was.
        """
        path = self._path()
        is_asked = bool(path) and path[-1].is_open
        index = place // 2 - self._first
        is_beside = not 0 <= index <= len(self._exchanges)
        if is_beside or (index == 0 and place >= len(path)):
            self._show_end()
            return
        has_same_question = place % 2 == 1 and place < len(path)
        old_row = self._rows[index] if index < len(self._rows) else None
        focused = focused_name(old_row)
        while len(self._exchanges) > index + has_same_question:
            self._remove(-1, keeps_place=self._rows[-1] is old_row)
        if self._exchanges:
            self._exchanges[-1].give_room(0)
            self._refresh_answer(self._first + len(self._exchanges) - 1)
        for at in range(self._first + len(self._exchanges), min(place // 2 + MORE, len(path) // 2)):
            self._insert(at, len(self._exchanges))
        self._give_room()
        self._growth.start()
        if is_asked or index >= len(self._rows):
            self._steady.follow()
        elif old_row is not None:
            self._steady.replace(old_row, self._rows[index])
            if not has_same_question:
                focus_named(self._rows[index], focused)

    def refresh_message(self, message_id: str) -> None:
        """Text or state of an answer is another one; of the last one at its end also its actions."""
        for index, message in enumerate(self._path()[1::2][self._first :]):
            if index < len(self._exchanges) and message.id == message_id:
                self._refresh_answer(self._first + index)

    def refresh_last(self) -> None:
        """What can be done with the last answer may be another thing now."""
        if self._path():
            self._refresh_answer(len(self._path()) // 2 - 1)

    def refresh_all(self) -> None:
        """What stands below the answers may be another thing now."""
        for place in range(self._first, self._first + len(self._exchanges)):
            self._refresh_answer(place)

    def show_hint(self, text: str) -> None:
        """What happens before the first draft of the open answer."""
        if self.last is not None:
            self.last.answer.show_hint(text)

    def show_draft(self, draft: Draft) -> None:
        if self.last is not None:
            self.last.answer.show_draft(draft)

    def scroll_to_message(self, message_id: str) -> None:
        """Brings a message of the shown branch into view."""
        places = [place for place, each in enumerate(self._path()) if each.id == message_id]
        if not places:
            return
        wanted = places[0] // 2
        if not self._first <= wanted < self._first + len(self._exchanges):
            self._show_stretch(wanted)
        index = wanted - self._first
        view = self._exchanges[index]
        if places[0] % 2:
            self._steady.keep(view.answer, -ABOVE_HIT)
        else:
            self._steady.keep(self._rows[index], 0)
        self._growth.start()

    def scroll_pages(self, pages: int) -> None:
        """Up or down by nearly what is in view."""
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + pages * round(0.85 * self.viewport().height()))

    def edit_last(self) -> None:
        """Opens the last question to be said in other words, and brings it into view."""
        if self.last is None:
            self._show_end()
        if self.last is not None:
            self._steady.keep(self._rows[-1], 0)
            self.last.question.begin_edit()

    def set_still(self, is_still: bool) -> None:
        for view in self._exchanges:
            view.answer.set_still(is_still)

    def set_busy(self, is_busy: bool) -> None:
        """While an answer is written nothing else can be asked."""
        self._is_busy = is_busy
        for view in self._exchanges:
            view.set_busy(is_busy)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._give_room()

    def _path(self) -> tuple[Message, ...]:
        return self._session.path if self._session is not None else ()

    def _show_end(self) -> None:
        self._show_stretch(max(0, len(self._path()) // 2 - 1))  # it fills the view
        self._steady.follow()
        self._growth.start()

    def _show_stretch(self, first: int) -> None:
        self.hide_all()
        self._first = first
        for place in range(first, min(first + FIRST, len(self._path()) // 2)):
            self._insert(place, len(self._exchanges))
        self._give_room()

    def _insert(self, place: int, at: int) -> None:
        """Makes the widget of the exchange at `place` of the branch, as the one at `at` here."""
        question = self._path()[2 * place]
        view = ExchangeView(question, self._around)
        view.set_busy(self._is_busy)
        self._refresh_view(view, place)
        if question.id in self._edits:
            view.question.begin_edit(self._edits.pop(question.id))
        row = in_column(view)
        self._exchanges.insert(at, view)
        self._rows.insert(at, row)
        self._steady.watch(row)
        self._column.insertWidget(at, row)
        row.show()  # it has its place with the next layout, not an event later

    def _remove(self, at: int, *, keeps_place: bool = False) -> None:
        view, row = self._exchanges.pop(at), self._rows.pop(at)
        if (typed := view.question.typed) is not None:
            self._edits[view.question.message_id] = typed
        if not keeps_place:
            self._steady.forget(row)
        self._column.removeWidget(row)
        drop(row)

    def _refresh_answer(self, place: int) -> None:
        index = place - self._first
        if 0 <= index < len(self._exchanges):
            self._refresh_view(self._exchanges[index], place)

    def _refresh_view(self, view: ExchangeView, place: int) -> None:
        session = self._session
        assert session is not None
        answer = session.path[2 * place + 1]
        can_continue = session.can_continue(answer)
        view.show_answer(answer, session.conversation, can_continue=can_continue)

    def _give_room(self) -> None:
        if self._exchanges:
            height = 0 if self._ends_early() else self.viewport().height()
            self._exchanges[-1].give_room(height)

    def _grow(self) -> None:
        """One exchange more where one is near the start or the end, and then the next."""
        self._cut()
        if self._is_near_start():
            self._first -= 1
            self._insert(self._first, 0)
        elif self._is_near_end():
            self._insert(self._first + len(self._exchanges), len(self._exchanges))
        else:
            return
        self._growth.start()
        self._give_room()

    def _cut(self) -> None:
        while self._exchanges and self._may_go(self._rows[-1]):
            self._remove(-1)
        while self._exchanges and self._may_go(self._rows[0]):
            self._remove(0)
            self._first += 1

    def _may_go(self, row: QWidget) -> bool:
        height, top = self.viewport().height(), row.y() - self.verticalScrollBar().value()
        is_far = top > (1 + FAR) * height or top + row.height() < -FAR * height
        focus = QApplication.focusWidget()
        is_in_use = focus is not None and row.isAncestorOf(focus)
        return is_far and (not is_in_use or len(self._exchanges) > MOST)

    def _ends_early(self) -> bool:
        return self._first + len(self._exchanges) < len(self._path()) // 2

    def _is_near_start(self) -> bool:
        return self._first > 0 and self.verticalScrollBar().value() < self._near()

    def _is_near_end(self) -> bool:
        return self._ends_early() and _below(self.verticalScrollBar()) < self._near()

    def _near(self) -> float:
        return NEAR * self.viewport().height()

    def _on_scrolled(self) -> None:
        if self._is_near_start() or self._is_near_end():
            self._growth.start()

    def _on_range_changed(self, _minimum: int, maximum: int) -> None:
        bar = self.verticalScrollBar()
        if bar.property("idle") != (maximum == 0):
            bar.setProperty("idle", maximum == 0)
            restyle(bar)


def _below(bar: QScrollBar) -> int:
    return bar.maximum() - bar.value()
