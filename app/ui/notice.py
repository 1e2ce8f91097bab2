"""A message above the composer that stays until it is dealt with."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.ui.widgets import flat_button, plain_label
from app.words import tr


class Notice(QFrame):
    """What went wrong, what to do, and a button that does it.

    Signals:
        retry_requested()
    """

    retry_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("error")
        self._message = plain_label()
        self._message.setObjectName("message")
        self._remedy = plain_label()
        self._retry = QPushButton(tr("Try again"))
        self._retry.setCursor(Qt.CursorShape.PointingHandCursor)
        self._retry.clicked.connect(self.retry_requested)
        self._other = QPushButton()
        self._other.setCursor(Qt.CursorShape.PointingHandCursor)
        self._other.clicked.connect(self._on_other)
        self._do: Callable[[], object] | None = None
        dismiss = flat_button(tr("Dismiss"))
        dismiss.clicked.connect(self.hide)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._message)
        words.addWidget(self._remedy)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 12, 12, 12)
        layout.addLayout(words, 1)
        layout.addWidget(self._retry)
        layout.addWidget(self._other)
        layout.addWidget(dismiss)
        self.hide()

    @property
    def text(self) -> str:
        return f"{self._message.text()} {self._remedy.text()}".strip()

    def resolve(self) -> None:
        """What could be tried again has worked."""
        if not self._retry.isHidden():
            self.hide()

    def tell(
        self, message: str, remedy: str = "", *, can_retry: bool = False, retry: str = ""
    ) -> None:
        """`retry`: what the button says instead of "Try again"."""
        self._retry.setText(retry or tr("Try again"))
        self._message.setText(message)
        self._remedy.setText(remedy)
        self._remedy.setVisible(bool(remedy))
        self._retry.setVisible(can_retry)
        self._other.hide()
        self.show()

    def offer(self, words: str, do: Callable[[], object]) -> None:
        """Another way out of what the notice tells now."""
        self._other.setText(words)
        self._other.show()
        self._do = do

    def _on_other(self) -> None:
        self.hide()
        if self._do is not None:
            self._do()
