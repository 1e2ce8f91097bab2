"""Keeps what one reads in its place, whatever comes, goes or grows around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QTimer, Signal
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

NEAR_END = 4  # pixels


class Steady(QObject):
    """Watches the rows on the page of a scroll area.

    Either the view follows the end of the page, or the row at its top stays where it is. Only who
    scrolls changes that. While somebody has the focus in the page and nothing is written there, the
    end is not followed: what is under the hand must not move.

    Signals:
        scrolled(): the user has scrolled.
    """

    scrolled = Signal()

    def __init__(
        self,
        area: QScrollArea,
        *,
        rows: Callable[[], Sequence[QWidget]],
        has_end: Callable[[], bool],
        is_written: Callable[[], bool],
    ) -> None:
        super().__init__(area)
        self._area = area
        self._rows = rows
        self._has_end = has_end  # whether the page ends where the talk ends
        self._is_written = is_written
        self._row: QWidget | None = None
        self._above = 0  # pixels of the row that are above the view
        self._follows = True
        self._is_holding = False
        self._noting = QTimer(self, singleShot=True, interval=0)
        self._noting.timeout.connect(self._note_top)
        bar = area.verticalScrollBar()
        bar.rangeChanged.connect(self._hold)
        bar.valueChanged.connect(self._on_moved)

    def watch(self, row: QWidget) -> None:
        row.installEventFilter(self)

    def follow(self) -> None:
        """To the end, and stay there."""
        self._follows = True
        self._row = None
        self._hold()

    def keep(self, row: QWidget, above: int) -> None:
        """Puts `row`, or a part of one, so that `above` pixels of it are above the view."""
        self.watch(row)
        self._follows = False
        self._noting.stop()
        self._row, self._above = row, above
        self._hold()

    def replace(self, old: QWidget, new: QWidget) -> None:
        """`new` stands where `old` stood."""
        if self._row is old:
            self._row = new

    def forget(self, row: QWidget) -> None:
        if self._holds(row):
            self._row = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        is_move = event.type() == QEvent.Type.Move
        if is_move and isinstance(watched, QWidget) and self._holds(watched):
            self._hold()
        return False

    def _holds(self, widget: QWidget) -> bool:
        return self._row is not None and (widget is self._row or widget.isAncestorOf(self._row))

    def _hold(self) -> None:
        bar, page = self._area.verticalScrollBar(), self._area.widget()
        self._is_holding = True
        if self._may_follow():
            bar.setValue(bar.maximum())
            self._noting.start()  # the rows may not have their new places yet
        elif self._row is not None and page is not None:
            bar.setValue(self._row.mapTo(page, QPoint(0, 0)).y() + self._above)
        self._is_holding = False

    def _may_follow(self) -> bool:
        if not self._follows or not self._has_end():
            return False
        focus, page = QApplication.focusWidget(), self._area.widget()
        is_in_use = focus is not None and page is not None and page.isAncestorOf(focus)
        return self._row is None or self._is_written() or not is_in_use

    def _on_moved(self, value: int) -> None:
        if self._is_holding:
            return
        self._follows = value >= self._area.verticalScrollBar().maximum() - NEAR_END
        self._note_top()
        self.scrolled.emit()

    def _note_top(self) -> None:
        top = self._area.verticalScrollBar().value()
        for row in self._rows():
            if row.y() + row.height() > top:
                self._row, self._above = row, top - row.y()
                return
