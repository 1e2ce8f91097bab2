"""A planner for each model. It is made on a thread: a disk and the arithmetic take their time."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.state.editor.background import Background
from app.state.models.hardware import HardwareStatus
from app.state.models.plan import Planner, Sheet, make_sheet
from engine.messages import ModelEntry

LONGEST = 1 << 30  # tokens; cut to what the model can

Key = tuple[str, str, str]  # the configuration's path, the weights, the device


class Planners(QObject):
    """`close` before it is deleted.

    Signals:
        changed(): a planner is there that was asked for.
    """

    changed = Signal()

    def __init__(self, hardware: HardwareStatus, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._hardware = hardware
        self._background = Background("redraft-plans", self)
        self._sheets: dict[Key, Sheet | None] = {}  # None: on its way, or nothing to plan with

    def close(self) -> None:
        self._background.close()

    def planner(self, entry: ModelEntry, weights: str = "") -> Planner | None:
        """None as long as it is made, and where nothing is known of the model's inside.

        weights: the scheme it would be prepared with; empty: as the entry says.
        """
        if not entry.config:
            return None
        hardware = self._hardware.without_ours
        device = "cuda" if hardware is None else hardware.device
        key = (entry.config, weights or entry.scheme, device)
        if key not in self._sheets:
            self._sheets[key] = None
            self._background.run(lambda: _make(key), lambda sheet: self._on_made(key, sheet))
        sheet = self._sheets[key]
        return None if sheet is None else Planner(sheet=sheet, hardware=hardware)

    def _on_made(self, key: Key, sheet: Sheet) -> None:
        self._sheets[key] = sheet
        self.changed.emit()


def _make(key: Key) -> Sheet:
    """Raises EngineFault for a configuration of another kind: loading it says what is wrong."""
    from engine.memory import read_wish  # here, so that the window is not later for it

    config, weights, device = key
    return make_sheet(read_wish(Path(config), weights=weights, context=LONGEST, device=device))
