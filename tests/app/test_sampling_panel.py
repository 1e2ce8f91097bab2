"""The panel and the preset bar, driven as a person drives them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QToolButton,
)

from app.state import presets
from app.state.presets import KNOBS, Preset
from app.ui.settings.sampling_panel import SamplingPanel
from engine.messages import Sampling
from tests.app.test_presets import OWN


class Heard:
    def __init__(self, panel: SamplingPanel) -> None:
        self.presets: list[Preset] = []
        self.own: list[presets.Presets] = []
        panel.changed.connect(self.presets.append)
        panel.own_changed.connect(self.own.append)


@pytest.fixture
def panel(qtbot, theme) -> SamplingPanel:
    made = SamplingPanel(theme)
    qtbot.addWidget(made)
    made.resize(420, 900)
    made.show()
    return made


@pytest.fixture
def heard(panel) -> Heard:
    return Heard(panel)


def named(panel: SamplingPanel, kind: type, name: str):
    return next(
        each
        for each in panel.findChildren(kind)
        if name in (each.accessibleName(), getattr(each, "text", str)())
    )


def choose(panel: SamplingPanel, text: str) -> None:
    action = next(each for each in panel.bar.menu.actions() if each.text() == text)
    assert isinstance(action, QAction)
    assert action.isEnabled()
    action.trigger()


def enter(qtbot, spin: QAbstractSpinBox, text: str) -> None:
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, text)
    qtbot.keyClick(spin, Qt.Key.Key_Return)


@pytest.mark.parametrize("preset", [OWN, *presets.built_in()], ids=lambda each: each.id)
def test_showing_a_preset_changes_nothing(panel, heard, preset):
    panel.show_preset(preset)
    assert panel.preset == preset
    assert heard.presets == []


@pytest.mark.parametrize("knob", KNOBS, ids=lambda each: each.name)
def test_a_number_is_set_and_given_back(qtbot, panel, heard, knob):
    row = panel.row(knob.name)
    spin = row.findChild(QAbstractSpinBox)
    enter(qtbot, spin, spin.textFromValue(knob.high))
    assert getattr(heard.presets[-1].sampling, knob.name) == knob.high
    reset = row.findChild(QToolButton)
    qtbot.mouseClick(reset, Qt.MouseButton.LeftButton)
    assert getattr(heard.presets[-1].sampling, knob.name) is None
    assert not reset.isEnabled()
    assert spin.value() == knob.published  # what the model says is shown
    assert heard.presets[-1] == panel.preset


def test_whole_numbers_stay_whole(qtbot, panel, heard):
    slider = panel.row("max_denoising_steps").findChild(QSlider)
    qtbot.keyClick(slider, Qt.Key.Key_Home)
    assert heard.presets[-1].sampling == Sampling(max_denoising_steps=1)
    assert type(heard.presets[-1].sampling.max_denoising_steps) is int


def test_the_temperature_never_rises(qtbot, panel, heard):
    enter(qtbot, panel.row("t_max").findChild(QAbstractSpinBox), "0.20")
    sampling = heard.presets[-1].sampling
    assert (sampling.t_max, sampling.t_min) == (0.2, 0.2)
    assert panel.row("t_min").value == 0.2  # and it is seen


def test_the_model_that_is_loaded_says_what_is_usual(panel):
    panel.show_model({"max_denoising_steps": 20})
    assert panel.row("max_denoising_steps").findChild(QAbstractSpinBox).value() == 20
    assert panel.row("entropy_bound").findChild(QAbstractSpinBox).value() == 0.1


def test_reset_all_is_all(qtbot, panel, heard):
    panel.show_preset(OWN)
    button = named(panel, QPushButton, "Reset all")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert heard.presets == [replace(OWN, sampling=Sampling(), seed=None)]
    assert not button.isEnabled()


def test_the_system_prompt_keeps_what_is_typed(qtbot, panel, heard):
    field = panel.findChild(QPlainTextEdit)
    qtbot.keyClicks(field, "Be kind.")
    assert heard.presets[-1].system_prompt == "Be kind."
    assert field.textCursor().position() == 8  # the cursor does not jump


def test_thinking_opens_its_budget(qtbot, panel, heard):
    budget = named(panel, QSpinBox, "Tokens for thinking")
    assert not budget.isEnabled()
    named(panel, QCheckBox, "Think before answering").click()
    assert heard.presets[-1].thinking
    enter(qtbot, budget, "10")
    assert heard.presets[-1].thought_budget == presets.THOUGHT_BUDGET[0]  # and not less
    enter(qtbot, budget, "0")
    assert heard.presets[-1].thought_budget is None


def test_a_fixed_seed_begins_with_the_last_one(panel, heard):
    panel.show_last_seed(4711)
    box = named(panel, QCheckBox, "Use the same seed every time")
    box.click()
    assert heard.presets[-1].seed == 4711
    box.click()
    assert heard.presets[-1].seed is None


def test_a_preset_is_chosen_from_the_list(qtbot, panel, heard):
    panel.show_own((OWN,))
    box = panel.bar.findChild(QComboBox)
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_End)
    assert heard.presets == [OWN]
    assert panel.row("max_denoising_steps").value == 20


def test_a_built_in_preset_is_saved_as_a_new_one_only(qtbot, panel, heard):
    named(panel, QCheckBox, "Think before answering").click()
    actions = {each.text(): each.isEnabled() for each in panel.bar.menu.actions()}
    assert not any(actions[name] for name in ("Save", "Rename…", "Delete"))
    choose(panel, "Save as new…")
    field = panel.bar.findChild(QLineEdit)
    field.selectAll()
    qtbot.keyClicks(field, "Slow and deep")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    (made,) = heard.own[-1]
    assert (made.name, made.thinking) == ("Slow and deep", True)
    assert heard.presets[-1] == made


def test_an_own_preset_is_changed_and_saved(panel, heard):
    panel.show_own((OWN,))
    panel.show_preset(OWN)
    named(panel, QCheckBox, "Think before answering").click()
    assert heard.own == []  # the chat has it, the preset not yet
    choose(panel, "Save")
    assert heard.own == [(replace(OWN, thinking=False),)]


def test_discarding_gives_the_preset_back(panel, heard):
    panel.show_own((OWN,))
    panel.show_preset(replace(OWN, seed=99))
    choose(panel, "Discard changes")
    assert heard.presets == [OWN]


def test_renaming_keeps_the_rest(qtbot, panel, heard):
    panel.show_own((OWN,))
    panel.show_preset(OWN)
    choose(panel, "Rename…")
    qtbot.keyClicks(panel.bar.findChild(QLineEdit), "Verse")
    qtbot.keyClick(panel.bar.findChild(QLineEdit), Qt.Key.Key_Return)
    assert heard.own == [(replace(OWN, name="Verse"),)]


def test_what_is_deleted_can_be_had_back(qtbot, panel, heard):
    rows = (OWN, replace(OWN, id="b", name="B"), replace(OWN, id="c", name="C"))
    panel.show_own(rows)
    panel.show_preset(rows[1])
    choose(panel, "Delete")
    assert heard.own == [(rows[0], rows[2])]
    assert panel.preset == rows[1]  # the chat keeps its copy
    undo = named(panel, QPushButton, "Undo")
    assert undo.isVisible()
    qtbot.keyClick(undo, Qt.Key.Key_Space)
    assert heard.own[-1] == rows
    assert not undo.isVisible()


def test_every_control_has_a_name(panel):
    kinds = (QAbstractSpinBox, QSlider, QToolButton, QComboBox, QPlainTextEdit, QLineEdit)
    controls = [each for kind in kinds for each in panel.findChildren(kind)]
    controls = [each for each in controls if each.objectName() != "qt_spinbox_lineedit"]
    assert len(controls) > 20
    assert [each for each in controls if not each.accessibleName()] == []
