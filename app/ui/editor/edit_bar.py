"""The small bar at the text: what is to be done with it, how far that is, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QRect, Qt, Signal, SignalInstance
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.state.editor.edit import EditSession
from app.state.editor.quick import Quick, quick_actions, remarks
from app.state.text import visible
from app.ui.announce import announce
from app.ui.theme import Theme
from app.ui.widgets import IconButton, flat_button, plain_label
from app.words import tr
from engine.messages import Strength

WIDTH = 620  # pixels, at the usual size of the interface
DISTANCE = 6  # from the text


class EditBar(QFrame):
    """Shows one of three rows. Lies over the editor, beside the text it is about.

    Signals:
        run_requested(str), quick_requested(Quick), keep_requested(str)
        cancel_requested(), accept_requested(), accept_hunk_requested(), reject_hunk_requested()
        again_requested(), refine_requested(), step_requested(int)
    """

    run_requested = Signal(str)
    quick_requested = Signal(object)
    keep_requested = Signal(str)
    cancel_requested = Signal()
    accept_requested = Signal()
    accept_hunk_requested = Signal()
    reject_hunk_requested = Signal()
    again_requested = Signal()
    refine_requested = Signal()
    step_requested = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("popup")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self._theme = theme
        self._earlier: tuple[str, ...] = ()
        self._recalled = -1
        self._typed = ""
        self.field = QLineEdit()
        self.field.setAccessibleName(tr("What to do with this text"))
        self.field.returnPressed.connect(self._run)
        self.field.installEventFilter(self)
        self._saved = QHBoxLayout()
        self._is_partial = QCheckBox(tr("Few words only"))
        self._is_partial.setToolTip(
            tr("The words that fit least are changed, and the length stays")
        )
        self._progress = plain_label(muted=True, wrap=False)
        self._which = plain_label(wrap=False)
        self._remarks = plain_label(muted=True)
        self._steps = QWidget()
        self._hunks = QWidget()
        self._second_row = QHBoxLayout()
        self._row = 0
        self._pages = (self._prompt_row(), self._running_row(), self._offer_row())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        for page in self._pages:
            layout.addWidget(page)
        self.hide()

    @property
    def row(self) -> str:
        """Which of its rows is shown: "prompt", "running" or "offer"; empty if it is hidden."""
        names = ("prompt", "running", "offer")
        return "" if self.isHidden() else names[self._row]

    @property
    def strength(self) -> Strength:
        """How much of the text may be changed."""
        return Strength.MEDIUM if self._is_partial.isChecked() else Strength.FULL

    def ask(self, placeholder: str, *, has_text: bool, saved: Sequence[str]) -> None:
        """Lets the user say what is to be done; quick actions need a text."""
        self.field.setPlaceholderText(placeholder)
        self._recalled = -1
        self._show_quick(quick_actions() if has_text else (), saved)
        self._is_partial.setVisible(has_text)
        self._show(0)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.field.selectAll()

    def set_earlier(self, instructions: Sequence[str]) -> None:
        """What Up brings back, the latest first."""
        self._earlier = tuple(instructions)

    def show_progress(self, session: EditSession) -> None:
        draft = session.draft(0)
        self._progress.setText(
            tr("Step {step} of at most {most}", step=draft.step, most=draft.max_steps)
            if draft is not None
            else tr("The model reads your text")
        )
        self._show(1)

    def show_offer(self, session: EditSession) -> None:
        offer, proposal = session.offer, session.proposal
        if offer is None or proposal is None:
            return
        self._which.setText(
            tr("{number} of {count}", number=session.shown + 1, count=session.alternatives)
        )
        self._steps.setVisible(session.alternatives > 1)
        self._hunks.setVisible(len(offer.hunks) > 1)
        self._remarks.setText(remarks(proposal))
        self._remarks.setVisible(bool(self._remarks.text()))
        is_new = self.row != "offer"
        self._show(2)
        if is_new:  # the keyboard stays with the text, so a screen reader is told
            announce(self, f"{tr('An edit is offered')}. {self._remarks.text()}".strip())

    def place(self, text: QRect, room: QRect) -> None:
        """Above `text` if there is room, else below it; never outside of `room`."""
        self.setMinimumWidth(0)
        self.setMaximumWidth(16_777_215)
        if self._row == 2:
            self._spread(room.width() - 16)
        needed = self.sizeHint().width()
        wanted = max(needed, round(WIDTH * self._theme.scale)) if self._row == 0 else needed
        width = max(80, min(wanted, room.width() - 16))
        self.setFixedWidth(width)
        self.adjustSize()
        height = self.height()
        top = text.top() - height - DISTANCE
        if top < room.top():
            top = min(text.bottom() + DISTANCE, room.bottom() - height - 4)
        left = min(max(room.left() + 8, text.left()), max(room.left(), room.right() - width - 8))
        self.move(left, max(room.top(), top))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}
            by = steps.get(Qt.Key(event.key()))
            if by is not None:
                self._recall(by)
                return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.accept()  # what nobody wants here must not reach the text below

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.accept()

    # --- building ---------------------------------------------------------------------------------

    def _prompt_row(self) -> QWidget:
        run = QPushButton(tr("Run"))
        run.setObjectName("primary")
        run.clicked.connect(self._run)
        keep = IconButton(self._theme, "keep", tr("Keep this instruction"), size=16)
        keep.clicked.connect(lambda: self.keep_requested.emit(self.field.text().strip()))
        self.field.textChanged.connect(lambda text: keep.setEnabled(bool(text.strip())))
        keep.setEnabled(False)
        first = QHBoxLayout()
        for part in (self.field, keep, run):
            first.addWidget(part)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(first)
        self._saved.setSpacing(2)
        second = QHBoxLayout()
        second.addLayout(self._saved, 1)
        second.addWidget(self._is_partial)
        column.addLayout(second)
        return page

    def _running_row(self) -> QWidget:
        stop = flat_button(tr("Stop"))
        stop.setToolTip(tr("Let it go (Esc)"))
        stop.clicked.connect(self.cancel_requested)
        page = QWidget()
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._progress, 1)
        row.addWidget(stop)
        return page

    def _offer_row(self) -> QWidget:
        steps = QHBoxLayout(self._steps)
        hunks = QHBoxLayout(self._hunks)
        for layout in (steps, hunks):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(2)
        earlier = IconButton(self._theme, "earlier", tr("The one before (Alt+Left)"), size=16)
        later = IconButton(self._theme, "later", tr("The next one (Alt+Right)"), size=16)
        earlier.clicked.connect(lambda: self.step_requested.emit(-1))
        later.clicked.connect(lambda: self.step_requested.emit(1))
        for part in (earlier, self._which, later):
            steps.addWidget(part)
        accept = QPushButton(tr("Accept"))
        accept.setObjectName("primary")
        accept.setToolTip(tr("Take all that is left (Ctrl+Enter)"))
        accept.clicked.connect(self.accept_requested)
        for words, tip, signal in (
            (tr("This one"), tr("Take this change (Alt+Enter)"), self.accept_hunk_requested),
            (
                tr("Not this"),
                tr("Leave this as it was (Alt+Backspace)"),
                self.reject_hunk_requested,
            ),
        ):
            hunks.addWidget(_button(words, tip, signal))
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self._steps)
        row.addWidget(accept)
        row.addWidget(self._hunks)
        row.addStretch(1)
        again = IconButton(self._theme, "again", tr("Another try (Ctrl+R)"), size=16)
        again.clicked.connect(self.again_requested)
        refine = IconButton(self._theme, "edit", tr("In other words (Ctrl+K)"), size=16)
        refine.clicked.connect(self.refine_requested)
        row.addWidget(again)
        row.addWidget(refine)
        row.addWidget(
            _button(tr("Discard"), tr("Leave all as it was (Esc)"), self.cancel_requested)
        )
        column.addLayout(row)
        column.addLayout(self._second_row)
        column.addWidget(self._remarks)
        self._first_row = row
        return page

    def _spread(self, room: int) -> None:
        """What decides one change stands below the rest where the window is too narrow for all."""
        is_in_row = self._first_row.indexOf(self._hunks) >= 0
        needed = self.sizeHint().width()
        if not is_in_row and not self._hunks.isHidden():
            needed += self._hunks.sizeHint().width() + self._first_row.spacing()
        if needed <= room and not is_in_row:
            self._first_row.insertWidget(2, self._hunks)
        elif needed > room and is_in_row:
            self._second_row.addWidget(self._hunks, 0, Qt.AlignmentFlag.AlignLeft)

    # --- what happens -----------------------------------------------------------------------------

    def _show(self, row: int) -> None:
        self._row = row
        for number, page in enumerate(self._pages):
            page.setVisible(number == row)
        self.show()
        self.raise_()

    def _show_quick(self, actions: Sequence[Quick], saved: Sequence[str]) -> None:
        while (item := self._saved.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for action in actions:
            button = flat_button(action.label)
            button.clicked.connect(lambda _=False, each=action: self.quick_requested.emit(each))
            self._saved.addWidget(button)
        for words in saved:
            short = visible(words if len(words) <= 24 else f"{words[:23]}…")
            button = flat_button(short.replace("&", "&&"))
            button.setToolTip(visible(words))
            button.clicked.connect(lambda _=False, each=words: self.run_requested.emit(each))
            self._saved.addWidget(button)
        self._saved.addStretch(1)

    def _recall(self, by: int) -> None:
        at = self._recalled + by
        if not -1 <= at < len(self._earlier):
            return
        if self._recalled == -1:
            self._typed = self.field.text()
        self._recalled = at
        self.field.setText(self._typed if at == -1 else self._earlier[at])

    def _run(self) -> None:
        self.run_requested.emit(self.field.text().strip())


def _button(words: str, tip: str, signal: SignalInstance) -> QPushButton:
    button = flat_button(words)
    button.setToolTip(tip)
    button.clicked.connect(signal)
    return button
