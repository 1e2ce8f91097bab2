"""What this PC has, what that means for running a model, and what would help."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.state.models.models import Models
from app.ui.controls import scrolled
from app.ui.models.findings import Findings
from app.ui.theme import TEXT_WIDTH, Theme
from app.ui.widgets import flat_button, plain_label
from app.words import tr, tr_engine

COPIED_MS = 4000


class HardwarePage(QWidget):
    """Looks at the PC when it is first shown, and on demand."""

    def __init__(self, models: Models, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.findings = Findings(theme)
        self._status = plain_label()
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("Looking at this PC"))
        self._check = QPushButton(tr("Check again"))
        self._check.clicked.connect(models.check_hardware)
        self._copy = flat_button(tr("Copy report"))
        self._copy.clicked.connect(self._copy_report)
        self._note = plain_label(
            tr("The report names the parts of this PC; no people, no folders, no texts."),
            muted=True,
        )
        self._theme = theme
        self._middle = QWidget()
        self._build()
        theme.changed.connect(self._fit)
        self._fit()
        models.hardware.changed.connect(self._show)
        self._show()

    @property
    def text(self) -> str:
        return self._status.text()

    def look(self) -> None:
        """The page is shown."""
        if self._models.hardware.hardware is None:
            self._models.check_hardware()

    def _show(self) -> None:
        status = self._models.hardware
        self._bar.setVisible(status.is_checking)
        self._check.setEnabled(not status.is_checking)
        self._copy.setEnabled(status.hardware is not None)
        if status.hardware is not None:
            self.findings.show_hardware(status.hardware)
        if status.is_checking:
            self._status.setText(tr("Looking at this PC. You can go on meanwhile."))
        elif status.error is not None:
            error = status.error
            self._status.setText(f"{tr_engine(error.message)} {tr_engine(error.remedy)}")
        else:
            self._status.setText(tr("What this PC has, and what that means for running a model."))

    def _copy_report(self) -> None:
        if (hardware := self._models.hardware.hardware) is not None:
            QGuiApplication.clipboard().setText(hardware.report)
            before = self._note.text()
            self._note.setText(tr("Copied"))
            QTimer.singleShot(COPIED_MS, self._note, lambda: self._note.setText(before))

    def _fit(self) -> None:
        self._middle.setMaximumWidth(round(TEXT_WIDTH * self._theme.scale))

    def _build(self) -> None:
        buttons = QHBoxLayout()
        buttons.addWidget(self._check)
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        column = QVBoxLayout()
        column.setSpacing(10)
        column.addWidget(self._status)
        column.addWidget(self._bar)
        column.addWidget(self.findings)
        column.addLayout(buttons)
        column.addWidget(self._note)
        column.addStretch(1)
        self._middle.setLayout(column)
        content = QWidget()
        row = QHBoxLayout(content)
        row.setContentsMargins(24, 6, 24, 18)
        row.addStretch(1)
        row.addWidget(self._middle, 100)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scrolled(content))
