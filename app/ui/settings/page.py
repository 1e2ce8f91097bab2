"""One page of settings: rows bound to fields of `Settings` by name. A change applies at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.settings import Settings, SettingsStore
from app.state.text import clean, visible
from app.ui.controls import choice, setting_row, tidy_spin
from app.ui.widgets import flat_button, plain_label
from app.words import tr


class SettingsPage(QWidget):
    """Each method adds a row. The page follows the store, whoever changes it."""

    def __init__(self, store: SettingsStore, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self._store = store
        self._shows: dict[str, Callable[[Any], None]] = {}
        self._controls: dict[str, QWidget] = {}
        self._reset = flat_button(tr("Reset this page"))
        self._reset.setToolTip(tr("Give everything on this page its usual value again"))
        self._reset.clicked.connect(lambda: store.reset(*self._shows))
        self._rows = QVBoxLayout()
        self._rows.setSpacing(18)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 8, 24, 18)
        layout.addLayout(self._rows)
        layout.addStretch(1)
        store.changed.connect(self.show_settings)

    @property
    def reset_button(self) -> QPushButton:
        return self._reset

    def control(self, name: str) -> QWidget:
        """The control of a field."""
        return self._controls[name]

    def show_settings(self, settings: Settings) -> None:
        for name, show in self._shows.items():
            show(getattr(settings, name))
        usual = Settings()
        is_usual = all(getattr(settings, name) == getattr(usual, name) for name in self._shows)
        self._reset.setEnabled(not is_usual)

    def check(self, name: str, label: str, why: str) -> None:
        box = QCheckBox(label)
        box.setAccessibleDescription(why)
        box.toggled.connect(lambda on: self._store.change(**{name: on}))
        words = plain_label(why, muted=True)
        words.setIndent(round(box.fontMetrics().height() * 1.6))
        part = QVBoxLayout()
        part.setSpacing(2)
        part.addWidget(box)
        part.addWidget(words)
        self._rows.addLayout(part)
        self._bind(name, box, box.setChecked)

    def options(
        self, name: str, label: str, why: str, options: Sequence[tuple[object, str]]
    ) -> None:
        # the box holds plain values, because Qt would not find an Enum again; so the kind is kept
        kinds = {type(value) for value, _ in options if isinstance(value, Enum)}
        kind = kinds.pop() if kinds else None
        box = choice([(_plain(value), text) for value, text in options])

        def change(place: int) -> None:
            value = box.itemData(place)
            self._store.change(**{name: value if kind is None else kind(value)})

        box.activated.connect(change)
        self._rows.addWidget(setting_row(label, why, box))
        self._bind(name, box, lambda value: box.setCurrentIndex(box.findData(_plain(value))))

    def refill(self, name: str, options: Sequence[tuple[object, str]]) -> None:
        """Other options of a row made by `options`."""
        box = self._controls[name]
        assert isinstance(box, QComboBox)
        with QSignalBlocker(box):
            box.clear()
            for value, text in options:
                box.addItem(text, value)

    def whole(self, name: str, label: str, why: str, between: tuple[int, int], **look: Any) -> None:
        """`look`: suffix, step."""
        spin = QSpinBox()
        spin.setRange(*between)
        spin.setSingleStep(look.get("step", 1))
        spin.setSuffix(look.get("suffix", ""))
        self._number(name, label, why, spin)

    def decimal(self, name: str, label: str, why: str, between: tuple[float, float]) -> None:
        spin = QDoubleSpinBox()
        spin.setDecimals(1)
        spin.setRange(*between)
        spin.setSuffix(tr(" pt"))
        self._number(name, label, why, spin)

    def folder(self, name: str, label: str, why: str, empty: str) -> None:
        """A folder's path, typed or chosen; `empty` is what an empty field means."""
        field = QLineEdit()
        field.setPlaceholderText(empty)
        field.setAccessibleName(label)
        field.setAccessibleDescription(why)
        field.editingFinished.connect(
            lambda: self._store.change(**{name: clean(field.text()).strip()})
        )
        choose = QPushButton(tr("Choose…"))
        choose.setAutoDefault(False)
        choose.clicked.connect(lambda: self._choose_folder(name, label))
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(field, 1)
        line.addWidget(choose)
        part = QVBoxLayout()
        part.setSpacing(4)
        part.addWidget(plain_label(label))
        part.addLayout(line)
        part.addWidget(plain_label(why, muted=True))
        self._rows.addLayout(part)
        self._bind(name, field, lambda value: field.setText(visible(value)))

    def note(self, text: str) -> None:
        self._rows.addWidget(plain_label(text, muted=True))

    def part(self, part: QWidget) -> None:
        """A row of its own kind."""
        self._rows.addWidget(part)

    def action(self, label: str, why: str, text: str, run: Callable[[], object]) -> None:
        """A row with a button that opens something."""
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked: run())
        self._rows.addWidget(setting_row(label, why, button))
        button.setAccessibleName(text)

    def enable_with(self, name: str, switch: str) -> None:
        """The control of `name` means something only while the field `switch` is true."""
        show = self._shows[switch]

        def show_both(value: Any) -> None:
            show(value)
            self._controls[name].setEnabled(bool(value))

        self._shows[switch] = show_both

    def _number(self, name: str, label: str, why: str, spin: QSpinBox | QDoubleSpinBox) -> None:
        tidy_spin(spin)
        spin.setMinimumWidth(104)
        spin.valueChanged.connect(lambda value: self._store.change(**{name: value}))
        self._rows.addWidget(setting_row(label, why, spin))
        self._bind(name, spin, spin.setValue)

    def _bind(self, name: str, control: QWidget, show: Callable[[Any], None]) -> None:
        def quietly(value: Any) -> None:
            with QSignalBlocker(control):
                show(value)

        self._shows[name] = quietly
        self._controls[name] = control

    def _choose_folder(self, name: str, title: str) -> None:
        dialog = QFileDialog(self, title, getattr(self._store.value, name))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda path: self._store.change(**{name: clean(path)}))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value
