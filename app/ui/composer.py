"""Where one types. Enter sends, Shift+Enter begins a new line; a large paste waits as a note."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.state.restore import Unsent
from app.state.text import clean, is_blank
from app.ui.theme import Theme, reading_font
from app.ui.widgets import flat_button, plain_label, restyle

TYPED_CHARACTERS = 10_000  # in the field at most; word wrap of far more would freeze the window
ROWS = 8  # the field grows up to this, then scrolls


class Input(QPlainTextEdit):
    """A plain text field as high as its text.

    Signals:
        sent(): Enter was pressed.
        pasted(str): a paste too large for the field.
        focus_changed(bool)
    """

    sent = Signal()
    pasted = Signal(str)
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(reading_font())
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabChangesFocus(True)
        self.setAccessibleName("Message")
        self.document().setDocumentMargin(4)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self.textChanged.connect(self._fit)
        self._fit()

    def insertFromMimeData(self, source: QMimeData) -> None:
        text = clean(source.text())
        if len(text) + self.document().characterCount() > TYPED_CHARACTERS:
            self.pasted.emit(text)
        else:
            self.insertPlainText(text)
            self.ensureCursorVisible()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.sent.emit()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self, *_: object) -> None:
        line = QFontMetricsF(self.font()).lineSpacing()
        rows = min(max(1.0, self.document().size().height()), ROWS)  # a plain document counts lines
        is_full = self.document().size().height() > ROWS
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if is_full else policy.ScrollBarAlwaysOff
        )
        self.setFixedHeight(math.ceil(rows * line + 2 * self.document().documentMargin() + 2))


class Composer(QWidget):
    """The field with its button. Keeps what it holds until the owner takes it.

    Signals:
        send_requested(): the user wants `unsent` sent.
        stop_requested()
        changed(): `unsent` is another one.
    """

    send_requested = Signal()
    stop_requested = Signal()
    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._pasted = ""
        self._is_busy = False
        self._input = Input()
        self._button = QPushButton()
        self._hint = plain_label(
            "Enter sends, Shift+Enter starts a new line", muted=True, wrap=False
        )
        self._note = plain_label(wrap=False)
        self._note_frame = self._build_note()
        self._build()
        self._input.sent.connect(self._on_sent)
        self._input.pasted.connect(self._on_pasted)
        self._input.focus_changed.connect(self._on_focus_changed)
        self._input.textChanged.connect(self._on_changed)
        self._button.clicked.connect(self._on_button)
        theme.changed.connect(self._dress_button)
        self._dress_button()

    @property
    def unsent(self) -> Unsent:
        return Unsent(typed=clean(self._input.toPlainText()), pasted=self._pasted)

    def set_unsent(self, unsent: Unsent) -> None:
        """Replaces what is there."""
        self._pasted = ""
        self._input.clear()
        self._insert(unsent.typed)
        if unsent.pasted:
            self._on_pasted(unsent.pasted)
        self._on_changed()

    def put_before(self, text: str) -> None:
        """Brings a text back to be edited, in front of anything typed since then."""
        typed = self._input.toPlainText()
        self._input.clear()
        self._insert(text if is_blank(typed) else f"{text}\n\n{typed}")
        self._input.setFocus()

    def clear(self) -> None:
        self.set_unsent(Unsent())

    def set_busy(self, is_busy: bool) -> None:
        """While busy the button stops the answer; one can go on typing."""
        self._is_busy = is_busy
        self._dress_button()

    def set_placeholder(self, text: str) -> None:
        self._input.setPlaceholderText(text)
        self._input.viewport().update()  # Qt repaints only if it becomes visible or hidden

    def focus(self) -> None:
        self._input.setFocus()

    def _build(self) -> None:
        self._button.setObjectName("act")
        self._button.setFixedSize(QSize(34, 34))
        self._button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusProxy(self._input)
        row = QHBoxLayout()
        row.setContentsMargins(6, 0, 0, 0)
        row.addWidget(self._hint, 1)
        row.addWidget(self._button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 10, 10)
        layout.setSpacing(8)
        layout.addWidget(self._note_frame)
        layout.addWidget(self._input)
        layout.addLayout(row)

    def _build_note(self) -> QFrame:
        frame = QFrame()
        frame.setObjectName("attachment")
        remove = flat_button("Remove")
        remove.clicked.connect(self._on_note_removed)
        layout = QHBoxLayout(frame)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.addWidget(self._note, 1)
        layout.addWidget(remove)
        frame.hide()
        return frame

    def _insert(self, text: str) -> None:
        if len(text) > TYPED_CHARACTERS:
            self._on_pasted(text)
        else:
            self._input.insertPlainText(text)

    def _on_sent(self) -> None:
        if not self._is_busy:
            self.send_requested.emit()

    def _on_button(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        else:
            self.send_requested.emit()
        self._input.setFocus()

    def _on_pasted(self, text: str) -> None:
        self._pasted = f"{self._pasted}\n\n{text}" if self._pasted else text
        self._on_changed()

    def _on_note_removed(self) -> None:
        self._pasted = ""
        self._on_changed()
        self._input.setFocus()

    def _on_changed(self) -> None:
        self._note_frame.setVisible(bool(self._pasted))
        self._note.setText(f"Pasted text · {len(self._pasted):,} characters")
        self._dress_button()
        self.changed.emit()

    def _on_focus_changed(self, has_focus: bool) -> None:
        self.setProperty("focused", has_focus)
        restyle(self)

    def _dress_button(self) -> None:
        is_idle = not self._is_busy and not self._pasted and is_blank(self._input.toPlainText())
        colors = self._theme.colors
        name = "Stop, and keep what has settled (Esc)" if self._is_busy else "Send (Enter)"
        icon = "stop" if self._is_busy else "send"
        self._button.setIcon(self._theme.icon(icon, colors.muted if is_idle else colors.on_accent))
        self._button.setIconSize(QSize(20, 20))
        self._button.setToolTip(name)
        self._button.setAccessibleName("Stop" if self._is_busy else "Send")
        self._button.setProperty("idle", is_idle)
        restyle(self._button)
