"""Colours, fonts and icons, light and dark. Everything that has a look asks here."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QSize, Qt, QTemporaryDir, Signal
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
from PySide6.QtWidgets import QApplication, QStyle

from app.paths import ASSETS
from app.settings import Scheme, Settings
from app.ui.colors import DARK, LIGHT, Colors
from app.ui.gradual import Gradual
from app.ui.stylesheet import CONTROL_ICONS, SCROLL_BAR_WIDTH, stylesheet

__all__ = [
    "DARK",
    "LIGHT",
    "LINE_HEIGHT",
    "SCROLL_BAR_WIDTH",
    "TEXT_WIDTH",
    "Colors",
    "Scheme",
    "Theme",
    "interface_font",
    "palette",
    "reading_font",
    "stylesheet",
    "svg_icon",
]

TEXT_WIDTH = 720  # pixels of running text at most: about 90 letters a line
LINE_HEIGHT = 1.5  # of the font's size in pixels
FAMILIES = ("Inter", "Segoe UI Variable Text", "Segoe UI", "Noto Sans", "Cantarell", "DejaVu Sans")
INTERFACE_POINTS = 10.5
READING_POINTS = 12.0
SCREEN_SCALES = (1.0, 1.25, 1.5, 1.75, 2.0, 3.0)  # what systems offer; an icon is sharp at each


class Theme(QObject):
    """The look in use. Follows the system where it says light or dark, else is light.

    Signals:
        changed(): the colours or the sizes are other ones now. Whoever set a font or an icon
            itself sets it anew.
    """

    changed = Signal()

    def __init__(self, app: QApplication, scheme: Scheme = Scheme.SYSTEM) -> None:
        super().__init__(app)
        self._app = app
        self._scheme = scheme
        self._scale = 1.0
        self._is_sheet_old = True  # not yet that of these colours and this size
        self._icons: dict[tuple[str, str, int], QIcon] = {}
        self._files = QTemporaryDir()  # the stylesheet draws icons from files only
        self._change = Gradual(self)
        self._colors = self._choose()
        app.setStyle("Fusion")
        self._set_fonts(READING_POINTS)
        self._set_palette()
        self._set_sheet()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)

    @property
    def colors(self) -> Colors:
        return self._colors

    @property
    def scale(self) -> float:
        """Of the interface; 1 is its usual size. For sizes in pixels that hold text."""
        return self._scale

    @property
    def prefers_still(self) -> bool:
        """Whether the system asks for less movement, as far as Qt can tell."""
        return self._app.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration) == 0

    def set_scheme(self, scheme: Scheme) -> None:
        """At once, also where windows are shown."""
        self._scheme = scheme
        self._on_system_changed()
        self._change.finish()

    def set_sizes(self, *, reading_points: float, interface_scale: float) -> None:
        """The size of what was said in points, and of everything else as a factor. At once."""
        self._become(reading_points, interface_scale)
        self._change.finish()

    def apply_settings(self, settings: Settings) -> None:
        """The look the user has chosen. Emits `changed` only where something is another one.

        The windows that are shown become so in the next turns of the event loop.
        """
        self._scheme = settings.scheme
        self._become(settings.reading_points, settings.interface_percent / 100)

    def icon(self, name: str, color: str, size: int = 20) -> QIcon:
        """One of `assets/icons` in one colour, sharp on every screen. Drawn once."""
        key = name, color, size
        if key not in self._icons:
            self._icons[key] = svg_icon(name, color, size)
        return self._icons[key]

    def _choose(self) -> Colors:
        if self._scheme is Scheme.SYSTEM:
            system = QGuiApplication.styleHints().colorScheme()
            return DARK if system is Qt.ColorScheme.Dark else LIGHT
        return DARK if self._scheme is Scheme.DARK else LIGHT

    def _on_system_changed(self) -> None:
        self._become(reading_font().pointSizeF(), self._scale)

    def _become(self, reading_points: float, scale: float) -> None:
        """Of this size, and of the colours that are chosen now."""
        colors = self._choose()
        has_other_sheet = colors is not self._colors or scale != self._scale
        if not has_other_sheet and reading_points == reading_font().pointSizeF():
            return
        self._colors, self._scale = colors, scale
        self._set_fonts(reading_points)
        self._is_sheet_old = self._is_sheet_old or has_other_sheet
        sheet = (self._set_palette, self._set_sheet) if self._is_sheet_old else ()
        self._change.begin((*sheet, self.changed.emit))

    def _set_fonts(self, reading_points: float) -> None:
        # on the application, where the two functions below find them from anywhere
        self._app.setProperty("interfacePoints", INTERFACE_POINTS * self._scale)
        self._app.setProperty("readingPoints", reading_points)
        self._app.setFont(interface_font())

    def _set_palette(self) -> None:
        self._app.setPalette(palette(self._colors))
        self._app.setStyleSheet("")  # Qt replaces a sheet four times as slowly as it sets one

    def _set_sheet(self) -> None:
        self._app.setStyleSheet(stylesheet(self._colors, self._scale, self._control_icons()))
        self._is_sheet_old = False

    def _control_icons(self) -> dict[str, str]:
        """Paths of the stylesheet's icons in our colours; none if there is no place for them."""
        if not self._files.isValid():
            return {}
        paths = {}
        for name in CONTROL_ICONS:
            is_on_accent = name == "control-check"
            color = self._colors.on_accent if is_on_accent else self._colors.muted
            path = Path(self._files.path()) / f"{name}-{color[1:]}.svg"
            path.write_text(_svg(name, color), encoding="utf-8")
            paths[name] = path.as_posix()
        return paths


def interface_font() -> QFont:
    """The first of our families that is installed, then the system's own."""
    system = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    installed = set(QFontDatabase.families())
    families = [family for family in FAMILIES if family in installed]
    font = QFont(system)
    font.setFamilies([*families[:1], system.family()])
    font.setPointSizeF(_points("interfacePoints", INTERFACE_POINTS))
    return font


def reading_font() -> QFont:
    """For what was said: as large as the user wants it."""
    font = interface_font()
    font.setPointSizeF(_points("readingPoints", READING_POINTS))
    return font


def _points(name: str, default: float) -> float:
    app = QApplication.instance()
    chosen = app.property(name) if app is not None else None
    return default if chosen is None else float(chosen)


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


def svg_icon(name: str, color: str, size: int) -> QIcon:
    from PySide6.QtSvg import QSvgRenderer

    renderer = QSvgRenderer(QByteArray(_svg(name, color).encode()))
    icon = QIcon()
    for scale in SCREEN_SCALES:
        pixmap = QPixmap((QSize(size, size).toSizeF() * scale).toSize())
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter)
        painter.end()
        pixmap.setDevicePixelRatio(scale)
        icon.addPixmap(pixmap)
    return icon


def _svg(name: str, color: str) -> str:
    # QtSvg draws no "currentColor" of ours, so the colour is written into the file's text
    source = (ASSETS / "icons" / f"{name}.svg").read_text(encoding="utf-8")
    return source.replace("currentColor", color)
