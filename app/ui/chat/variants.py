"""The variants of a message, to go through: 2 of 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app.ui.theme import Theme
from app.ui.widgets import IconButton, plain_label
from app.words import tr


class _Parts(NamedTuple):
    earlier: IconButton
    label: QLabel
    later: IconButton


class Variants(QWidget):
    """Hidden where there is only one; its parts are built where there are more."""

    def __init__(
        self, theme: Theme, show: Callable[[str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._show = show
        self._ids: tuple[str, ...] = ()
        self._place = 0
        self._is_busy = False
        self._parts: _Parts | None = None
        self.hide()

    @property
    def text(self) -> str:
        return self._parts.label.text() if self._parts is not None else ""

    def show_variants(self, ids: tuple[str, ...], current: str) -> None:
        self._ids, self._place = ids, ids.index(current)
        if len(ids) > 1:
            if self._parts is None:
                self._parts = self._build()
            words = tr("{place} of {count}", place=self._place + 1, count=len(ids))
            self._parts.label.setText(words)
            self._enable()
        self.setVisible(len(ids) > 1)

    def set_busy(self, is_busy: bool) -> None:
        """While an answer is written the branch stays."""
        self._is_busy = is_busy
        self._enable()

    def _build(self) -> _Parts:
        earlier = IconButton(self._theme, "earlier", tr("Earlier variant"), size=16)
        later = IconButton(self._theme, "later", tr("Later variant"), size=16)
        label = plain_label(muted=True, wrap=False)
        earlier.clicked.connect(lambda: self._go(-1))
        later.clicked.connect(lambda: self._go(1))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (earlier, label, later):
            layout.addWidget(part)
        return _Parts(earlier, label, later)

    def _enable(self) -> None:
        if self._parts is not None:
            is_free, last = not self._is_busy, len(self._ids) - 1
            self._parts.earlier.setEnabled(is_free and self._place > 0)
            self._parts.later.setEnabled(is_free and self._place < last)

    def _go(self, by: int) -> None:
        self._show(self._ids[self._place + by])
