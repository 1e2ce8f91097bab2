"""Finds and replaces in one document."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLineEdit, QPushButton, QWidget

from app.state.editor.changes import Range, units
from app.state.editor.document import Document
from app.ui.editor.text_editor import TextEditor
from app.ui.theme import Theme
from app.ui.widgets import IconButton, flat_button, plain_label
from app.words import plural, tr

MOST_SHOWN = 10_000  # places; beyond that nobody counts
DELAY_MS = 120
SLICE = 500_000  # units that are searched at a time


class FindBar(QFrame):
    """Case counts where the query has a capital letter. Escape hides it.

    Signals:
        found(): what is found is something else now.
    """

    found = Signal()

    def __init__(
        self, document: Document, editor: TextEditor, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._document = document
        self._editor = editor
        self._places: list[Range] = []
        self.query = QLineEdit()
        self.query.setPlaceholderText(tr("Find"))
        self.query.setAccessibleName(tr("Find"))
        self.other = QLineEdit()
        self.other.setPlaceholderText(tr("Replace by"))
        self.other.setAccessibleName(tr("Replace by"))
        self._count = plain_label(muted=True, wrap=False)
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self._look)
        self._slices: Iterator[bool] = iter(())
        self._more = QTimer(self, singleShot=True, interval=0)
        self._more.timeout.connect(self._go_on)
        self.query.textChanged.connect(lambda _text: self._timer.start())
        document.edited.connect(lambda _change: self._timer.start() if self.isVisible() else None)
        self.query.installEventFilter(self)
        self.other.installEventFilter(self)
        self._build(theme)
        self.hide()

    @property
    def places(self) -> list[Range]:
        """Where the query is found."""
        return self._places if self.isVisible() else []

    @property
    def words(self) -> str:
        return self._count.text()

    def open(self, *, replacing: bool = False) -> None:
        """With what is selected as the query, if that is a few words."""
        chosen = self._document.part(self._editor.selection)
        if chosen and "\n" not in chosen and len(chosen) < 200:
            self.query.setText(chosen)
        for widget in (self.other, self._one, self._all):
            widget.setVisible(replacing)
        self.show()
        self._look()
        self.query.setFocus()
        self.query.selectAll()

    def close_bar(self) -> None:
        self.hide()
        self.found.emit()
        self._editor.setFocus()

    def step(self, by: int) -> None:
        """To the next place, or the one before, round about."""
        if self._timer.isActive():
            self._look()
        if not self._places:
            return
        here = self._editor.selection
        if by > 0:
            after = [each for each in self._places if each.start >= here.end and each != here]
            self._editor.select(after[0] if after else self._places[0])
        else:
            before = [each for each in self._places if each.end <= here.start]
            self._editor.select(before[-1] if before else self._places[-1])
        self._say()

    def replace_one(self) -> None:
        """What is selected, if it is one of the places; then on to the next."""
        here = self._editor.selection
        if here in self._places and not self._editor.isReadOnly():
            self._document.replace([(here, self.other.text())])
            self._look()
        self.step(1)

    def replace_all(self) -> None:
        """One step to undo."""
        if self._places and not self._editor.isReadOnly():
            places = find(self._document.text, self.query.text())
            self._document.replace([(place, self.other.text()) for place in places])
            self._look()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            is_back = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                if watched is self.other:
                    self.replace_one()
                else:
                    self.step(-1 if is_back else 1)
                return True
        return super().eventFilter(watched, event)

    def _build(self, theme: Theme) -> None:
        back = IconButton(theme, "earlier", tr("The place before (Shift+F3)"), size=16)
        forward = IconButton(theme, "later", tr("The next place (F3)"), size=16)
        back.clicked.connect(lambda: self.step(-1))
        forward.clicked.connect(lambda: self.step(1))
        self._one = QPushButton(tr("Replace"))
        self._all = QPushButton(tr("Replace all"))
        self._one.clicked.connect(self.replace_one)
        self._all.clicked.connect(self.replace_all)
        close = flat_button(tr("Close"))
        close.clicked.connect(self.close_bar)
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 6, 8, 6)
        grid.setHorizontalSpacing(6)
        for column, part in enumerate((self.query, self._count, back, forward, close)):
            grid.addWidget(part, 0, column)
        grid.addWidget(self.other, 1, 0)
        grid.addWidget(self._one, 1, 1)
        grid.addWidget(self._all, 1, 2, 1, 3)
        grid.setColumnStretch(0, 1)

    def _look(self) -> None:
        """Looks at once where the text is short, else a slice at a time."""
        self._timer.stop()
        self._places = []
        self._slices = self._search()
        self._go_on()

    def _go_on(self) -> None:
        is_done = next(self._slices, True)
        self._say()
        self.found.emit()
        if not is_done:
            self._more.start()

    def _search(self) -> Iterator[bool]:
        """False after each slice that is not the last one. A query has no line ends, so slices may."""
        document, query, start = self._document, self.query.text(), 0
        while query and start < document.units and len(self._places) < MOST_SHOWN:
            block = document.text_document.findBlock(start + SLICE)
            end = block.position() if block.isValid() else document.units
            end = document.units if end <= start else end
            found = find(document.part(Range(start=start, end=end)), query, start)
            self._places += found[: MOST_SHOWN - len(self._places)]
            start = end
            yield start >= document.units

    def _say(self) -> None:
        count, here = len(self._places), self._editor.selection
        if not self.query.text():
            self._count.setText("")
        elif count >= MOST_SHOWN:
            self._count.setText(tr("more than {count} places", count=MOST_SHOWN))
        elif here in self._places:
            number = self._places.index(here) + 1
            self._count.setText(tr("{number} of {count}", number=number, count=count))
        else:
            self._count.setText(plural("{count} place", "{count} places", count))


def find(text: str, query: str, offset: int = 0) -> list[Range]:
    """All places of `query`, in UTF-16 units. Without capitals in it case does not count.

    `offset` is where the text begins.
    """
    if not query:
        return []
    if query == query.lower() and len(text.lower()) == len(text):
        text = text.lower()
    length = units(query)
    found: list[Range] = []
    at, place = 0, offset
    while (hit := text.find(query, at)) >= 0:
        place += units(text[at:hit])
        found.append(Range(start=place, end=place + length))
        at, place = hit + len(query), place + length
    return found
