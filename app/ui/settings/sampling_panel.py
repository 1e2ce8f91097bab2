"""How answers are made: the preset, what the model is told first, thinking, and the sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPlainTextEdit, QSpinBox, QVBoxLayout, QWidget

from app.state import presets
from app.state.presets import KNOBS, Knob, Preset, Presets
from app.state.text import clean
from app.ui.controls import heading, rule, scrolled, setting_row, tidy_spin
from app.ui.settings.preset_bar import PresetBar
from app.ui.settings.preset_row import KnobRow
from app.ui.theme import Theme
from app.ui.widgets import flat_button, plain_label
from app.words import tr
from engine.messages import Sampling

PROMPT_LINES = 4
BUDGET_STEP = 256  # tokens


class SamplingPanel(QWidget):
    """Edits one preset, a working copy. As a side panel or as a page; scrolls by itself.

    Signals:
        changed(Preset): the user changed something or chose another preset.
        own_changed(tuple): the user's own presets are these now; to be kept in the settings.
    """

    changed = Signal(object)
    own_changed = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preset = presets.built_in()[0]
        self._model: Mapping[str, float] = presets.PUBLISHED
        self._last_seed = 0
        self._bar = PresetBar()
        self._prompt = QPlainTextEdit()
        self._thinking = QCheckBox(tr("Think before answering"))
        self._budget = QSpinBox()
        self._is_seed_fixed = QCheckBox(tr("Use the same seed every time"))
        self._seed = QSpinBox()
        self._rows = {knob.name: KnobRow(knob, *knob_words(knob), theme=theme) for knob in KNOBS}
        self._reset_all = flat_button(tr("Reset all"))
        self._prepare()
        self._build()
        self._connect()
        self.show_preset(self._preset)

    @property
    def preset(self) -> Preset:
        return self._preset

    @property
    def bar(self) -> PresetBar:
        return self._bar

    def row(self, name: str) -> KnobRow:
        return self._rows[name]

    def show_own(self, own: Presets) -> None:
        self._bar.show_own(own)

    def show_model(self, values: Mapping[str, float]) -> None:
        """The model's own sampling, by the field names of `Sampling`; else the published one."""
        self._model = {**presets.PUBLISHED, **values}
        for name, row in self._rows.items():
            row.show_model_value(self._model[name])

    def show_last_seed(self, seed: int) -> None:
        """The seed of the last answer: what one gets when one fixes it."""
        self._last_seed = seed % (presets.SEEDS[1] + 1)

    def show_preset(self, preset: Preset) -> None:
        """Without a signal."""
        self._preset = preset
        self._bar.show_current(preset)
        controls = (self._prompt, self._thinking, self._budget, self._is_seed_fixed, self._seed)
        blockers = [QSignalBlocker(control) for control in controls]
        if self._prompt.toPlainText() != preset.system_prompt:  # else the cursor would jump
            self._prompt.setPlainText(preset.system_prompt)
        self._thinking.setChecked(preset.thinking)
        self._budget.setValue(preset.thought_budget or 0)
        self._budget.setEnabled(preset.thinking)
        self._is_seed_fixed.setChecked(preset.seed is not None)
        self._seed.setEnabled(preset.seed is not None)
        if preset.seed is not None:
            self._seed.setValue(preset.seed)
        for name, row in self._rows.items():
            row.show_value(getattr(preset.sampling, name))
        self._reset_all.setEnabled(preset.sampling != Sampling() or preset.seed is not None)
        del blockers

    def _prepare(self) -> None:
        self._prompt.setProperty("field", True)
        self._prompt.setTabChangesFocus(True)
        self._prompt.setAccessibleName(tr("System prompt"))
        self._prompt.setPlaceholderText(tr("For example: Answer in short, plain sentences."))
        self._budget.setRange(0, presets.THOUGHT_BUDGET[1])
        self._budget.setSingleStep(BUDGET_STEP)
        self._budget.setSpecialValueText(tr("No limit"))
        self._seed.setRange(*presets.SEEDS)
        self._seed.setAccessibleName(tr("Seed"))
        for control in (self._budget, self._seed):
            tidy_spin(control)
            control.setFixedWidth(128)

    def _build(self) -> None:
        self._prompt.setFixedHeight(self._prompt.fontMetrics().lineSpacing() * PROMPT_LINES + 18)
        head = QHBoxLayout()
        head.addWidget(heading(tr("How the text settles")))
        head.addStretch(1)
        head.addWidget(self._reset_all)
        seed = QHBoxLayout()
        seed.addWidget(self._is_seed_fixed)
        seed.addStretch(1)
        seed.addWidget(self._seed)
        content = QWidget()
        inner = QVBoxLayout(content)
        inner.setContentsMargins(18, 14, 18, 18)
        inner.setSpacing(10)
        inner.addWidget(heading(tr("Preset")))
        inner.addWidget(self._bar)
        inner.addWidget(heading(tr("System prompt")))
        inner.addWidget(self._prompt)
        inner.addWidget(plain_label(tr("What the model is told before every chat."), muted=True))
        inner.addWidget(self._thinking)
        inner.addWidget(
            setting_row(
                tr("Tokens for thinking"),
                tr("Thinking ends here, so that an answer follows. It takes time and context."),
                self._budget,
            )
        )
        inner.addWidget(rule())
        inner.addLayout(head)
        for row in self._rows.values():
            inner.addWidget(row)
            inner.addSpacing(6)
        inner.addLayout(seed)
        inner.addWidget(
            plain_label(
                tr("The same question with the same seed and settings gives the same answer."),
                muted=True,
            )
        )
        inner.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        area = scrolled(content)
        layout.addWidget(area)
        bar = area.verticalScrollBar().sizeHint().width()
        self.setMinimumWidth(content.minimumSizeHint().width() + bar)

    def _connect(self) -> None:
        self._bar.chosen.connect(self._on_chosen)
        self._bar.own_changed.connect(self.own_changed)
        self._prompt.textChanged.connect(self._on_prompt)
        self._thinking.toggled.connect(lambda on: self._change(thinking=on))
        self._budget.valueChanged.connect(self._on_budget)
        self._is_seed_fixed.toggled.connect(
            lambda on: self._change(seed=self._last_seed if on else None)
        )
        self._seed.valueChanged.connect(lambda seed: self._change(seed=seed))
        self._reset_all.clicked.connect(lambda: self._change(sampling=Sampling(), seed=None))
        for knob in KNOBS:
            self._rows[knob.name].changed.connect(
                lambda value, knob=knob: self._on_number(knob, value)
            )

    def _on_chosen(self, preset: Preset) -> None:
        self.show_preset(preset)
        self.changed.emit(preset)

    def _on_prompt(self) -> None:
        self._change(system_prompt=clean(self._prompt.toPlainText()))

    def _on_budget(self, tokens: int) -> None:
        least = presets.THOUGHT_BUDGET[0]
        self._change(thought_budget=max(tokens, least) if tokens else None)

    def _on_number(self, knob: Knob, value: float | None) -> None:
        typed: Any = value if value is None or knob.decimals else int(value)
        sampling = replace(self._preset.sampling, **{knob.name: typed})
        self._change(sampling=presets.in_order(sampling, knob.name, self._model))

    def _change(self, **values: Any) -> None:
        preset = replace(self._preset, **values)
        if preset != self._preset:
            self.show_preset(preset)
            self.changed.emit(preset)


def knob_words(knob: Knob) -> tuple[str, str]:
    """The label of a number, and what it does to the text and the speed."""
    words = {
        "max_denoising_steps": (
            tr("Most steps"),
            tr(
                "Most canvases settle sooner; this ends the others. The temperature falls over "
                "these steps, so with fewer it also falls faster."
            ),
        ),
        "entropy_bound": (
            tr("Doubt accepted per step"),
            tr(
                "Lower: fewer words at a time, slower and more careful. Higher: faster, more slips."
            ),
        ),
        "t_max": (
            tr("Temperature at the start"),
            tr("Higher: more surprising words, more steps. Lower: plainer words, settled sooner."),
        ),
        "t_min": (
            tr("Temperature at the end"),
            tr("Lower: the last steps keep to the likeliest words. Higher: it searches longer."),
        ),
        "stability_threshold": (
            tr("Unchanged steps at the end"),
            tr(
                "How often the text must come out the same. More: surer and slower. 0: never asked."
            ),
        ),
        "confidence_threshold": (
            tr("Doubt left at the end"),
            tr(
                "Lower: it works on until nearly every word is certain. Higher: sooner, more slips."
            ),
        ),
    }
    return words[knob.name]
