"""The findings of a check-up: each with its state, its meaning and its remedy."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.state.text import visible
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr, tr_engine
from engine.messages import Finding, FindingState, Hardware

ICON = 20  # pixels


class Findings(QWidget):
    """A row for each. The state is said by a shape and a word, never by colour alone."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shown: Hardware | None = None
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(8)
        theme.changed.connect(self._refresh)

    def show_hardware(self, hardware: Hardware) -> None:
        if hardware != self._shown:
            self._shown = hardware
            self._refresh()

    def _refresh(self) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        if self._shown is None:
            return
        for finding in self._shown.findings:
            self._rows.addWidget(self._row(finding))

    def _row(self, finding: Finding) -> QFrame:
        row = QFrame()
        row.setObjectName("card")
        icon = plain_label()
        side = round(ICON * self._theme.scale)
        is_good = finding.state is FindingState.GOOD
        colors = self._theme.colors
        color = colors.accent if is_good else colors.danger
        icon.setPixmap(self._theme.icon(f"state-{finding.state.value}", color, side).pixmap(side))
        icon.setAccessibleName(state_name(finding.state))
        icon.setToolTip(state_name(finding.state))
        title = plain_label(f"{finding_name(finding)} · {state_name(finding.state)}")
        title.setProperty("strong", True)
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addWidget(title)
        words.addWidget(plain_label(visible(tr_engine(finding.value)), muted=True))
        words.addWidget(plain_label(tr_engine(finding.meaning)))
        if finding.remedy:
            words.addWidget(plain_label(tr_engine(finding.remedy)))
        layout = QHBoxLayout(row)
        layout.setContentsMargins(14, 11, 14, 12)
        layout.setSpacing(14)
        layout.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        return row


def state_name(state: FindingState) -> str:
    match state:
        case FindingState.GOOD:
            return tr("Good")
        case FindingState.LIMITED:
            return tr("Limited")
        case FindingState.MISSING:
            return tr("Missing")


def finding_name(finding: Finding) -> str:
    kind, _, number = finding.name.partition(" ")
    names = {
        "system": tr("System"),
        "memory": tr("Memory of the PC"),
        "disk": tr("Disk"),
        "torch": tr("Torch"),
        "gpu": tr("Graphics card"),
        "triton": tr("Triton"),
        "kernels": tr("GPU kernels"),
    }
    return f"{names.get(kind, kind)} {number}".strip()
