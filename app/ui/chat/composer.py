"""Where one types. Enter sends, Shift+Enter begins a new line; a large paste waits as a note.

A paste that no model could read is refused, and stays on the clipboard. In an empty field Up brings
back what was asked before, as in a terminal.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.settings import SendKey
from app.state.text import clean, is_blank
from app.state.unsent import Unsent
from app.ui.announce import announce
from app.ui.chat.input import PASTED_BYTES, TYPED_CHARACTERS, Input
from app.ui.theme import Theme, reading_font
from app.ui.widgets import OneLine, flat_button, plain_label, restyle
from app.words import number, tr


class Composer(QWidget):
    """The field with its button. Keeps what it holds until the owner takes it.

    Signals:
        send_requested(): the user wants `unsent` sent.
        stop_requested()
        changed(): `unsent` is another one.
        paged(int): the talk is to scroll, 1 for a page down, -1 for a page up.
    """

    send_requested = Signal()
    stop_requested = Signal()
    changed = Signal()
    paged = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._pasted = ""
        self._is_busy = False
        self._asked: tuple[str, ...] = ()
        self._recalled = 0  # how far back; 0 is what one types oneself
        self._input = Input()
        self._button = QPushButton()
        self._hint = OneLine()
        self._hint.setProperty("muted", True)
        self._note = plain_label(wrap=False)
        self._note_frame = self._build_note()
        self._told = plain_label()
        self._build()
        self._input.sent.connect(self._on_sent)
        self._input.recalled.connect(self._on_recalled)
        self._input.paged.connect(self.paged)
        self._input.pasted.connect(self._on_pasted)
        self._input.refused.connect(self._refuse)
        self._input.focus_changed.connect(self._on_focus_changed)
        self._input.textChanged.connect(self._on_changed)
        self._button.clicked.connect(self._on_button)
        theme.changed.connect(self._on_theme_changed)
        self.set_send_key(SendKey.ENTER)
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
            self._attach(unsent.pasted)
        self._on_changed()

    def put_before(self, text: str) -> None:
        """Brings a text back to be edited, in front of anything typed since then."""
        typed = self._input.toPlainText()
        self._input.clear()
        self._insert(text if is_blank(typed) else f"{text}\n\n{typed}")
        self._input.setFocus()

    def set_asked(self, questions: tuple[str, ...]) -> None:
        """What Up brings back, oldest first."""
        self._asked = tuple(text for text in questions if len(text) <= TYPED_CHARACTERS)
        self._recalled = 0
        self._input.is_recalling = False

    def set_send_key(self, key: SendKey) -> None:
        self._input.send_key = key
        self._hint.setText(
            tr("Enter sends, Shift+Enter starts a new line")
            if key is SendKey.ENTER
            else tr("Ctrl+Enter sends, Enter starts a new line")
        )
        self._dress_button()

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
        self._told.hide()
        layout.addWidget(self._note_frame)
        layout.addWidget(self._told)
        layout.addWidget(self._input)
        layout.addLayout(row)

    def _build_note(self) -> QFrame:
        frame = QFrame()
        frame.setObjectName("attachment")
        remove = flat_button(tr("Remove"))
        remove.clicked.connect(self._on_note_removed)
        layout = QHBoxLayout(frame)
        layout.setContentsMargins(12, 4, 6, 4)
        layout.addWidget(self._note, 1)
        layout.addWidget(remove)
        frame.hide()
        return frame

    def _insert(self, text: str) -> None:
        if len(text) > TYPED_CHARACTERS:
            self._attach(text)
        else:
            self._input.insertPlainText(text)

    def _on_sent(self) -> None:
        if not self._is_busy:
            self.send_requested.emit()

    def _on_recalled(self, steps: int) -> None:
        place = self._recalled + steps
        if not 0 <= place <= len(self._asked):
            return
        text = self._asked[-place] if place else ""
        self._input.setPlainText(text)
        self._input.moveCursor(QTextCursor.MoveOperation.End)
        self._recalled = place
        self._input.is_recalling = bool(place)

    def _on_button(self) -> None:
        if self._is_busy:
            self.stop_requested.emit()
        else:
            self.send_requested.emit()
        self._input.setFocus()

    def _on_pasted(self, text: str) -> None:
        size = len(self._pasted) + len(text)
        if size > PASTED_BYTES:
            self._refuse(size)
        else:
            self._attach(text)

    def _refuse(self, size: int) -> None:
        """Says so until something changes. `size` is in bytes, or nearly."""
        words = tr(
            "No model can read {size} MB of text; at most {most} MB fit into a message. "
            "What you copied is still on the clipboard.",
            size=math.ceil(size / 1e6),
            most=PASTED_BYTES // 1_000_000,
        )
        self._told.setText(words)
        self._told.show()
        self._told.setAccessibleName(words)
        announce(self._told, words)

    def _attach(self, text: str) -> None:
        self._pasted = f"{self._pasted}\n\n{text}" if self._pasted else text
        self._on_changed()

    def _on_note_removed(self) -> None:
        self._pasted = ""
        self._on_changed()
        self._input.setFocus()

    def _on_changed(self) -> None:
        self._told.hide()
        self._note_frame.setVisible(bool(self._pasted))
        self._note.setText(tr("Pasted text · {count} characters", count=number(len(self._pasted))))
        if self._recalled and self._input.toPlainText() != self._asked[-self._recalled]:
            self._recalled = 0  # changed: it is a new text now
            self._input.is_recalling = False
        self._dress_button()
        self.changed.emit()

    def _on_focus_changed(self, has_focus: bool) -> None:
        self.setProperty("focused", has_focus)
        restyle(self)

    def _on_theme_changed(self) -> None:
        self._input.setFont(reading_font())
        self._dress_button()

    def _dress_button(self) -> None:
        is_idle = not self._is_busy and not self._pasted and is_blank(self._input.toPlainText())
        colors = self._theme.colors
        is_enter = self._input.send_key is SendKey.ENTER
        send = tr("Send (Enter)") if is_enter else tr("Send (Ctrl+Enter)")
        name = tr("Stop, and keep what has settled (Esc)") if self._is_busy else send
        icon = "stop" if self._is_busy else "send"
        self._button.setIcon(self._theme.icon(icon, colors.muted if is_idle else colors.on_accent))
        self._button.setIconSize(QSize(20, 20))
        self._button.setToolTip(name)
        self._button.setAccessibleName(tr("Stop") if self._is_busy else tr("Send"))
        self._button.setProperty("idle", is_idle)
        restyle(self._button)
