"""What Redraft is, what to expect of it, and the licences of everything in it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.state.licences import Part, parts, version
from app.state.text import visible
from app.ui.theme import Theme, interface_font
from app.ui.widgets import plain_label
from app.words import tr

Run = Callable[[Callable[[], None]], object]


class AboutDialog(QDialog):
    """`run` does slow work on another thread; the app's `Writer.submit` is one."""

    _found = Signal(object)  # tuple of Part

    def __init__(self, theme: Theme, run: Run, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("About Redraft"))
        self.resize(round(640 * theme.scale), round(480 * theme.scale))
        self._run = run
        self._parts: tuple[Part, ...] = ()
        self._list = QListWidget()
        self._list.setAccessibleName(tr("Parts"))
        self._list.setFixedWidth(round(210 * theme.scale))
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.currentRowChanged.connect(self._show_part)
        self._text = QPlainTextEdit()
        self._text.setProperty("field", True)
        self._text.setReadOnly(True)
        self._text.setTabChangesFocus(True)
        self._text.setAccessibleName(tr("Licence"))
        self._tabs = QTabWidget()
        self._tabs.addTab(_about_page(theme), tr("About"))
        self._tabs.addTab(self._licence_page(), tr("Licences"))
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addWidget(self._tabs, 1)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self._found.connect(self._show_parts)

    @property
    def tabs(self) -> QTabWidget:
        return self._tabs

    @property
    def parts(self) -> tuple[Part, ...]:
        return self._parts

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._parts:
            self._run(lambda: self._found.emit(parts()))

    def _licence_page(self) -> QWidget:
        page = QWidget()
        layout = QHBoxLayout(page)
        layout.setContentsMargins(0, 10, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(self._list)
        layout.addWidget(self._text, 1)
        return page

    def _show_parts(self, found: tuple[Part, ...]) -> None:
        self._parts = found
        self._list.clear()
        for part in found:
            item = QListWidgetItem(f"{visible(part.name)} {visible(part.version)}")
            item.setToolTip(visible(part.licence))
            self._list.addItem(item)
        self._list.setCurrentRow(0)

    def _show_part(self, row: int) -> None:
        if 0 <= row < len(self._parts):
            part = self._parts[row]
            head = f"{part.name} {part.version}\n{part.licence}\n\n"
            missing = tr("This package brings no text of its licence.")
            self._text.setPlainText(visible(head + (part.text or missing)))


def _about_page(theme: Theme) -> QWidget:
    page = QWidget()
    title = plain_label("Redraft", wrap=False)
    font = interface_font()
    font.setPointSizeF(font.pointSizeF() * 1.9)
    font.setWeight(font.Weight.DemiBold)
    title.setFont(font)
    icon = QLabel()
    icon.setPixmap(theme.icon("redraft", "", 64).pixmap(QSize(56, 56)))
    name = QVBoxLayout()
    name.setSpacing(0)
    name.addWidget(title)
    name.addWidget(plain_label(tr("Version {number}", number=version()), muted=True, wrap=False))
    head = QHBoxLayout()
    head.setSpacing(16)
    head.addWidget(icon)
    head.addLayout(name)
    head.addStretch(1)
    layout = QVBoxLayout(page)
    layout.setContentsMargins(8, 16, 8, 8)
    layout.setSpacing(12)
    layout.addLayout(head)
    for text in about_texts():
        layout.addWidget(plain_label(text))
    layout.addStretch(1)
    return page


def about_texts() -> tuple[str, ...]:
    """What one should know, one idea a paragraph."""
    return (
        tr(
            "Redraft writes with a text-diffusion model: a whole passage at once, first as noise, "
            "then sharper with each step."
        ),
        tr(
            "The model runs on this computer. Nothing you write and nothing it answers leaves "
            "this computer."
        ),
        tr(
            "The model is DiffusionGemma, an experimental release. Its answers are below those of "
            "Gemma 4, and it can be wrong with full confidence. Check what matters."
        ),
        tr(
            "The demo model that comes with Redraft knows almost nothing. It only shows how "
            "Redraft writes."
        ),
        tr(
            "Redraft is free software under the Apache License 2.0. The licences of all its parts "
            "are on the next page."
        ),
    )
