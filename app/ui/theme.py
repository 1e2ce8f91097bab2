"""Colours, fonts and icons, light and dark. Everything that has a look asks here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QByteArray, QObject, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QIcon,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtWidgets import QApplication

from app.paths import ASSETS

TEXT_WIDTH = 720  # pixels of running text at most: about 90 letters a line
SCROLL_BAR_WIDTH = 12
LINE_HEIGHT = 1.5  # of the font's size in pixels
FAMILIES = ("Inter", "Segoe UI Variable Text", "Segoe UI", "Noto Sans", "Cantarell", "DejaVu Sans")


class Scheme(Enum):
    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, kw_only=True)
class Colors:
    """Text on `window`, `surface` or `raised` has a contrast of at least 4.5 to 1."""

    window: str
    surface: str  # where one types
    raised: str  # what the user said
    border: str
    text: str
    muted: str
    accent: str
    on_accent: str
    danger: str
    danger_surface: str


LIGHT = Colors(
    window="#FAF9F7",
    surface="#FFFFFF",
    raised="#EFEDE8",
    border="#DDD9D1",
    text="#1F2430",
    muted="#626875",
    accent="#3B5BDB",
    on_accent="#FFFFFF",
    danger="#A82A1B",
    danger_surface="#FCEFEC",
)
DARK = Colors(
    window="#16181D",
    surface="#1E2128",
    raised="#292D37",
    border="#3A3F4B",
    text="#E7E9ED",
    muted="#9BA2AE",
    accent="#93A6FF",
    on_accent="#12141A",
    danger="#FF9D8F",
    danger_surface="#33211F",
)


class Theme(QObject):
    """The look in use. Follows the system where it says light or dark, else is light.

    Signals:
        changed(): the colours are other ones now.
    """

    changed = Signal()

    def __init__(self, app: QApplication, scheme: Scheme = Scheme.SYSTEM) -> None:
        super().__init__(app)
        self._app = app
        self._scheme = scheme
        self._colors = self._choose()
        app.setStyle("Fusion")
        app.setFont(interface_font())
        self._apply()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)

    @property
    def colors(self) -> Colors:
        return self._colors

    def set_scheme(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._on_system_changed()

    def icon(self, name: str, color: str, size: int = 20) -> QIcon:
        """One of `assets/icons` in one colour, sharp on every screen."""
        return svg_icon(name, color, size)

    def _choose(self) -> Colors:
        if self._scheme is Scheme.SYSTEM:
            system = QGuiApplication.styleHints().colorScheme()
            return DARK if system is Qt.ColorScheme.Dark else LIGHT
        return DARK if self._scheme is Scheme.DARK else LIGHT

    def _on_system_changed(self) -> None:
        chosen = self._choose()
        if chosen is not self._colors:
            self._colors = chosen
            self._apply()
            self.changed.emit()

    def _apply(self) -> None:
        self._app.setPalette(palette(self._colors))
        self._app.setStyleSheet(stylesheet(self._colors))


def interface_font() -> QFont:
    """The first of our families that is installed, then the system's own."""
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    installed = set(QFontDatabase.families())
    families = [family for family in FAMILIES if family in installed]
    font = QFont(system)
    font.setFamilies([*families[:1], system.family()])
    font.setPointSizeF(10.5)
    return font


def reading_font() -> QFont:
    """For what was said: a little larger than the interface."""
    font = interface_font()
    font.setPointSizeF(12)
    return font


def palette(colors: Colors) -> QPalette:
    role = QPalette.ColorRole
    made = QPalette()
    for each, color in (
        (role.Window, colors.window),
        (role.Base, colors.surface),
        (role.AlternateBase, colors.raised),
        (role.Button, colors.raised),
        (role.ToolTipBase, colors.raised),
        (role.WindowText, colors.text),
        (role.Text, colors.text),
        (role.ButtonText, colors.text),
        (role.ToolTipText, colors.text),
        (role.PlaceholderText, colors.muted),
        (role.Highlight, colors.accent),
        (role.HighlightedText, colors.on_accent),
        (role.Accent, colors.accent),
        (role.Link, colors.accent),
    ):
        made.setColor(each, QColor(color))
    for each in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, each, QColor(colors.muted))
    return made


def stylesheet(colors: Colors) -> str:
    """Rounded surfaces and quiet buttons; everything else is Fusion with our palette."""
    return f"""
    QWidget#composer {{ background: {colors.surface}; border: 1px solid {colors.border};
        border-radius: 14px; }}
    QWidget#composer[focused="true"] {{ border-color: {colors.accent}; }}
    QWidget#composer QPlainTextEdit {{ background: transparent; border: none; }}
    QFrame#bubble {{ background: {colors.raised}; border-radius: 14px; }}
    QFrame#error {{ background: {colors.danger_surface}; border-radius: 10px; }}
    QFrame#error QLabel#message {{ color: {colors.danger}; font-weight: 600; }}
    QFrame#attachment {{ background: {colors.raised}; border-radius: 8px; }}
    QLabel[muted="true"] {{ color: {colors.muted}; }}
    QPushButton {{ background: transparent; color: {colors.text};
        border: 1px solid {colors.border}; border-radius: 8px; padding: 5px 12px; }}
    QPushButton:hover {{ background: {colors.raised}; }}
    QPushButton:focus {{ border-color: {colors.accent}; }}
    QPushButton#chip {{ background: {colors.surface}; border-radius: 16px; padding: 9px 16px;
        text-align: left; }}
    QPushButton#chip:hover {{ border-color: {colors.accent}; }}
    QPushButton#act {{ background: {colors.accent}; border: 2px solid {colors.accent};
        border-radius: 17px; padding: 0; }}
    QPushButton#act:focus {{ border-color: {colors.text}; }}
    QPushButton#act[idle="true"] {{ background: {colors.raised}; border-color: {colors.raised}; }}
    QPushButton#flat {{ border-color: transparent; padding: 4px 8px; }}
    QPushButton#flat:focus {{ border-color: {colors.accent}; }}
    QScrollArea, QScrollArea > QWidget > QWidget {{ background: {colors.window}; border: none; }}
    QScrollBar:vertical {{ background: transparent; width: {SCROLL_BAR_WIDTH}px; margin: 2px; }}
    QScrollBar::handle:vertical {{ background: {colors.border}; border-radius: 4px;
        min-height: 36px; }}
    QScrollBar::handle:vertical:hover {{ background: {colors.muted}; }}
    QScrollBar[idle="true"]::handle:vertical {{ background: transparent; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QToolTip {{ background: {colors.raised}; color: {colors.text};
        border: 1px solid {colors.border}; padding: 4px; }}
    """


def svg_icon(name: str, color: str, size: int) -> QIcon:
    # QtSvg draws no "currentColor" of ours, so the colour is written into the file's text
    from PySide6.QtSvg import QSvgRenderer

    source = (ASSETS / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    renderer = QSvgRenderer(QByteArray(source.replace("currentColor", color).encode()))
    icon = QIcon()
    for scale in (1, 2, 3):
        pixmap = QPixmap(QSize(size, size) * scale)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter)
        painter.end()
        pixmap.setDevicePixelRatio(scale)
        icon.addPixmap(pixmap)
    return icon
