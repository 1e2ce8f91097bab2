"""The dialog that saves a run as a picture: which kind, how large, how fast, and where."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.state.recording.picture import PictureKind
from app.state.recording.run import Playable
from app.ui.replay.run_export import LAST_MS, PictureOptions, RunExport
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import plural, tr


class PictureDialog(QDialog):
    """Stays open while the picture is made, and closes by itself when it is there."""

    def __init__(
        self, run: Playable, theme: Theme, *, is_still: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._run = run
        self._theme = theme
        self._is_still = is_still
        self._export: RunExport | None = None
        self._is_closing = False
        self.setWindowTitle(tr("Save as picture"))
        self._kind, self._size, self._speed = self._build_choices()
        self._about = plain_label(muted=True)
        self._about.setMinimumWidth(380)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("Progress"))
        self._bar.hide()
        self._save = QPushButton(tr("Save…"))
        self._save.setObjectName("primary")
        self._save.setDefault(True)
        self._save.clicked.connect(self._choose_path)
        self._cancel = QPushButton(tr("Cancel"))
        self._cancel.setAutoDefault(False)
        self._cancel.clicked.connect(self.reject)
        self._lay_out()
        for box in (self._kind, self._size, self._speed):
            box.currentIndexChanged.connect(self._describe)
        self._describe()

    @property
    def options(self) -> PictureOptions:
        width, scale = self._size.currentData()
        return PictureOptions(
            kind=self._kind.currentData(),
            width=width,
            scale=scale,
            step_ms=self._speed.currentData(),
            is_still=self._is_still,
        )

    def save_to(self, path: Path) -> None:
        """Begins to make the picture."""
        self._set_busy(True)
        self._export = RunExport(self._run, self.options, self._theme.colors, path)
        self._export.progress_changed.connect(self._on_progress)
        self._export.finished.connect(lambda _path: self._end(is_saved=True))
        self._export.cancelled.connect(lambda: self._end(is_saved=False))
        self._export.failed.connect(self._on_failed)
        self._export.start()

    def reject(self) -> None:
        """Cancels first if a picture is being made; the dialog closes when that has ended."""
        if self._export is None:
            super().reject()
            return
        self._is_closing = True
        self._about.setText(tr("Cancelling…"))
        self._cancel.setEnabled(False)
        self._export.cancel()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._export is not None:
            event.ignore()
            self.reject()
        else:
            super().closeEvent(event)

    def _choose_path(self) -> None:
        kind = self.options.kind.value
        dialog = QFileDialog(self, tr("Save as picture"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(kind)
        dialog.setNameFilter(f"{kind.upper()} (*.{kind})")
        dialog.selectFile(f"redraft.{kind}")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.save_to(Path(path)))
        dialog.open()

    def _on_progress(self, done: int, total: int) -> None:
        self._bar.setRange(0, total)
        self._bar.setValue(done)

    def _on_failed(self, reason: str) -> None:
        self._export = None
        if self._is_closing:
            super().reject()
            return
        self._set_busy(False)
        self._about.setText(reason)

    def _end(self, *, is_saved: bool) -> None:
        self._export = None
        if is_saved:
            self.accept()
        else:
            super().reject()

    def _set_busy(self, is_busy: bool) -> None:
        for widget in (self._kind, self._size, self._speed, self._save):
            widget.setEnabled(not is_busy)
        self._bar.setValue(0)
        self._bar.setVisible(is_busy)
        if is_busy:
            self._about.setText(tr("Making the picture. You can go on working."))

    def _describe(self) -> None:
        steps = len(self._run)
        seconds = (max(0, steps - 1) * self.options.step_ms + LAST_MS) / 1000
        counted = plural("{count} step", "{count} steps", steps)
        self._about.setText(tr("{steps}, {seconds} seconds", steps=counted, seconds=round(seconds)))

    def _build_choices(self) -> tuple[QComboBox, QComboBox, QComboBox]:
        kind, size, speed = QComboBox(), QComboBox(), QComboBox()
        kind.addItem(tr("GIF, opens everywhere"), PictureKind.GIF)
        kind.addItem(tr("WebP, smaller and sharper"), PictureKind.WEBP)
        size.addItem(tr("Small, {pixels} pixels wide", pixels=480), (480, 1))
        size.addItem(tr("Medium, {pixels} pixels wide", pixels=720), (720, 1))
        size.addItem(tr("Large, {pixels} pixels wide", pixels=1440), (720, 2))
        size.setCurrentIndex(1)
        speed.addItem(tr("Slow"), 160)
        speed.addItem(tr("Normal"), 80)
        speed.addItem(tr("Fast"), 40)
        speed.setCurrentIndex(1)
        return kind, size, speed

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(10)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Format"), self._kind)
        form.addRow(tr("Size"), self._size)
        form.addRow(tr("Speed"), self._speed)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._cancel)
        row.addWidget(self._save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 22, 24, 18)
        layout.setSpacing(14)
        layout.addLayout(form)
        layout.addWidget(self._about)
        layout.addWidget(self._bar)
        layout.addStretch(1)
        layout.addLayout(row)
