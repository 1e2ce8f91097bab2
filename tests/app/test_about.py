"""About says what must be said; the licences are those of the installed packages."""

from __future__ import annotations

from importlib import metadata

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QListWidget, QPlainTextEdit

from app.paths import ASSETS
from app.state.autosave import Writer
from app.state.licences import ROOTS, parts
from app.ui.about import AboutDialog, about_texts


@pytest.fixture(scope="module")
def found():
    return parts()


def test_every_package_that_is_asked_for_is_listed(found):
    """Against the project file, as the packager reads it."""
    import tomllib

    project = tomllib.loads((ASSETS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {each.split(">")[0].lower() for each in project["project"]["dependencies"]}
    assert {name.lower() for name in ROOTS} == asked
    versions = {part.name.lower().replace("_", "-"): part.version for part in found}
    for name in asked:
        assert versions[name] == metadata.version(name)


def test_what_those_need_in_turn_is_listed_and_no_tool(found):
    names = {part.name.lower() for part in found}
    assert {"redraft", "python", "shiboken6", "mdurl", "markupsafe"} <= names
    assert not names & {"pytest", "ruff", "mypy"}


def test_every_part_has_a_licence(found):
    assert [part.name for part in found if not part.licence] == []
    assert sum(bool(part.text) for part in found) > len(found) / 2


def test_qt_comes_with_the_texts_its_licence_asks_for(found):
    qt = next(part for part in found if part.name.lower().startswith("pyside6"))
    for words in (
        "GNU LESSER GENERAL PUBLIC LICENSE",
        "GNU GENERAL PUBLIC LICENSE",
        "replace them with versions of your own",
    ):
        assert words in qt.text


def test_the_plain_word_on_the_model_is_there():
    text = " ".join(about_texts())
    for words in ("experimental", "Gemma 4", "leaves this computer", "Apache License 2.0"):
        assert words in text


def test_the_dialog_shows_it_and_the_licences(qtbot, theme):
    writer = Writer()
    dialog = AboutDialog(theme, writer.submit)
    qtbot.addWidget(dialog)
    dialog.show()
    seen = {label.text() for label in dialog.findChildren(QLabel) if label.isVisible()}
    assert set(about_texts()) <= seen
    qtbot.waitUntil(lambda: bool(dialog.parts))
    dialog.tabs.setCurrentIndex(1)
    names = dialog.findChild(QListWidget)
    text = dialog.findChild(QPlainTextEdit)
    assert "Apache License" in text.toPlainText()
    names.setFocus()
    qtbot.keyClick(names, Qt.Key.Key_Down)
    assert dialog.parts[1].name in text.toPlainText()
    writer.close()
