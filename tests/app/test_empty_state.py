"""The greeting, and the line below the composer: whole where there is room, short where there is none."""

from __future__ import annotations

import itertools

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton

from app.ui.chat.empty_state import EmptyState, suggestions
from tests.app.talks import settle


@pytest.fixture
def empty(qtbot, theme) -> EmptyState:
    widget = EmptyState(theme)
    qtbot.addWidget(widget)
    widget.resize(720, 600)
    widget.show()
    return widget


@pytest.mark.parametrize("width", [720, 400, 240])
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_all_words_are_seen_and_nothing_is_wider_than_the_window(empty, theme, width, scale):
    theme.set_sizes(reading_points=12, interface_scale=scale)
    try:
        empty.resize(width, 700)
        settle()
        for label in empty.findChildren(QLabel):
            assert label.height() >= label.heightForWidth(label.width())
        for part in (*empty.findChildren(QLabel), *empty.findChildren(QPushButton)):
            assert part.x() >= 0
            assert part.x() + part.width() <= width
    finally:
        theme.set_sizes(reading_points=12, interface_scale=1.0)


@pytest.mark.parametrize("height", [700, 300, 200, 120])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_in_a_low_window_less_is_shown_and_nothing_overlaps(empty, theme, height, scale):
    theme.set_sizes(reading_points=12, interface_scale=scale)
    try:
        empty.resize(500, height)
        settle()
        parts = [each for each in empty.children() if isinstance(each, QLabel | QPushButton)]
        shown = sorted((each for each in parts if each.isVisible()), key=lambda each: each.y())
        assert shown[0] is empty._title
        for one, other in itertools.pairwise(shown):
            assert one.y() + one.height() <= other.y()
        if len(shown) > 1:
            assert shown[-1].y() + shown[-1].height() <= height
        empty.resize(500, 1200)
        settle()
        assert all(each.isVisible() for each in parts)
    finally:
        theme.set_sizes(reading_points=12, interface_scale=1.0)


def test_all_words_of_the_greeting_are_seen_in_the_window(qtbot, start):
    """In a layout that has other sizes first; with more words than in English."""
    running = start()
    greeting = running.window.empty_state
    greeting._about.setText(greeting._about.text() * 2)
    for width in (700, 1180, 860):
        running.window.resize(width, 700)
        settle()
        about = greeting._about
        assert about.height() >= about.heightForWidth(about.width())


def test_a_suggestion_is_sent_whole_even_where_it_is_shown_short(qtbot, empty):
    empty.resize(240, 700)
    settle()
    chosen = []
    empty.suggested.connect(chosen.append)
    chips = empty.findChildren(QPushButton)
    assert any("…" in chip.text() for chip in chips)
    for chip in chips:
        qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert tuple(chosen) == suggestions() == tuple(chip.accessibleName() for chip in chips)


def test_the_status_line_shortens_instead_of_pushing(qtbot, start):
    running = start()
    line = running.window.status_line
    qtbot.waitUntil(lambda: "knows almost nothing" in line.text)
    running.window.resize(running.window.minimumSize())
    settle()
    for label in line.findChildren(QLabel):
        assert label.x() + label.width() <= line.width()
    assert line._activity.toolTip() == line._activity.text()
