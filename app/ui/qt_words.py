"""The words that Qt itself says: the menus of fields, the buttons of its dialogs."""

from __future__ import annotations

import logging

from PySide6.QtCore import QLibraryInfo, QTranslator
from PySide6.QtWidgets import QApplication

log = logging.getLogger(__name__)


def translate_qt(app: QApplication, language: str) -> QTranslator:
    """Before the first widget. English where Qt has no words in that language."""
    translator = QTranslator(app)
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if translator.load(f"qtbase_{language}", folder):
        app.installTranslator(translator)
    elif language != "en":
        log.warning("Qt has no words for %r", language)
    return translator
