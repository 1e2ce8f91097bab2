"""What the editor shows as long as no document is open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import PurePath

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.state.text import visible
from app.ui.theme import TEXT_WIDTH, Theme, reading_font
from app.ui.widgets import flat_button, plain_label
from app.words import tr

SHOWN = 6


class EmptyEditor(QWidget):
    """Signals:
    new_requested(), open_requested(), recent_requested(str)
    """

    new_requested = Signal()
    open_requested = Signal()
    recent_requested = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = plain_label(tr("Write, and let the model rewrite what you select."))
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        how = plain_label(
            tr(
                "Select a passage and press Ctrl+K. Write ____ or [[what belongs here]] where "
                "something is missing: all gaps are filled at once. Nothing changes before you "
                "accept it."
            ),
            muted=True,
        )
        how.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._new = QPushButton(tr("New document"))
        self._new.setObjectName("primary")
        self._new.clicked.connect(self.new_requested)
        open_ = QPushButton(tr("Open a file"))
        open_.clicked.connect(self.open_requested)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self._new)
        buttons.addWidget(open_)
        buttons.addStretch(1)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        column = QVBoxLayout()
        column.setSpacing(16)
        column.addStretch(2)
        column.addWidget(self._title)
        column.addWidget(how)
        column.addLayout(buttons)
        column.addLayout(self._recent)
        column.addStretch(3)
        middle = QWidget()
        middle.setLayout(column)
        middle.setMaximumWidth(TEXT_WIDTH)
        row = QHBoxLayout(self)
        row.addStretch(1)
        row.addWidget(middle, 100)
        row.addStretch(1)
        theme.changed.connect(self._set_font)
        self._set_font()

    def focus(self) -> None:
        self._new.setFocus()

    def show_recent(self, paths: Sequence[str]) -> None:
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for path in paths[:SHOWN]:
            button = flat_button(visible(PurePath(path).name).replace("&", "&&"))
            button.setToolTip(visible(path))
            button.clicked.connect(partial(self._ask_for, path))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignCenter)

    def _ask_for(self, path: str, _checked: bool = False) -> None:
        self.recent_requested.emit(path)

    def _set_font(self) -> None:
        font = reading_font()
        font.setPointSizeF(font.pointSizeF() * 1.35)
        font.setWeight(font.Weight.DemiBold)
        self._title.setFont(font)
