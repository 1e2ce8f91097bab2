"""Keeps the canvases of an edit over the text they stand for, at most 20 pictures a second."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from PySide6.QtCore import QObject, QRect, QTimer, Signal
from PySide6.QtGui import QTextBlock

from app.state.editor.document import Document
from app.state.editor.edit import EditSession, Phase
from app.ui.editor.in_place import InPlace, line_pixels
from app.ui.editor.pieces import Stretch, as_draft, as_parts, stretches
from app.ui.editor.room import line_top, room_below
from app.ui.editor.text_editor import TextEditor
from app.ui.theme import Theme
from engine.messages import EditKind

FRAME_SECONDS = 0.05
STILL_SECONDS = 0.5  # between two changes for people who want nothing to move


@dataclass(frozen=True, kw_only=True)
class _Box:
    """Where a stretch stands in the viewport, in pixels; all of it, or what is in view."""

    top: int
    height: int
    is_whole: bool


class Overlay(QObject):
    """Signals:
    hunk_clicked(int)
    placed(): it stands somewhere else, or is gone.
    """

    hunk_clicked = Signal(int)
    placed = Signal()

    def __init__(
        self, editor: TextEditor, document: Document, session: EditSession, theme: Theme
    ) -> None:
        super().__init__(editor)
        self._editor = editor
        self._document = document
        self._session = session
        self._theme = theme
        self.is_still = False
        self.current = 0  # the hunk that keys decide about
        self._stretches: list[Stretch] = []
        self._widgets: list[InPlace] = []
        self._rooms: list[int] = []  # below each of them, in pixels
        self._behind = 0  # units from there to the end of the document
        self._revision = 0  # of the document that they were made of
        self._last_frame = 0.0
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._show_frame)
        session.changed.connect(self._on_changed)
        session.drafted.connect(self._ask_for_frame)
        editor.moved.connect(self._place)
        document.edited.connect(lambda _change: self._on_edited())
        theme.changed.connect(self._rebuild)

    @property
    def widgets(self) -> tuple[InPlace, ...]:
        """Those in which something can be seen, from the top."""
        return tuple(self._widgets)

    @property
    def area(self) -> QRect:
        """All of what is covered now, in the editor's viewport; empty if nothing is in view."""
        shown = [each.geometry() for each in self._widgets if not each.isHidden()]
        found = QRect()
        for each in shown:
            found = found.united(each)
        return found

    def set_current(self, hunk: int) -> None:
        """Chooses another hunk and shows it."""
        self.current = hunk
        self._show_offer()

    # --- what happens -----------------------------------------------------------------------------

    def _on_changed(self) -> None:
        offer = self._session.offer
        if self._session.phase is Phase.IDLE:
            self._drop()
            self.placed.emit()
        elif not self._widgets or len(self._session.ranges) != sum(
            len(each.places) for each in self._stretches
        ):
            self._rebuild()
        if offer is not None:
            self.current = offer.next_open(min(self.current, max(0, len(offer.hunks) - 1)))
            self._show_offer()

    def _on_edited(self) -> None:
        """Somebody types beside it: the canvases stay, and go where their text goes."""
        ranges = self._session.ranges
        if not self._widgets or not ranges:
            return
        fresh = stretches(self._document, ranges)
        if len(fresh) != len(self._widgets):
            self._rebuild()
            return
        self._set_stretches(fresh)
        if self._session.phase is Phase.OFFERED:
            self._show_offer()
        else:
            self._place()
            self._ask_for_frame()

    def _rebuild(self) -> None:
        """Other text around it, or another look."""
        self._drop()
        ranges = self._session.ranges
        if not ranges:
            return
        self._set_stretches(stretches(self._document, ranges))
        font = self._editor.font()
        for _ in self._stretches:
            widget = InPlace(self._editor.viewport(), self._theme, font, is_still=self.is_still)
            widget.hunk_clicked.connect(self.hunk_clicked)
            self._widgets.append(widget)
        self._rooms = [0] * len(self._widgets)
        self._fit()
        if self._session.phase is Phase.OFFERED:
            self._show_offer()
        else:
            self._show_frame()

    def _drop(self) -> None:
        self._timer.stop()
        for widget in self._widgets:
            widget.hide()
            widget.deleteLater()
        old, has_room = self._stretches, any(self._rooms)
        self._widgets, self._stretches, self._rooms = [], [], []
        if has_room:  # back to the usual layout, behind what may have been put in there
            start, end = old[0].start, self._document.units - self._behind
            self._document.text_document.markContentsDirty(start, max(0, end - start))

    def _set_stretches(self, fresh: list[Stretch]) -> None:
        self._stretches = fresh
        self._behind = self._document.units - fresh[-1].end
        self._revision = self._document.text_document.revision()

    def _ask_for_frame(self) -> None:
        if self._timer.isActive() or not self._editor.isVisible():
            return
        pause = STILL_SECONDS if self.is_still else FRAME_SECONDS
        wait = self._last_frame + pause - time.monotonic()
        self._timer.start(max(0, round(1000 * wait)))

    def _show_frame(self) -> None:
        self._last_frame = time.monotonic()
        session = self._session
        if session.phase is not Phase.RUNNING:
            return
        drafts = [session.draft(place) for place in range(len(session.ranges))]
        for stretch, widget in zip(self._stretches, self._widgets, strict=True):
            widget.show_draft(as_draft(stretch, drafts, session.originals))
        self._place()

    def _show_offer(self) -> None:
        offer = self._session.offer
        if offer is None:
            return
        for stretch, widget in zip(self._stretches, self._widgets, strict=True):
            widget.show_parts(as_parts(stretch, offer), self.current, self._width)
        self._place()

    # --- where it stands --------------------------------------------------------------------------

    def _fit(self) -> None:
        margin = self._document.text_document.documentMargin()
        for widget in self._widgets:
            widget.set_room(self._width, margin)

    @property
    def _width(self) -> int:
        """How wide the text is laid out, in pixels: all of it where lines are not wrapped."""
        width = self._editor.viewport().width()
        if self._editor.is_wrapping:
            return width
        layout = self._document.text_document.documentLayout()
        return max(width, math.ceil(layout.documentSize().width()))

    def _place(self) -> None:
        """Over the lines of each stretch that are in view. What does not fit pushes down the rest."""
        if not self._widgets or self._document.text_document.revision() != self._revision:
            return  # Qt asks for it in the middle of a change, too: its end is near
        if self._widgets[0].width() != self._width:
            self._fit()
        boxes = [self._box(stretch) for stretch in self._stretches]
        for number, box in enumerate(boxes):
            if box is not None and box.is_whole:
                self._make_room(number, box.height)
        self._editor.make_room(zip(self._last_blocks(), self._rooms, strict=True))
        left = round(self._editor.contentOffset().x())
        for widget, stretch, below in zip(self._widgets, self._stretches, self._rooms, strict=True):
            box = self._box(stretch)
            if box is None:
                widget.hide()
                continue
            height = box.height + (below if box.is_whole else 0)
            wanted = QRect(left, box.top, self._width, height)
            if widget.geometry() != wanted:
                widget.setGeometry(wanted)
            widget.show()
        self.placed.emit()

    def _make_room(self, number: int, height: int) -> None:
        """Seldom, and then all at once: what comes next should not move the page again."""
        missing, room = self._widgets[number].text_height - height, self._rooms[number]
        if missing <= room:
            return
        order = self._session.order
        if self._session.phase is Phase.RUNNING and order is not None:
            is_gap = order.kind is EditKind.INFILL
            compared = line_pixels(self._editor.font()) if is_gap else height  # with the old text
            missing = max(missing + compared, 2 * room)
        self._rooms[number] = missing + 1  # for the line below it

    def _last_blocks(self) -> list[QTextBlock]:
        find = self._document.text_document.findBlock
        return [find(stretch.end) for stretch in self._stretches]

    def _box(self, stretch: Stretch) -> _Box | None:
        """What the stretch covers in the viewport; None if nothing of it is in view."""
        editor, limit = self._editor, self._editor.viewport().height()
        block, top = editor.lines_in_view()
        first = self._document.text_document.findBlock(stretch.start)
        last = self._document.text_document.findBlock(stretch.end)
        if last.blockNumber() < block.blockNumber():
            return None
        start: float | None = None
        if first.blockNumber() < block.blockNumber():  # it begins above the view
            above = block.previous()
            while above.isValid() and above.blockNumber() >= first.blockNumber():
                top -= editor.height_of(above)
                if block.blockNumber() - above.blockNumber() > limit:
                    return None
                block, above = above, above.previous()
        while block.isValid() and top < limit:
            if block == first:
                start = top + line_top(block, stretch.start - block.position())
            top += editor.height_of(block)
            if block == last and start is not None:
                end = top - room_below(block)
                return _Box(top=round(start), height=round(end - start), is_whole=True)
            block = block.next()
        if start is None:
            return None
        return _Box(top=round(start), height=round(top - start), is_whole=False)
