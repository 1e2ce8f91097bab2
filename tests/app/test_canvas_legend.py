"""The legend shows what the canvas shows."""

from __future__ import annotations

from app.ui.canvas.canvas import Canvas
from app.ui.canvas.legend import Legend


def test_three_samples_each_as_the_canvas_paints_it(qtbot, theme):
    legend = Legend(theme)
    qtbot.addWidget(legend)
    legend.show()
    canvas = legend.findChild(Canvas)
    assert canvas.shown_text.split() == ["unsure", "nearly", "sure"]
    lines = list(canvas._layout.lines(canvas.rect().toRectF()))
    assert len(lines) == 1  # it never wraps
    assert len(lines[0].underlined) == 2  # dots and a line
    assert "sure" in legend.accessibleName()


def test_in_still_mode_a_dot_stands_for_all_that_is_unsure(qtbot, theme):
    legend = Legend(theme)
    qtbot.addWidget(legend)
    legend.set_still(True)
    legend.show()
    canvas = legend.findChild(Canvas)
    qtbot.waitUntil(lambda: canvas.shown_text.split() == ["•", "•", "•", "sure"])
    legend.set_still(False)
    qtbot.waitUntil(lambda: canvas.shown_text.split() == ["unsure", "nearly", "sure"])


def test_it_grows_with_the_interface(qtbot, theme):
    legend = Legend(theme)
    qtbot.addWidget(legend)
    legend.show()
    before = legend.sizeHint().width()
    theme.set_sizes(reading_points=12, interface_scale=1.6)
    try:
        assert legend.sizeHint().width() > 1.3 * before
        lines = legend.findChild(Canvas)._layout
        assert lines.height < 2 * 1.6 * 24
    finally:
        theme.set_sizes(reading_points=12, interface_scale=1.0)
