"""One number of the sampling: its name, its value, what it does, and the way back."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.state.presets import Knob
from app.ui.controls import quiet_wheel, tidy_spin
from app.ui.theme import Theme
from app.ui.widgets import OneLine, plain_label
from app.words import number, tr

NOTCHES = 200  # of a slider
SPIN_WIDTH = 92  # pixels, the same in every row


class KnobRow(QWidget):
    """Shows the model's own value until the user sets another one.

    Signals:
        changed(object): the new value, a float; None for as the model says.
    """

    changed = Signal(object)

    def __init__(
        self, knob: Knob, label: str, why: str, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._knob = knob
        self._theme = theme
        self._model_value = knob.published
        self._value: float | None = None
        self._state = OneLine()
        self._state.setProperty("muted", True)
        self._state.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._reset = QToolButton()
        self._reset.setAccessibleName(tr("As the model says: {name}", name=label))
        self._reset.setToolTip(tr("Back to the model's own value"))
        self._reset.clicked.connect(lambda: self._set(None))
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, NOTCHES)
        quiet_wheel(self._slider)
        self._spin = QDoubleSpinBox()
        self._spin.setDecimals(knob.decimals)
        self._spin.setRange(knob.low, knob.high)
        self._spin.setSingleStep(knob.step)
        tidy_spin(self._spin)
        for control in (self._slider, self._spin):
            control.setAccessibleName(label)
            control.setAccessibleDescription(why)
        self._slider.valueChanged.connect(lambda place: self._set(knob.at(place / NOTCHES)))
        self._spin.valueChanged.connect(self._set)
        self._build(label, why)
        self._on_theme_changed()
        theme.changed.connect(self._on_theme_changed)
        self.show_value(None)

    @property
    def value(self) -> float | None:
        return self._value

    def show_model_value(self, value: float) -> None:
        """What None stands for, with the model that is loaded."""
        self._model_value = value
        self.show_value(self._value)

    def show_value(self, value: float | None) -> None:
        self._value = value
        shown = self._model_value if value is None else value
        with QSignalBlocker(self._spin), QSignalBlocker(self._slider):
            self._spin.setValue(shown)
            share = self._knob.share(min(max(shown, self._knob.low), self._knob.high))
            self._slider.setValue(round(NOTCHES * share))
        usual = number(self._model_value, self._knob.decimals)
        self._state.setText(
            tr("As the model says") if value is None else tr("The model says {value}", value=usual)
        )
        self._reset.setEnabled(value is not None)

    def _set(self, value: float | None) -> None:
        if value != self._value:
            self.show_value(value)
            self.changed.emit(value)

    def _build(self, label: str, why: str) -> None:
        name = plain_label(label, wrap=False)
        name.setBuddy(self._spin)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(name)
        head.addWidget(self._state, 1)
        head.addWidget(self._reset)
        control = QHBoxLayout()
        control.setSpacing(10)
        control.addWidget(self._slider, 1)
        control.addWidget(self._spin)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addLayout(control)
        layout.addWidget(plain_label(why, muted=True))

    def _on_theme_changed(self) -> None:
        self._spin.setFixedWidth(round(SPIN_WIDTH * self._theme.scale))
        self._reset.setIcon(self._theme.icon("reset", self._theme.colors.muted, 16))
        side = round(15 * self._theme.scale)
        self._reset.setIconSize(QSize(side, side))
