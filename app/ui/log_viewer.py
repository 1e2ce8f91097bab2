"""The last lines of the log files, to read or to hand on without anything private."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QFontDatabase, QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.paths import Paths
from app.state.diagnostics import diagnostics, tail
from app.state.text import visible
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr

LINE_CHARACTERS = 2_000  # a longer line would take long to lay out; its end is left out

Facts = Callable[[], dict[str, str]]
Run = Callable[[Callable[[], None]], object]


class LogViewer(QDialog):
    """Reads the ends of the files each time it is shown, and on Refresh.

    `facts` gives lines for the diagnostics: the model's name, the device, the context. `run` does
    slow work on another thread; the app's `Writer.submit` is one.
    """

    _read = Signal(str, str)  # the log, the crash log
    _collected = Signal(str)

    def __init__(
        self,
        paths: Paths,
        theme: Theme,
        *,
        facts: Facts,
        run: Run,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Log"))
        self.resize(round(760 * theme.scale), round(520 * theme.scale))
        self._paths = paths
        self._facts = facts
        self._run = run
        self._log = self._text_field(tr("Log"))
        self._crashes = self._text_field(tr("Crashes"))
        tabs = QTabWidget()
        tabs.addTab(self._log, tr("Log"))
        tabs.addTab(self._crashes, tr("Crashes"))
        self._note = plain_label(
            tr("The diagnostics hold versions and errors; no names, no folders, no texts."),
            muted=True,
        )
        copy = QPushButton(tr("Copy diagnostics"))
        copy.clicked.connect(self.copy_diagnostics)
        folder = QPushButton(tr("Open folder"))
        folder.clicked.connect(self._open_folder)
        refresh = QPushButton(tr("Refresh"))
        refresh.clicked.connect(self.refresh)
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.close)
        buttons = QHBoxLayout()
        for button in (copy, folder, refresh):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(tabs, 1)
        layout.addWidget(self._note)
        layout.addLayout(buttons)
        self._read.connect(self._show)
        self._collected.connect(self._on_collected)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    @property
    def text(self) -> str:
        return self._log.toPlainText()

    @property
    def crashes(self) -> str:
        return self._crashes.toPlainText()

    def refresh(self) -> None:
        self._run(self._read_files)

    def copy_diagnostics(self) -> None:
        facts = self._facts()
        self._run(lambda: self._collected.emit(diagnostics(self._paths, facts)))

    def _read_files(self) -> None:
        texts = []
        for path in (self._paths.log, self._paths.crash_log):
            try:
                texts.append(_short_lines(tail(path)))
            except OSError as error:
                texts.append(tr("This file cannot be read: {why}", why=error.strerror or error))
        self._read.emit(*texts)

    def _show(self, log: str, crashes: str) -> None:
        for field, text in ((self._log, log), (self._crashes, crashes)):
            field.setPlainText(visible(text))
            bar = field.verticalScrollBar()
            bar.setValue(bar.maximum())

    def _on_collected(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        before = self._note.text()
        self._note.setText(tr("Copied"))
        QTimer.singleShot(4000, self._note, lambda: self._note.setText(before))

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._paths.logs)))

    def _text_field(self, name: str) -> QPlainTextEdit:
        field = QPlainTextEdit()
        field.setProperty("field", True)
        field.setReadOnly(True)
        field.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        field.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        field.setPlaceholderText(tr("Nothing is written here yet."))
        field.setAccessibleName(name)
        field.setTabChangesFocus(True)
        return field


def _short_lines(text: str) -> str:
    return "\n".join(line[:LINE_CHARACTERS] for line in text.splitlines())
