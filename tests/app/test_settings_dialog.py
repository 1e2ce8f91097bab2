"""The dialog and the store say the same, whoever changed it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QWidget,
)

from app.settings import Scheme, SendKey, Settings, SettingsStore, Still
from app.state.autosave import Writer
from app.ui.settings.dialog import SettingsDialog
from tests.app.test_settings import OTHER

HIDDEN = {  # have no row of their own
    "presets", "recent_commands", "answers_made", "unknown",
    "recent_files", "edit_instructions", "kept_instructions",
    "model_weights", "named_models", "unfinished_model",
    "first_run", "first_run_seen", "first_run_model",
}  # fmt: skip


@pytest.fixture
def store(qapp, paths):
    writer = Writer()
    made = SettingsStore(paths.settings, writer)
    yield made
    made.close()
    writer.close()


@pytest.fixture
def dialog(qtbot, store, theme):
    made = SettingsDialog(store, theme)
    qtbot.addWidget(made)
    made.show()
    return made


def control(dialog: SettingsDialog, name: str) -> QWidget:
    for place in range(dialog.pages - 1):
        try:
            found = dialog.page(place).control(name)
        except KeyError:
            continue
        dialog.show_page(place)
        return found
    raise AssertionError(f"no control for {name}")


def shown(widget: QWidget) -> object:
    match widget:
        case QCheckBox():
            return widget.isChecked()
        case QComboBox():
            return widget.currentData()
        case QAbstractSpinBox():
            return widget.value()
        case QLineEdit():
            return widget.text()
    raise AssertionError(type(widget))


def names() -> list[str]:
    return sorted(set(Settings.__dataclass_fields__) - HIDDEN)


@pytest.mark.parametrize("name", names())
def test_every_setting_has_a_control_that_follows_the_store(dialog, store, name):
    store.change(presets=OTHER.presets)
    for settings in (OTHER, Settings()):
        value = getattr(settings, name)
        store.change(**{name: value})
        assert shown(control(dialog, name)) == getattr(value, "value", value)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("language", Qt.Key.Key_End, "de"),
        ("scheme", Qt.Key.Key_End, Scheme.DARK),
        ("still", Qt.Key.Key_End, Still.OFF),
        ("send_key", Qt.Key.Key_End, SendKey.CTRL_ENTER),
        ("preset_id", Qt.Key.Key_End, "think"),
        ("show_figures", Qt.Key.Key_Space, False),
        ("confirm_links", Qt.Key.Key_Space, False),
        ("keep_recordings", Qt.Key.Key_Space, False),
        ("reading_points", Qt.Key.Key_Up, 13.0),
        ("interface_percent", Qt.Key.Key_Up, 110),
        ("recording_days", Qt.Key.Key_Down, 3649),
    ],
)
def test_a_key_changes_it_at_once(qtbot, dialog, store, name, key, value):
    qtbot.keyClick(control(dialog, name), key)
    assert getattr(store.value, name) == value
    assert type(getattr(store.value, name)) is type(value)


def test_a_folder_is_typed(qtbot, dialog, store):
    field = control(dialog, "model_folder")
    qtbot.keyClicks(field, " /models/mine ")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert store.value.model_folder == "/models/mine"
    assert dialog.isVisible()  # Enter ends the typing, not the dialog


def test_a_page_is_reset_and_only_that(qtbot, dialog, store):
    store.change(scheme=Scheme.DARK, reading_points=20.0, show_figures=False)
    page = dialog.page(0)
    dialog.show_page(0)
    assert page.reset_button.isEnabled()
    qtbot.mouseClick(page.reset_button, Qt.MouseButton.LeftButton)
    assert store.value == Settings(show_figures=False)
    assert not page.reset_button.isEnabled()


def test_the_days_mean_something_only_while_recordings_are_kept(dialog, store):
    days = control(dialog, "recording_days")
    assert days.isEnabled()
    store.change(keep_recordings=False)
    assert not days.isEnabled()


def test_own_presets_are_offered_and_changed_at_once(dialog, store):
    store.change(presets=OTHER.presets, preset_id="mine")
    assert control(dialog, "preset_id").currentText() == "Mine"
    dialog.panel.show_preset(OTHER.presets[0])
    next(each for each in dialog.panel.findChildren(QCheckBox) if "Think" in each.text()).click()
    assert store.value.presets[0].thinking


def test_the_buttons_ask_their_owner(qtbot, dialog):
    for place, text, signal in (
        (4, "Open folder", dialog.data_folder_requested),
        (6, "Show the log", dialog.log_requested),
    ):
        dialog.show_page(place)
        button = next(
            each for each in dialog.page(place).findChildren(QPushButton) if each.text() == text
        )
        with qtbot.waitSignal(signal):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_the_wheel_over_a_control_scrolls_and_changes_nothing(qtbot, dialog, store):
    before = store.value
    for widget in dialog.findChildren(QSpinBox) + dialog.findChildren(QComboBox):
        dialog.setFocus()
        event = QWheelEvent(
            QPointF(5, 5),
            QPointF(5, 5),
            QPoint(0, 0),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)
    assert store.value == before


@pytest.mark.parametrize("percent", [100, 200])
def test_nothing_is_cut_off_at_the_side(qtbot, dialog, theme, store, percent):
    # dialogs of earlier tests wait for a loop that ends; another size would be set on each
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    try:
        theme.set_sizes(reading_points=12.0, interface_scale=percent / 100)
        dialog.resize(round(720 * theme.scale), round(560 * theme.scale))
        for place in range(dialog.pages):
            dialog.show_page(place)
            for area in dialog.findChildren(QScrollArea):
                if area.isVisible():
                    assert area.widget().minimumSizeHint().width() <= area.viewport().width()
    finally:
        theme.set_sizes(reading_points=12.0, interface_scale=1.0)
