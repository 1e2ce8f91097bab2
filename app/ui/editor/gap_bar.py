"""Below the text: the gaps in it, one chip each, and whether marks that were found are gaps."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPushButton, QWidget

from app.state.editor.gap_list import GapList
from app.state.editor.gaps import Gap, Length
from app.state.text import visible
from app.ui.widgets import flat_button, plain_label
from app.words import plural, tr

CHIPS = 8  # that are shown; the others are counted


class GapBar(QFrame):
    """Hidden as long as there is neither a gap nor a question.

    Signals:
        fill_requested()
        gap_chosen(int): somebody wants to see it.
    """

    fill_requested = Signal()
    gap_chosen = Signal(int)

    def __init__(self, gaps: GapList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("card")
        self._gaps = gaps
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 6, 8, 6)
        self._row.setSpacing(6)
        gaps.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        while (item := self._row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        if self._gaps.asked:
            self._ask(len(self._gaps.asked))
        elif self._gaps.gaps:
            self._list(self._gaps.gaps)
        self.setVisible(bool(self._gaps.asked or self._gaps.gaps))

    def _ask(self, count: int) -> None:
        words = plural(
            "{count} place looks like a gap to fill.",
            "{count} places look like gaps to fill.",
            count,
        )
        yes = QPushButton(tr("Make it a gap") if count == 1 else tr("Make them gaps"))
        yes.clicked.connect(self._gaps.confirm)
        no = flat_button(tr("Leave them as text") if count > 1 else tr("Leave it as text"))
        no.clicked.connect(self._gaps.dismiss)
        self._row.addWidget(plain_label(words), 1)
        self._row.addWidget(yes)
        self._row.addWidget(no)

    def _list(self, gaps: tuple[Gap, ...]) -> None:
        for number, gap in enumerate(gaps[:CHIPS]):
            self._row.addWidget(self._chip(number, gap))
        if len(gaps) > CHIPS:
            more = tr("and {count} more", count=len(gaps) - CHIPS)
            self._row.addWidget(plain_label(more, muted=True, wrap=False))
        self._row.addStretch(1)
        fill = QPushButton(tr("Fill") if len(gaps) == 1 else tr("Fill all"))
        fill.setObjectName("primary")
        fill.setToolTip(tr("Fill all gaps together (Ctrl+Shift+F)"))
        fill.clicked.connect(self.fill_requested)
        clear = flat_button(tr("Forget"))
        clear.setToolTip(tr("They are text again"))
        clear.clicked.connect(self._gaps.clear)
        self._row.addWidget(fill)
        self._row.addWidget(clear)

    def _chip(self, number: int, gap: Gap) -> QPushButton:
        chip = QPushButton(f"{number + 1} · {length_name(gap.length)} ▾")
        chip.setObjectName("gap")
        chip.setCursor(Qt.CursorShape.PointingHandCursor)
        chip.setToolTip(visible(gap.hint) or tr("How long the text in this gap may be"))
        chip.setAccessibleName(
            tr("Gap {number}, {length}", number=number + 1, length=length_name(gap.length))
        )
        menu = QMenu(chip)
        for length in Length:
            action = menu.addAction(length_name(length))
            action.setCheckable(True)
            action.setChecked(length is gap.length)
            action.triggered.connect(partial(self._set_length, number, length))
        menu.addSeparator()
        menu.addAction(tr("Show it")).triggered.connect(partial(self._choose, number))
        menu.addAction(tr("No gap")).triggered.connect(partial(self._remove, number))
        chip.setMenu(menu)
        return chip

    def _set_length(self, number: int, length: Length, _checked: bool = False) -> None:
        self._gaps.set_length(number, length)

    def _choose(self, number: int, _checked: bool = False) -> None:
        self.gap_chosen.emit(number)

    def _remove(self, number: int, _checked: bool = False) -> None:
        self._gaps.remove(number)


def length_name(length: Length) -> str:
    return {
        Length.AUTO: tr("auto"),
        Length.SHORT: tr("short"),
        Length.MEDIUM: tr("medium"),
        Length.LONG: tr("long"),
    }[length]
