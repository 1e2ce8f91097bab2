"""How the answers of the shown chat are made: the sampling panel at the right, with its presets."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.settings import SettingsStore
from app.state.chats import Chats
from app.state.conversation import Message
from app.state.presets import Preset
from app.ui.settings.sampling_panel import SamplingPanel
from app.ui.theme import Theme
from app.ui.widgets import plain_label
from app.words import tr


class SidePanel(QWidget):
    """Shows the preset of the current chat, and changes it."""

    def __init__(
        self, chats: Chats, settings: SettingsStore, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._chats = chats
        self.panel = SamplingPanel(theme)
        title = plain_label(tr("How this chat is answered"), wrap=False)
        title.setProperty("strong", True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 10, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.panel, 1)
        self.panel.changed.connect(self._on_changed)
        self.panel.own_changed.connect(lambda own: settings.change(presets=own))
        settings.changed.connect(lambda value: self.panel.show_own(value.presets))
        chats.current_changed.connect(self._on_current_changed)
        self.panel.show_own(settings.value.presets)
        self._on_current_changed()

    def show_answer(self, answer: Message) -> None:
        if answer.usage is not None:
            self.panel.show_last_seed(answer.usage.seed)

    def _on_changed(self, preset: Preset) -> None:
        self._chats.set_preset(preset)

    def _on_current_changed(self) -> None:
        self.panel.show_preset(self._chats.current.preset)
