"""A word about what has just happened, with a way to take it back. Goes away by itself."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from app.ui.announce import announce
from app.ui.widgets import flat_button, plain_label
from app.words import tr

SHOWN_MS = 10_000


class Toast(QFrame):
    """Stays for as long as the mouse or the keyboard is in it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._words = plain_label()
        self._action = QPushButton()
        self._action.setCursor(Qt.CursorShape.PointingHandCursor)
        self._action.clicked.connect(self._on_action)
        self._do: Callable[[], object] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._timer.timeout.connect(self.hide)
        dismiss = flat_button(tr("Dismiss"))
        dismiss.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 10, 8)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._action)
        layout.addWidget(dismiss)
        self._action.installEventFilter(self)
        dismiss.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        return self._words.text()

    def tell(self, words: str, action: str = "", do: Callable[[], object] | None = None) -> None:
        """Shows `words`; `action` names the button that calls `do`."""
        self._words.setText(words)
        self._do = do
        self._action.setText(action)
        self._action.setVisible(do is not None)
        self.show()
        self._wait()
        self.setAccessibleName(words)
        announce(self, words)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._wait()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        match event.type():
            case QEvent.Type.FocusIn:
                self._timer.stop()
            case QEvent.Type.FocusOut:
                self._wait()
        return False

    def _wait(self) -> None:
        """Goes away later, unless somebody is about to use it."""
        focus = self.focusWidget()
        has_focus = focus is not None and focus.hasFocus()
        if not self.underMouse() and not has_focus:
            self._timer.start()

    def _on_action(self) -> None:
        self.hide()
        if self._do is not None:
            self._do()
