"""All settings in one dialog. Nothing has to be confirmed: what one changes holds at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.settings import (
    INTERFACE_PERCENT,
    READING_POINTS,
    RECORDING_DAYS,
    SYSTEM_LANGUAGE,
    Scheme,
    SendKey,
    Settings,
    SettingsStore,
    Still,
)
from app.state import presets
from app.state.presets import Preset
from app.state.text import visible
from app.ui.controls import PageNames, scrolled
from app.ui.settings.models_page import ContextCost, fill_contexts, models_page, no_cost
from app.ui.settings.page import SettingsPage
from app.ui.settings.sampling_panel import SamplingPanel
from app.ui.theme import Theme
from app.words import LANGUAGES, tr

if TYPE_CHECKING:
    from app.state.updates.updates import Updates

ANSWERS, MODELS, UPDATES = 2, 3, 5  # places of pages


class SettingsDialog(QDialog):
    """Signals:
    log_requested(): show the log viewer.
    data_folder_requested(): show the folder with the user's data.
    """

    log_requested = Signal()
    data_folder_requested = Signal()

    def __init__(
        self,
        store: SettingsStore,
        theme: Theme,
        parent: QWidget | None = None,
        context_cost: ContextCost = no_cost,
        updates: Updates | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Settings"))
        self.resize(QSize(round(720 * theme.scale), round(560 * theme.scale)))
        self._store = store
        self._theme = theme
        self._context_cost = context_cost
        self._makers: tuple[tuple[str, Callable[[], SettingsPage]], ...] = (
            (tr("Look"), lambda: _look(store)),
            (tr("Writing"), lambda: _writing(store)),
            (tr("Answers"), lambda: _answers(store)),
            (tr("Models"), lambda: models_page(store, context_cost)),
            (tr("Privacy and data"), lambda: _privacy(store, self.data_folder_requested.emit)),
            (tr("Updates"), lambda: _updates(store, updates)),
            (tr("Advanced"), lambda: _advanced(store, self.log_requested.emit)),
        )
        self._made: dict[int, SettingsPage] = {}  # pages by place, each built when first shown
        self._panel: SamplingPanel | None = None
        self._names = PageNames()
        self._names.setAccessibleName(tr("Pages"))
        self._names.setFixedWidth(round(168 * theme.scale))
        self._stack = QStackedWidget()
        self._resets = QStackedWidget()
        for title in (*(title for title, _ in self._makers), tr("Presets")):
            self._names.addItem(title)
            self._stack.addWidget(QWidget())
            self._resets.addWidget(QWidget())
        self._names.currentRowChanged.connect(self._turn_to)
        self._build()
        store.changed.connect(self._show)
        self._names.setCurrentRow(0)

    @property
    def pages(self) -> int:
        return self._names.count()

    @property
    def panel(self) -> SamplingPanel:
        """The page of the presets."""
        if self._panel is None:
            store = self._store
            self._panel = SamplingPanel(self._theme)
            self._panel.changed.connect(self._on_preset)
            self._panel.own_changed.connect(lambda own: store.change(presets=own))
            self._panel.show_own(store.value.presets)
            chosen = presets.find(store.value.presets, store.value.preset_id)
            self._panel.show_preset(chosen)
            _put(self._stack, len(self._makers), self._panel)
        return self._panel

    def page(self, place: int) -> SettingsPage:
        if place not in self._made:
            _, make = self._makers[place]
            page = make()
            page.show_settings(self._store.value)
            self._made[place] = page
            _put(self._stack, place, scrolled(page))
            _put(self._resets, place, page.reset_button)
        return self._made[place]

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show(self._store.value)  # another model may run by now

    def show_page(self, place: int) -> None:
        self._names.setCurrentRow(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter):  # they end the typing only
            super().keyPressEvent(event)

    def _turn_to(self, place: int) -> None:
        if place < len(self._makers):
            self.page(place)
        else:
            _ = self.panel
        self._stack.setCurrentIndex(place)
        self._resets.setCurrentIndex(place)

    def _build(self) -> None:
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.close)
        self._resets.setFixedHeight(close.sizeHint().height() + 4)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(14, 8, 18, 12)
        buttons.addWidget(self._resets, 1, Qt.AlignmentFlag.AlignLeft)
        buttons.addWidget(close)
        line = QFrame()
        line.setObjectName("rule")
        line.setFixedHeight(1)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.setContentsMargins(0, 12, 0, 0)
        right.addWidget(self._stack, 1)
        right.addWidget(line)
        right.addLayout(buttons)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 0, 0, 0)
        layout.setSpacing(0)
        names = QVBoxLayout()
        names.setContentsMargins(0, 12, 0, 12)
        names.addWidget(self._names)
        layout.addLayout(names)
        layout.addLayout(right, 1)

    def _show(self, settings: Settings) -> None:
        if ANSWERS in self._made:
            _fill_presets(self._made[ANSWERS], settings)
        if MODELS in self._made:
            fill_contexts(self._made[MODELS], self._context_cost, settings.model_context)
        for page in self._made.values():
            page.show_settings(settings)
        if self._panel is not None:
            self._panel.show_own(settings.presets)

    def _on_preset(self, preset: Preset) -> None:
        """A preset of one's own changes at once; a built-in one stays as it is."""
        own = self._store.value.presets
        if any(each.id == preset.id for each in own):
            self._store.change(presets=presets.put(own, preset))


def _put(stack: QStackedWidget, place: int, widget: QWidget) -> None:
    """Replaces the empty page at a place."""
    if (empty := stack.widget(place)) is not None:
        stack.removeWidget(empty)
        empty.deleteLater()
    stack.insertWidget(place, widget)


def _look(store: SettingsStore) -> SettingsPage:
    page = SettingsPage(store, tr("Look"))
    languages = [(SYSTEM_LANGUAGE, tr("As the system")), *LANGUAGES.items()]
    page.options("language", tr("Language"), tr("From the next start on."), languages)
    schemes = (
        (Scheme.SYSTEM, tr("As the system")),
        (Scheme.LIGHT, tr("Light")),
        (Scheme.DARK, tr("Dark")),
    )
    page.options("scheme", tr("Colours"), "", schemes)
    page.decimal(
        "reading_points", tr("Reading size"), tr("Of questions and answers."), READING_POINTS
    )
    page.whole(
        "interface_percent",
        tr("Interface size"),
        tr("Of buttons, lists and dialogs."),
        INTERFACE_PERCENT,
        step=10,
        suffix=" %",
    )
    stills = (
        (Still.SYSTEM, tr("As the system")),
        (Still.ON, tr("Still")),
        (Still.OFF, tr("Moving")),
    )
    page.options(
        "still",
        tr("While an answer sharpens"),
        tr("Still shows only words that are sure, with a dot for each gap."),
        stills,
    )
    return page


def _writing(store: SettingsStore) -> SettingsPage:
    page = SettingsPage(store, tr("Writing"))
    keys = (
        (SendKey.ENTER, tr("Enter")),
        (SendKey.CTRL_ENTER, tr("Ctrl+Enter")),
    )
    page.options(
        "send_key",
        tr("Send with"),
        tr("With Ctrl+Enter, Enter alone starts a new line."),
        keys,
    )
    page.check(
        "wrap_lines",
        tr("Wrap long lines in the editor"),
        tr("Else one scrolls to their ends."),
    )
    return page


def _answers(store: SettingsStore) -> SettingsPage:
    page = SettingsPage(store, tr("Answers"))
    page.options("preset_id", tr("Preset of new chats"), tr("Each chat keeps its own copy."), ())
    page.check(
        "show_figures",
        tr("Show figures under answers"),
        tr("Tokens, steps and seconds, in a quiet line."),
    )
    _fill_presets(page, store.value)
    return page


def _fill_presets(page: SettingsPage, settings: Settings) -> None:
    offered = (*presets.built_in(), *settings.presets)
    page.refill("preset_id", [(preset.id, visible(preset.name)) for preset in offered])


def _privacy(store: SettingsStore, open_folder: Callable[[], object]) -> SettingsPage:
    page = SettingsPage(store, tr("Privacy and data"))
    page.note(tr("Chats, documents and settings stay on this computer. Nothing is sent anywhere."))
    page.note(
        tr(
            "Redraft uses the network when you look up or download a model: then it asks the "
            "hub for the names of that model's files and for the files. Besides it fetches the "
            "engine it runs on, once, and updates, if you want them. It counts nothing and "
            "reports nothing."
        )
    )
    page.check(
        "confirm_links",
        tr("Ask before opening a link"),
        tr("Shows the full address first. Links in answers may be invented."),
    )
    page.check(
        "keep_recordings",
        tr("Keep recordings of answers"),
        tr("So that you can watch again how an answer came into focus."),
    )
    page.whole(
        "recording_days",
        tr("Keep them for"),
        tr("Then only the recording is deleted; the chat stays."),
        RECORDING_DAYS,
        suffix=tr(" days"),
    )
    page.enable_with("recording_days", "keep_recordings")
    page.action(
        tr("Your data"),
        tr("One folder holds everything Redraft keeps."),
        tr("Open folder"),
        open_folder,
    )
    return page


def _updates(store: SettingsStore, updates: Updates | None) -> SettingsPage:
    from app.ui.settings.updates_page import updates_page  # not needed for the first window

    return updates_page(store, updates)


def _advanced(store: SettingsStore, open_log: Callable[[], object]) -> SettingsPage:
    page = SettingsPage(store, tr("Advanced"))
    page.action(
        tr("Log"),
        tr("What Redraft noted, for when something goes wrong."),
        tr("Show the log"),
        open_log,
    )
    return page
