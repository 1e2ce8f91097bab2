"""The windows beside the window: settings, log, About, replay, export, where a link goes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QDialog, QFileDialog, QMessageBox, QWidget

from app.paths import Paths
from app.settings import SettingsStore
from app.state.editor.store import EditRecord
from app.state.history.export import Format
from app.state.text import visible
from app.ui.about import AboutDialog
from app.ui.log_viewer import LogViewer
from app.ui.replay.replay import replay_dialog
from app.ui.settings.dialog import UPDATES, SettingsDialog
from app.ui.settings.models_page import ContextCost, no_cost
from app.ui.theme import Theme
from app.words import tr

if TYPE_CHECKING:
    from app.state.updates.updates import Updates

OPENED = ("http", "https", "mailto")
ADDRESS_CHARACTERS = 600

Run = Callable[[Callable[[], None]], object]


class Dialogs:
    """Opens them over `window`. None blocks it; `run` does slow work on another thread."""

    def __init__(
        self,
        window: QWidget,
        *,
        settings: SettingsStore,
        theme: Theme,
        paths: Paths,
        run: Run,
        facts: Callable[[], dict[str, str]],
    ) -> None:
        self._window = window
        self._settings = settings
        self._theme = theme
        self._paths = paths
        self._run = run
        self._facts = facts
        self._settings_dialog: SettingsDialog | None = None
        self._cost: ContextCost = no_cost
        self._updates: Updates | None = None

    def _context_cost(self, tokens: int) -> str:
        return self._cost(tokens)

    def set_context_cost(self, cost: ContextCost) -> None:
        """What a context takes with the model that runs, for the settings."""
        self._cost = cost

    def set_updates(self, updates: Updates) -> None:
        """Before the settings are opened for the first time."""
        self._updates = updates

    def look_for_updates(self) -> None:
        """On the page that says what comes of it."""
        self.settings().show_page(UPDATES)
        if self._updates is not None:
            self._updates.look_now()

    def settings(self) -> SettingsDialog:
        """The same dialog each time: it takes a moment to build."""
        if self._settings_dialog is None:
            dialog = SettingsDialog(
                self._settings, self._theme, self._window, self._context_cost, self._updates
            )
            dialog.log_requested.connect(self.log)
            dialog.data_folder_requested.connect(self.data_folder)
            self._settings_dialog = dialog
        self._settings_dialog.show()
        self._settings_dialog.raise_()
        self._settings_dialog.activateWindow()
        return self._settings_dialog

    def log(self) -> QDialog:
        viewer = LogViewer(
            self._paths, self._theme, facts=self._facts, run=self._run, parent=self._window
        )
        return _shown(viewer)

    def about(self) -> QDialog:
        return _shown(AboutDialog(self._theme, self._run, self._window))

    def data_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._paths.data)))

    def replay(self, data: bytes, *, is_still: bool, edit: EditRecord | None = None) -> QDialog:
        dialog = replay_dialog(data, self._theme, is_still=is_still, edit=edit, parent=self._window)
        dialog.show()
        return dialog

    def link(self, address: str) -> QMessageBox | None:
        """Asks before anything leaves Redraft, unless the user wants no such question.

        An address that is not one of the web or of mail is never opened.
        """
        url = QUrl(address)
        if url.scheme() not in OPENED:
            return None
        if not self._settings.value.confirm_links:
            QDesktopServices.openUrl(url)
            return None
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle(tr("Open a link"))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(tr("Open this address in your browser?"))
        box.setInformativeText(_shortened(address))
        go = box.addButton(tr("Open"), QMessageBox.ButtonRole.AcceptRole)
        copy = box.addButton(tr("Copy the address"), QMessageBox.ButtonRole.ActionRole)
        cancel = box.addButton(tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(cancel)
        go.clicked.connect(lambda: QDesktopServices.openUrl(url))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(address))
        box.open()
        return box

    def export(self, title: str, write: Callable[[Path, Format], object]) -> QFileDialog:
        """Asks for a file, then calls `write` with it."""
        kinds = {tr("Markdown (*.md)"): Format.MARKDOWN, tr("JSON (*.json)"): Format.JSON}
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        dialog = QFileDialog(self._window, tr("Export the chat"), folder)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(kinds))
        dialog.setDefaultSuffix("md")
        dialog.selectFile(f"{file_name(title)}.md")
        dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix(kinds[kind].value))

        def on_chosen(path: str) -> None:
            form = Format.JSON if path.lower().endswith(".json") else Format.MARKDOWN
            write(Path(path), form)

        dialog.fileSelected.connect(on_chosen)
        dialog.open()
        return dialog


def _shortened(address: str) -> str:
    """Its start, which says where it goes, and its end; what is left out is seen to be."""
    if len(address) <= ADDRESS_CHARACTERS:
        return visible(address)
    half = ADDRESS_CHARACTERS // 2
    return visible(f"{address[:half]} … {address[-half:]}")


def file_name(title: str) -> str:
    """A name that every file system takes."""
    kept = re.sub(r'[\x00-\x1f<>:"/\\|?*]+', " ", visible(title))
    kept = " ".join(kept.split()).strip(". ")[:60].strip(". ")
    is_reserved = re.match(r"(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)", kept, re.IGNORECASE)
    return tr("Chat") if not kept or is_reserved else kept


def _shown(dialog: QDialog) -> QDialog:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    return dialog
