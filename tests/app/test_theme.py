"""Both looks can be read, and the system's choice is followed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette

from app.ui.theme import DARK, LIGHT, Colors, Scheme, Theme, palette, svg_icon


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = QColor(color).getRgbF()[:3]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_stands_out(colors: Colors):
    for ground in (colors.window, colors.surface, colors.raised):
        assert contrast(colors.text, ground) >= 7
        assert contrast(colors.muted, ground) >= 4.5
    assert contrast(colors.on_accent, colors.accent) >= 4.5
    assert contrast(colors.danger, colors.danger_surface) >= 4.5
    assert contrast(colors.text, colors.danger_surface) >= 4.5
    assert contrast(colors.accent, colors.window) >= 3  # focus and underlines


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_the_palette_is_ours_throughout(qapp, colors: Colors):
    made = palette(colors)
    assert made.color(QPalette.ColorRole.Window).name().upper() == colors.window
    assert made.color(QPalette.ColorRole.Text).name().upper() == colors.text
    assert made.color(QPalette.ColorRole.Highlight).name().upper() == colors.accent


def test_the_system_is_followed_where_it_says_something(qapp, theme: Theme, monkeypatch):
    class Hints:
        scheme = Qt.ColorScheme.Unknown

        def colorScheme(self):  # noqa: N802
            return self.scheme

    monkeypatch.setattr(QGuiApplication, "styleHints", staticmethod(Hints))
    try:
        for scheme, colors in (
            (Qt.ColorScheme.Unknown, LIGHT),
            (Qt.ColorScheme.Dark, DARK),
            (Qt.ColorScheme.Light, LIGHT),
        ):
            Hints.scheme = scheme
            theme.set_scheme(Scheme.SYSTEM)
            assert theme.colors is colors
    finally:
        theme.set_scheme(Scheme.LIGHT)


@pytest.mark.parametrize("name", ["send", "stop", "redraft"])
def test_icons_have_ink(qapp, name):
    image = svg_icon(name, "#ff0000", 20).pixmap(20, 20).toImage()
    inked = sum(image.pixelColor(x, y).alpha() > 0 for x in range(20) for y in range(20))
    assert inked > 20
