"""One open text: what stands in it, where it came from, and whether it has been changed since."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QTextCursor, QTextDocument

from app.state.editor.changes import Change, Range, common_start, units
from app.state.editor.encoding import FileText
from app.state.editor.language import language_of
from app.state.text import clean, visible
from app.words import tr

SLICE = 65_536  # characters put in at a time: 10 ms of the GUI thread on a slow PC
READ_SLICE = 1_000_000  # units read at a time: 8 ms
MOST_READS = 5  # of somebody who types on; then it is read at once
_BLOCK_END = "\u2029"  # how Qt writes a line feed


class Document(QObject):
    """Owns the QTextDocument that a view shows. `id` stays the same for its whole life.

    Signals:
        edited(Change): after each change of the text, whoever made it.
        state_changed(): its name, or whether it is modified, is another one.
        filled(): all of the text is there, and it can be edited.
    """

    edited = Signal(object)
    state_changed = Signal()
    filled = Signal()

    def __init__(
        self,
        document_id: str,
        file: FileText | None = None,
        path: Path | None = None,
        parent: QObject | None = None,
        *,
        language: str = "",
    ) -> None:
        super().__init__(parent)
        self.id = document_id
        self.path = path
        self._language = language  # of a text without a file
        self.number = 0  # of those without a file, for people
        self.saved = file or FileText()  # as it is on the disk, or was when it was opened
        self.stamp: tuple[int, int] | None = None  # of the file when it was read or written
        self.can_write = True
        self.text_document = QTextDocument(self)
        self._is_filled = False
        self._slices: Iterator[None] = iter(())

    @property
    def is_filled(self) -> bool:
        return self._is_filled

    @property
    def name(self) -> str:
        """What people call it."""
        if self.path is not None:
            return visible(self.path.name)
        return tr("Untitled {number}", number=self.number)

    @property
    def key(self) -> str:
        """What its edits are kept under."""
        return self.id if self.path is None else str(self.path)

    @property
    def language(self) -> str:
        """As `language_of` says of its file."""
        return self._language if self.path is None else language_of(self.path.name)

    @property
    def is_modified(self) -> bool:
        return self.text_document.isModified()

    @property
    def is_empty(self) -> bool:
        return self.text_document.isEmpty()

    @property
    def text(self) -> str:
        """All of it. Takes 4 ms a megabyte: not for every key."""
        return self.text_document.toRawText().replace(_BLOCK_END, "\n")

    @property
    def units(self) -> int:
        """Its length in UTF-16 units."""
        return self.text_document.characterCount() - 1

    def read(self, on_text: Callable[[str, int], object]) -> Reading:
        """Calls `on_text` with all of the text and its revision, read in slices if it is long."""
        reading = Reading(self, on_text)
        reading.go_on()
        return reading

    def part(self, place: Range) -> str:
        """The text of a range."""
        cursor = self._cursor(place)
        return cursor.selectedText().replace(_BLOCK_END, "\n")

    def fill(self, text: str, *, at_once: bool = False) -> None:
        """Puts in the first text, which nobody can undo; in slices if it is long.

        The layout must have been set before. `filled` follows.
        """
        self.text_document.documentLayout()  # without one Qt tells of no change
        self.text_document.setUndoRedoEnabled(False)
        self._slices = self._fill(text)
        if at_once or len(text) <= SLICE:
            for _ in self._slices:
                pass
        else:
            self._go_on()

    def mark_modified(self) -> None:
        """What is shown is not what is on the disk, although nobody has typed here."""
        self.text_document.setModified(True)

    def mark_saved(self, file: FileText, revision: int) -> None:
        """`file` is on the disk, written when the document had this revision."""
        self.saved = file
        self.text_document.blockSignals(True)
        self.text_document.setModified(False)
        if self.text_document.revision() != revision:  # no undoing leads to what was written
            self.text_document.setModified(True)
        self.text_document.blockSignals(False)
        self.state_changed.emit()

    def replace(self, edits: Sequence[tuple[Range, str]]) -> None:
        """Puts new text in place of each range. One step to undo, however many there are."""
        cursor = QTextCursor(self.text_document)
        cursor.beginEditBlock()
        for place, text in reversed(sorted(edits, key=lambda edit: edit[0].start)):  # noqa: C413
            cursor.setPosition(place.start)
            cursor.setPosition(place.end, QTextCursor.MoveMode.KeepAnchor)
            cursor.insertText(clean(text))
        cursor.endEditBlock()

    def replace_all(self, text: str) -> None:
        """Puts in another text: of it, only what is another one. One step to undo."""
        old, new = self.text, clean(text)
        head = common_start(old, new)
        tail = common_start(old[head:][::-1], new[head:][::-1])
        place = Range(start=units(old[:head]), end=units(old[: len(old) - tail]))
        self.replace([(place, new[head : len(new) - tail])])

    def _fill(self, text: str) -> Iterator[None]:
        cursor = QTextCursor(self.text_document)
        for start in range(0, len(text), SLICE):
            cursor.insertText(text[start : start + SLICE])
            yield
        self.text_document.setModified(False)
        self.text_document.setUndoRedoEnabled(True)
        self.text_document.contentsChange.connect(self._on_change)
        self.text_document.modificationChanged.connect(lambda _is: self.state_changed.emit())
        self._is_filled = True
        self.filled.emit()

    def _go_on(self) -> None:
        if next(self._slices, self) is None:
            QTimer.singleShot(0, self, self._go_on)

    def _on_change(self, at: int, removed: int, added: int) -> None:
        end = min(at + added, self.units)  # Qt counts the end of the document, too
        self.edited.emit(Change(at=at, removed=removed, added=self.part(Range(start=at, end=end))))

    def _cursor(self, place: Range) -> QTextCursor:
        cursor = QTextCursor(self.text_document)
        cursor.setPosition(place.start)
        cursor.setPosition(min(place.end, self.units), QTextCursor.MoveMode.KeepAnchor)
        return cursor


class Reading:
    """One reading of a whole document, a slice in each turn of the event loop.

    Who types meanwhile lets it begin again. `finish` does all that is left at once.
    """

    def __init__(self, document: Document, on_text: Callable[[str, int], object]) -> None:
        self._document = document
        self._on_text = on_text
        self._revision = -1
        self._reads = 0
        self._parts: list[str] = []
        self._at = 0
        self.is_done = False

    def go_on(self) -> None:
        if self.is_done:
            return
        document = self._document.text_document
        if document.revision() != self._revision:
            self._revision = document.revision()
            self._reads += 1
            self._parts, self._at = [], 0
        if self._document.units <= READ_SLICE or self._reads > MOST_READS:
            self.finish()
            return
        block = document.findBlock(self._at + READ_SLICE)
        end = block.position() if block.isValid() else self._document.units
        end = self._document.units if end <= self._at else end
        self._parts.append(self._document.part(Range(start=self._at, end=end)))
        self._at = end
        if end >= self._document.units:
            self._give("".join(self._parts))
        else:
            QTimer.singleShot(0, self._document, self.go_on)

    def finish(self) -> None:
        if not self.is_done:
            self._revision = self._document.text_document.revision()
            self._give(self._document.text)

    def _give(self, text: str) -> None:
        self.is_done = True
        self._on_text(text, self._revision)
