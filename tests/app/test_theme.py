"""Both looks can be read, and the system's choice is followed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPalette
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QSlider,
    QSpinBox,
    QTabBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.settings import Settings
from app.ui.gradual import Gradual
from app.ui.theme import (
    DARK,
    LIGHT,
    Colors,
    Scheme,
    Theme,
    interface_font,
    palette,
    reading_font,
    svg_icon,
)


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
        for ink in (colors.muted, colors.accent, colors.danger):
            assert contrast(ink, ground) >= 4.5
        assert contrast(colors.outline, ground) >= 3  # where a control is
    for ink in (colors.text, colors.danger, colors.muted):
        assert contrast(ink, colors.danger_surface) >= 4.5
    assert contrast(colors.on_accent, colors.accent) >= 4.5


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


def controls() -> list[QWidget]:
    """One of each kind, with something in it."""
    box, rows, tabs = QComboBox(), QListWidget(), QTabBar()
    box.addItem("One")
    rows.addItem("One")
    tabs.addTab("One")
    field = QPlainTextEdit()
    field.setProperty("field", True)
    flat, tool = QPushButton("Flat"), QToolButton()
    flat.setObjectName("flat")
    tool.setText("Tool")
    tool.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    spins: list[QWidget] = [QSpinBox(), QDoubleSpinBox()]
    buttons: list[QWidget] = [
        QPushButton("Push"),
        flat,
        tool,
        QCheckBox("Check"),
        QRadioButton("R"),
    ]
    return [
        *buttons,
        *spins,
        box,
        rows,
        tabs,
        field,
        QLineEdit(),
        QSlider(Qt.Orientation.Horizontal),
    ]


@pytest.mark.parametrize("scheme", [Scheme.LIGHT, Scheme.DARK])
@pytest.mark.parametrize("place", range(13))
def test_focus_is_seen_on_every_control(qtbot, theme: Theme, scheme: Scheme, place: int):
    made = controls()
    assert len(made) == 13
    window = QWidget()
    qtbot.addWidget(window)
    layout = QVBoxLayout(window)
    other = QPushButton("Other")
    layout.addWidget(other)
    layout.addWidget(made[place])
    try:
        theme.set_scheme(scheme)
        window.show()
        qtbot.waitActive(window)
        counts = []
        for chosen in (other, made[place]):
            chosen.setFocus(Qt.FocusReason.TabFocusReason)
            qtbot.waitUntil(chosen.hasFocus)
            counts.append(count_of(theme.colors.accent, made[place]))
        assert counts[1] >= counts[0] + 2 * made[place].height(), "a ring of the accent's colour"
    finally:
        theme.set_scheme(Scheme.LIGHT)


def count_of(color: str, widget: QWidget) -> int:
    image = widget.grab().toImage()
    name = color.lower()
    return sum(
        image.pixelColor(x, y).name() == name
        for x in range(image.width())
        for y in range(image.height())
    )


def test_sizes_reach_both_fonts_and_the_controls(qtbot, theme: Theme):
    button = QPushButton("Button")
    qtbot.addWidget(button)
    button.show()
    before = (button.sizeHint().height(), interface_font().pointSizeF())
    try:
        with qtbot.waitSignal(theme.changed):
            theme.set_sizes(reading_points=18.0, interface_scale=1.5)
        assert reading_font().pointSizeF() == 18.0
        assert interface_font().pointSizeF() == pytest.approx(before[1] * 1.5)
        assert button.font().pointSizeF() == pytest.approx(before[1] * 1.5)
        assert button.sizeHint().height() > before[0] * 1.3
        with qtbot.assertNotEmitted(theme.changed):
            theme.set_sizes(reading_points=18.0, interface_scale=1.5)
    finally:
        theme.set_sizes(reading_points=12.0, interface_scale=1.0)


def test_settings_are_applied(qtbot, theme: Theme):
    try:
        theme.apply_settings(Settings(scheme=Scheme.DARK, reading_points=14.0))
        assert theme.colors is DARK
        assert reading_font().pointSizeF() == 14.0
    finally:
        theme.apply_settings(Settings(scheme=Scheme.LIGHT))


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 1.75, 2.0])
def test_icons_are_drawn_for_each_scale_of_the_screen(qapp, scale: float):
    pixmap = svg_icon("send", "#ff0000", 20).pixmap(QSize(20, 20), scale)
    assert pixmap.width() == round(20 * scale)
    assert pixmap.devicePixelRatio() == scale


@pytest.mark.parametrize(
    "name", ["send", "stop", "redraft", "reset", "control-up", "control-down", "control-check"]
)
def test_icons_have_ink(qapp, name):
    image = svg_icon(name, "#ff0000", 20).pixmap(20, 20).toImage()
    inked = sum(image.pixelColor(x, y).alpha() > 0 for x in range(20) for y in range(20))
    assert inked > 20


class Turns(QObject):
    """Counts the turns of the event loop, and notes in which of them something is painted."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        self.painted: list[int] = []
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._turn)
        self._timer.start()
        widget.installEventFilter(self)

    def _turn(self) -> None:
        self.count += 1

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() is QEvent.Type.Paint:
            self.painted.append(self.count)
        return False


@pytest.fixture
def window(qtbot, theme: Theme):
    """A shown window with one of each control; the look is as before afterwards."""
    shown = QWidget()
    column = QVBoxLayout(shown)
    for each in controls():
        column.addWidget(each)
    qtbot.addWidget(shown)
    shown.show()
    qtbot.waitExposed(shown)
    yield shown
    theme.set_scheme(Scheme.LIGHT)
    theme.set_sizes(reading_points=12.0, interface_scale=1.0)


def picture(window: QWidget) -> QImage:
    QApplication.processEvents()
    return window.grab().toImage()


def test_a_chosen_look_comes_in_turns_and_is_the_one_that_comes_at_once(
    qtbot, theme: Theme, window: QWidget
):
    theme.set_scheme(Scheme.DARK)
    theme.set_sizes(reading_points=12.0, interface_scale=1.25)
    expected = picture(window)
    theme.set_scheme(Scheme.LIGHT)
    theme.set_sizes(reading_points=12.0, interface_scale=1.0)
    assert picture(window) != expected
    turns = Turns(window)
    with qtbot.waitSignal(theme.changed):
        theme.apply_settings(Settings(scheme=Scheme.DARK, interface_percent=125))
        turns.painted.clear()
    assert turns.count >= 2  # the window was alive in between
    assert turns.painted == []  # and showed no half of it
    qtbot.waitUntil(lambda: bool(turns.painted))
    assert picture(window) == expected


def test_of_two_looks_chosen_at_once_the_last_one_comes(qtbot, theme: Theme, window: QWidget):
    expected = picture(window)
    changes: list[str] = []
    theme.changed.connect(lambda: changes.append(theme.colors.window))
    theme.apply_settings(Settings(scheme=Scheme.DARK, interface_percent=150))
    QApplication.processEvents()
    theme.apply_settings(Settings(scheme=Scheme.LIGHT))
    qtbot.waitUntil(lambda: bool(changes))
    assert changes == [LIGHT.window]
    assert picture(window) == expected


def test_another_text_size_leaves_the_controls_alone(qtbot, theme: Theme, window: QWidget):
    events: list[QEvent.Type] = []

    class Notes(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
            events.append(event.type())
            return False

    notes = Notes(window)
    for each in window.findChildren(QWidget):
        each.installEventFilter(notes)
    with qtbot.waitSignal(theme.changed):
        theme.apply_settings(Settings(scheme=Scheme.LIGHT, reading_points=20.0))
    assert reading_font().pointSizeF() == 20.0
    assert QEvent.Type.StyleChange not in events  # that is what takes long


def test_a_change_that_fails_leaves_no_window_unpainted(qtbot, window: QWidget):
    done: list[str] = []

    def fail() -> None:
        raise ValueError("no")

    change = Gradual(window)
    with qtbot.capture_exceptions() as caught:
        change.begin((lambda: done.append("one"), fail, lambda: done.append("two"), fail))
        assert not window.updatesEnabled()
        qtbot.waitUntil(window.updatesEnabled)
    assert done == ["one", "two"]
    assert [kind for kind, *_ in caught] == [ValueError, ValueError]
