"""The gaps of one document, and the marks that might become gaps."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from app.state.editor.changes import Change, Range
from app.state.editor.document import Document
from app.state.editor.gaps import MARK, MOST_GAPS, Gap, Length, find_gaps


class GapList(QObject):
    """Both move with the text; one that is edited inside is forgotten.

    Signals:
        changed()
    """

    changed = Signal()

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._gaps: tuple[Gap, ...] = ()
        self._asked: tuple[Gap, ...] = ()
        document.edited.connect(self._on_edited)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What `Fill` would fill, in the order of the text."""
        return self._gaps

    @property
    def asked(self) -> tuple[Gap, ...]:
        """Marks of which nobody has said yet whether they are gaps."""
        return self._asked

    def look(self, place: Range) -> int:
        """Asks about the marks in this part of the text. Returns how many there are."""
        found = find_gaps(self._document.part(place), place.start)
        self._asked = tuple(each for each in found if not self._is_taken(each.place))
        self.changed.emit()
        return len(self._asked)

    def confirm(self) -> None:
        """They are gaps."""
        asked, self._asked = self._asked, ()
        self._put(*(each for each in asked if not self._is_taken(each.place)))

    def dismiss(self) -> None:
        """They are not, and stay what they are."""
        self._asked = ()
        self.changed.emit()

    def drop(self, place: Range) -> None:
        """A gap at the caret, where a mark is put in, or over what is selected."""
        if self._is_taken(place):
            return
        if place.start == place.end:
            self._document.replace([(place, MARK)])
            place = Range(start=place.start, end=place.start + len(MARK))
        self._put(Gap(place=place))

    def set_length(self, number: int, length: Length) -> None:
        changed = replace(self._gaps[number], length=length)
        self._gaps = (*self._gaps[:number], changed, *self._gaps[number + 1 :])
        self.changed.emit()

    def remove(self, number: int) -> None:
        """It is no gap any more. The text stays."""
        self._gaps = (*self._gaps[:number], *self._gaps[number + 1 :])
        self.changed.emit()

    def clear(self) -> None:
        self._gaps = self._asked = ()
        self.changed.emit()

    def _put(self, *gaps: Gap) -> None:
        both = sorted((*self._gaps, *gaps), key=lambda gap: gap.place.start)
        self._gaps = tuple(both[:MOST_GAPS])
        self.changed.emit()

    def _is_taken(self, place: Range) -> bool:
        return any(each.place.touches(place) for each in self._gaps)

    def _on_edited(self, change: Change) -> None:
        before = self._gaps, self._asked
        self._gaps = _after(self._gaps, change)
        self._asked = _after(self._asked, change)
        if (self._gaps, self._asked) != before:
            self.changed.emit()


def _after(gaps: tuple[Gap, ...], change: Change) -> tuple[Gap, ...]:
    moved = [(gap, gap.place.after(change)) for gap in gaps]
    return tuple(replace(gap, place=place) for gap, place in moved if place is not None)
