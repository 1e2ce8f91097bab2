"""The variants of a message, to go through: 2 of 3."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.theme import Theme
from app.ui.widgets import IconButton, plain_label
from app.words import tr


class Variants(QWidget):
    """Hidden where there is only one."""

    def __init__(
        self, theme: Theme, show: Callable[[str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._show = show
        self._ids: tuple[str, ...] = ()
        self._place = 0
        self._is_busy = False
        self._earlier = IconButton(theme, "earlier", tr("Earlier variant"), size=16)
        self._later = IconButton(theme, "later", tr("Later variant"), size=16)
        self._label = plain_label(muted=True, wrap=False)
        self._earlier.clicked.connect(lambda: self._go(-1))
        self._later.clicked.connect(lambda: self._go(1))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (self._earlier, self._label, self._later):
            layout.addWidget(part)
        self.hide()

    @property
    def text(self) -> str:
        return self._label.text()

    def show_variants(self, ids: tuple[str, ...], current: str) -> None:
        self._ids, self._place = ids, ids.index(current)
        self._label.setText(tr("{place} of {count}", place=self._place + 1, count=len(ids)))
        self._enable()
        self.setVisible(len(ids) > 1)

    def set_busy(self, is_busy: bool) -> None:
        """While an answer is written the branch stays."""
        self._is_busy = is_busy
        self._enable()

    def _enable(self) -> None:
        self._earlier.setEnabled(not self._is_busy and self._place > 0)
        self._later.setEnabled(not self._is_busy and self._place + 1 < len(self._ids))

    def _go(self, by: int) -> None:
        self._show(self._ids[self._place + by])
