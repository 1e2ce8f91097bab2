"""Chooses a preset and keeps the user's own: save, name, duplicate, delete, undo."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.state import presets
from app.state.presets import Preset, Presets
from app.state.text import visible
from app.ui.controls import quiet_wheel
from app.ui.widgets import flat_button, plain_label
from app.words import tr


class PresetBar(QWidget):
    """`current` is a working copy: it may differ from the stored preset with its id.

    Signals:
        chosen(Preset): another working copy.
        own_changed(tuple): the user's presets are these now.
    """

    chosen = Signal(object)
    own_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own: Presets = ()
        self._current = presets.built_in()[0]
        self._removed: tuple[int, Preset] | None = None
        self._is_renaming = False
        self._list = QComboBox()
        self._list.setAccessibleName(tr("Preset"))
        self._list.activated.connect(self._on_activated)
        quiet_wheel(self._list)
        self._note = plain_label(muted=True)
        self._undo = flat_button(tr("Undo"))
        self._undo.clicked.connect(self._on_undo)
        self._name = QLineEdit()
        self._name.setMaxLength(presets.NAME_CHARACTERS)
        self._name.setAccessibleName(tr("Name of the preset"))
        self._name.setPlaceholderText(tr("Name of the preset"))
        self._name.returnPressed.connect(self._on_named)
        self._naming = self._build_naming()
        self._menu = QMenu(self)
        self._build_menu()
        self._build()
        self._refresh()

    @property
    def current(self) -> Preset:
        return self._current

    @property
    def menu(self) -> QMenu:
        return self._menu

    def show_own(self, own: Presets) -> None:
        self._own = own
        self._refresh()

    def show_current(self, preset: Preset) -> None:
        self._current = preset
        self._refresh()

    def _build(self) -> None:
        more = QPushButton("…")
        more.setAccessibleName(tr("Save, rename or delete this preset"))
        more.setToolTip(tr("Save, rename or delete this preset"))
        more.setMenu(self._menu)
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self._list, 1)
        line.addWidget(more)
        note = QHBoxLayout()
        note.addWidget(self._note, 1)
        note.addWidget(self._undo)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addLayout(line)
        layout.addWidget(self._naming)
        layout.addLayout(note)

    def _build_menu(self) -> None:
        self._save = QAction(tr("Save"), self)
        self._save.triggered.connect(self._on_save)
        save_new = QAction(tr("Save as new…"), self)
        save_new.triggered.connect(lambda: self._ask_name(is_renaming=False))
        self._rename = QAction(tr("Rename…"), self)
        self._rename.triggered.connect(lambda: self._ask_name(is_renaming=True))
        duplicate = QAction(tr("Duplicate"), self)
        duplicate.triggered.connect(self._on_duplicate)
        self._discard = QAction(tr("Discard changes"), self)
        self._discard.triggered.connect(lambda: self._choose(self._stored))
        self._delete = QAction(tr("Delete"), self)
        self._delete.triggered.connect(self._on_delete)
        self._menu.addActions([self._save, save_new, self._discard])
        self._menu.addSeparator()
        self._menu.addActions([self._rename, duplicate, self._delete])

    def _build_naming(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        done = QPushButton(tr("Save"))
        done.clicked.connect(self._on_named)
        cancel = flat_button(tr("Cancel"))
        cancel.clicked.connect(row.hide)
        layout.addWidget(self._name, 1)
        layout.addWidget(done)
        layout.addWidget(cancel)
        row.hide()
        return row

    @property
    def _stored(self) -> Preset:
        return presets.find(self._own, self._current.id)

    @property
    def _is_own(self) -> bool:
        return any(preset.id == self._current.id for preset in self._own)

    def _refresh(self) -> None:
        offered = (*presets.built_in(), *self._own)
        with QSignalBlocker(self._list):
            self._list.clear()
            for preset in offered:
                self._list.addItem(visible(preset.name), preset.id)
            self._list.setPlaceholderText(visible(self._current.name))
            self._list.setCurrentIndex(self._list.findData(self._current.id))
        is_known = self._stored.id == self._current.id
        is_changed = is_known and self._stored != self._current
        self._save.setEnabled(self._is_own and is_changed)
        self._discard.setEnabled(is_changed)
        self._rename.setEnabled(self._is_own)
        self._delete.setEnabled(self._is_own)
        if self._removed is not None:
            note = tr("“{name}” is deleted.", name=visible(self._removed[1].name))
        elif is_changed:
            note = tr("Changed. The preset itself stays as it was.")
        elif not is_known:
            note = tr("This preset is deleted; the chat keeps its values.")
        else:
            note = ""
        self._note.setText(note)
        self._note.setVisible(bool(note))
        self._undo.setVisible(self._removed is not None)

    def _on_activated(self, place: int) -> None:
        self._choose(presets.find(self._own, self._list.itemData(place)))

    def _choose(self, preset: Preset) -> None:
        self._current = preset
        self._removed = None
        self._refresh()
        self.chosen.emit(preset)

    def _keep(self, own: Presets) -> None:
        self._own = own
        self._refresh()
        self.own_changed.emit(own)

    def _on_save(self) -> None:
        self._keep(presets.put(self._own, self._current))

    def _on_duplicate(self) -> None:
        self._add(presets.duplicate(self._own, self._current))

    def _add(self, preset: Preset) -> None:
        self._keep(presets.put(self._own, preset))
        self._choose(preset)

    def _on_delete(self) -> None:
        place = next(i for i, each in enumerate(self._own) if each.id == self._current.id)
        self._removed = (place, self._own[place])
        self._keep(presets.without(self._own, self._current.id))
        self._undo.setFocus()

    def _on_undo(self) -> None:
        if self._removed is not None:
            (place, preset), self._removed = self._removed, None
            self._keep(presets.put(self._own, preset, place))
            self._list.setFocus()

    def _ask_name(self, *, is_renaming: bool) -> None:
        self._is_renaming = is_renaming
        name = self._current.name
        self._name.setText(name if is_renaming else presets.free_name(self._own, name))
        self._naming.show()
        self._name.setFocus()
        self._name.selectAll()

    def _on_named(self) -> None:
        name = self._name.text()
        self._naming.hide()
        if not self._is_renaming:
            self._add(presets.duplicate(self._own, self._current, name))
        elif self._is_own:
            others = presets.without(self._own, self._current.id)
            name = presets.free_name(others, name)
            stored = replace(self._stored, name=name)
            self._current = replace(self._current, name=name)
            self._keep(presets.put(self._own, stored))
            self.chosen.emit(self._current)
        self._list.setFocus()
