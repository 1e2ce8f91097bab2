"""The field in which a question is said in other words."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.state.text import clean, is_blank
from app.ui.chat.input import Input
from app.ui.chat.surroundings import Surroundings
from app.ui.theme import reading_font
from app.ui.widgets import flat_button, plain_label, restyle
from app.words import tr


class QuestionEditor(QWidget):
    """Sends with the key of the composer. Escape leaves everything as it was.

    Signals:
        sent(): the user wants `text` asked.
        cancelled()
    """

    sent = Signal()
    cancelled = Signal()

    def __init__(self, text: str, around: Surroundings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("composer")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._input = Input()
        self._input.setAccessibleName(tr("Your message, in other words"))
        self._input.send_key = around.settings.value.send_key
        self._input.insertPlainText(text)
        self._input.sent.connect(self.sent)
        self._input.pasted.connect(self._on_too_long)
        self._input.refused.connect(self._on_too_long)
        self._input.textChanged.connect(lambda: self.tell(""))
        self._input.focus_changed.connect(self._on_focus_changed)
        self._why = plain_label(muted=True)
        send, cancel = QPushButton(tr("Ask again")), flat_button(tr("Cancel"))
        send.setObjectName("primary")
        send.setCursor(Qt.CursorShape.PointingHandCursor)
        send.clicked.connect(self.sent)
        cancel.clicked.connect(self.cancelled)
        cancel.setToolTip(tr("Leave the message as it was (Esc)"))
        row = QHBoxLayout()
        row.setContentsMargins(4, 0, 0, 0)
        row.addWidget(self._why, 1)
        row.addWidget(cancel)
        row.addWidget(send)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 10, 10)
        layout.addWidget(self._input)
        layout.addLayout(row)
        around.theme.changed.connect(self._on_theme_changed)

    @property
    def text(self) -> str:
        return clean(self._input.toPlainText())

    def focus(self) -> None:
        self._input.setFocus()

    def tell(self, words: str) -> None:
        """A quiet line beside the buttons."""
        self._why.setText(words)

    def say_why_not(self) -> None:
        """The text could not be sent now."""
        if is_blank(self.text):
            self.tell(tr("There is nothing to ask yet."))
        else:
            self.tell(tr("Another answer is being written. Stop it or wait for its end."))

    def event(self, event: QEvent) -> bool:
        """Escape, wherever in here the focus is, before the window takes it to stop the answer."""
        is_key = event.type() in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride)
        if is_key and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            if event.type() == QEvent.Type.KeyPress:
                self.cancelled.emit()
            return True
        return super().event(event)

    def _on_too_long(self, _paste: object) -> None:
        self.tell(tr("The pasted text is too long to be edited here. Send it as a new message."))

    def _on_focus_changed(self, has_focus: bool) -> None:
        self.setProperty("focused", has_focus)
        restyle(self)

    def _on_theme_changed(self) -> None:
        self._input.setFont(reading_font())
