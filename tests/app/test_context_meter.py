"""The meter says the same with its colour, its words and its popup."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from app.state.context import ContextUse
from app.ui.context_meter import ContextMeter

# the offscreen platform says this about every popup
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support")

ROOMY = ContextUse(total=8192, system=210, earlier=2410, question=123, answer=256, reused=2300)
NEARLY = ContextUse(total=4096, system=210, earlier=3210, question=120, answer=256, reused=0)
FULL = ContextUse(total=4096, system=210, earlier=3810, question=120, answer=256, reused=0)


def meter(qtbot, theme) -> ContextMeter:
    made = ContextMeter(theme)
    qtbot.addWidget(made)
    return made


def inks(widget: ContextMeter) -> set[str]:
    image = widget.grab().toImage()
    return {
        QColor(image.pixelColor(x, y)).name().upper()
        for x in range(image.width())
        for y in range(image.height())
    }


def test_nothing_is_shown_before_a_model_is_there(qtbot, theme):
    shown = meter(qtbot, theme)
    assert shown.isHidden()
    shown.show_use(ROOMY)
    assert not shown.isHidden()
    shown.show_use(None)
    assert shown.isHidden()


def test_words_and_colour_change_together(qtbot, theme):
    shown = meter(qtbot, theme)
    texts = {}
    for name, use in (("roomy", ROOMY), ("nearly", NEARLY), ("full", FULL)):
        shown.show_use(use)
        shown.resize(shown.sizeHint())
        texts[name] = shown.text()
        is_red = theme.colors.danger.upper() in inks(shown)
        assert is_red == (name != "roomy")
        assert bool(shown.accessibleDescription()) == (name != "roomy")
    assert len(set(texts.values())) == 3
    assert texts["roomy"] == "35 %"  # 2743 of 8192 - 256


def test_the_popup_names_every_part(qtbot, theme):
    shown = meter(qtbot, theme)
    shown.show_use(ROOMY)
    qtbot.mouseClick(shown, Qt.MouseButton.LeftButton)
    text = shown.popup.text
    for number in ("2,743", "8,192", "210", "2,410", "123", "5,449", "2,300"):
        assert number in text
    shown.show_use(NEARLY)  # while it is open
    assert "new chat" in shown.popup.text
    shown.popup.close()


def test_the_keyboard_opens_and_closes_it(qtbot, theme):
    shown = meter(qtbot, theme)
    shown.show_use(FULL)
    qtbot.keyClick(shown, Qt.Key.Key_Space)
    assert shown.popup.isVisible()
    qtbot.keyClick(shown.popup, Qt.Key.Key_Escape)
    assert not shown.popup.isVisible()


def test_the_bar_has_the_right_lengths(qtbot, theme):
    shown = meter(qtbot, theme)
    half = ContextUse(total=1000, system=0, earlier=500, question=0, answer=100, reused=0)
    shown.show_use(half)
    shown.open_popup()
    bar = shown.popup.findChild(type(shown.popup._bar))
    image = bar.grab().toImage()
    middle = [image.pixelColor(x, image.height() // 2).name().upper() for x in range(image.width())]
    assert abs(middle.count(theme.colors.accent) - image.width() / 2) < 4
    shown.popup.close()
