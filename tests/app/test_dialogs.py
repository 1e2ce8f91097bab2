"""The windows beside the window: nothing is opened without a yes, and a file is what was asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QComboBox, QFileDialog, QLineEdit, QPushButton

from app.state.history.export import chat_from_json
from app.ui.dialogs import ADDRESS_CHARACTERS, file_name
from tests.app.driving import press, say, seen, wait_idle

ADDRESS = "https://example.org/a?b=c&d=%20e#f"


@pytest.fixture
def opened(monkeypatch):
    """What the system was asked to open."""
    found = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: found.append(bytes(url.toEncoded()).decode())
    )
    return found


@pytest.fixture
def documents(monkeypatch, tmp_path):
    folder = tmp_path / "Döcs"
    folder.mkdir()
    monkeypatch.setattr(QStandardPaths, "writableLocation", lambda _where: str(folder))
    return folder


# --- links ----------------------------------------------------------------------------------------


def test_a_link_is_shown_in_full_and_opened_on_yes(qtbot, start, opened):
    box = start().window.dialogs.link(ADDRESS)
    assert opened == []
    assert ADDRESS in seen(box)
    press(qtbot, box, "Open")
    assert opened == [ADDRESS]
    assert not box.isVisible()


@pytest.mark.parametrize("how", ["escape", "enter", "close", "Cancel", "Copy the address"])
def test_anything_but_yes_opens_nothing(qtbot, start, opened, how):
    box = start().window.dialogs.link(ADDRESS)
    if how == "escape":
        qtbot.keyClick(box, Qt.Key.Key_Escape)
    elif how == "enter":  # the button one has is Cancel
        qtbot.keyClick(box, Qt.Key.Key_Return)
    elif how == "close":
        box.close()
    else:
        press(qtbot, box, how)
    assert opened == []
    assert not box.isVisible()
    if how.startswith("Copy"):
        assert QGuiApplication.clipboard().text() == ADDRESS


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "smb://host/x",
        "/bin/sh",
        "",
        "data:text/html,x",
    ],
)
def test_what_is_no_address_of_the_web_is_never_opened(start, opened, address, asks):
    running = start()
    running.settings.change(confirm_links=asks)
    assert running.window.dialogs.link(address) is None
    assert opened == []


def test_without_the_question_it_opens_at_once_as_the_user_wants(start, opened):
    running = start()
    running.settings.change(confirm_links=False)
    for address in (ADDRESS, "mailto:a@example.org", "HTTP://EXAMPLE.ORG/"):
        assert running.window.dialogs.link(address) is None
    assert opened == [ADDRESS, "mailto:a@example.org", "http://example.org/"]


def test_an_address_cannot_hide_where_it_goes(qtbot, start, opened):
    dialogs = start().window.dialogs
    box = dialogs.link("https://evil.example/\u202egro.elpmaxe")
    assert "\u202e" not in box.informativeText()
    box.close()
    end = "@end"
    box = dialogs.link("https://example.org/" + "x" * 5000 + end)
    assert len(box.informativeText()) <= ADDRESS_CHARACTERS + 3
    assert " … " in box.informativeText()
    assert box.informativeText().endswith(end)
    assert box.textFormat() is Qt.TextFormat.PlainText
    box.close()


# --- exporting ------------------------------------------------------------------------------------


def talk(qtbot, running, text="How are you: <b>well</b>?"):
    say(qtbot, running, text)
    wait_idle(qtbot, running)
    return text


def export_dialog(running) -> QFileDialog:
    running.window.shown.export()
    (dialog,) = [each for each in running.window.findChildren(QFileDialog) if each.isVisible()]
    return dialog


def accept(qtbot, dialog):
    save = next(each for each in dialog.findChildren(QPushButton) if "Save" in each.text())
    qtbot.mouseClick(save, Qt.MouseButton.LeftButton)


def name_of(dialog):
    return dialog.findChild(QLineEdit, "fileNameEdit")


def test_the_chat_is_written_where_the_user_says(qtbot, start, documents):
    running = start()
    text = talk(qtbot, running)
    dialog = export_dialog(running)
    assert name_of(dialog).text() == "How are you b well b.md"
    assert Path(dialog.directory().path()) == documents
    accept(qtbot, dialog)
    qtbot.waitUntil(running.window.toast.isVisible)
    assert "exported" in running.window.toast.text
    (file,) = documents.iterdir()
    assert file.name == "How are you b well b.md"
    assert f"> {text}\n" in file.read_text(encoding="utf-8")


def test_the_kind_that_is_chosen_is_the_kind_of_the_file(qtbot, start, documents):
    running = start()
    talk(qtbot, running, "v1.5 notes")
    dialog = export_dialog(running)
    kinds = dialog.findChild(QComboBox, "fileTypeCombo")
    for kind, name in (("JSON", "v1.5 notes.json"), ("Mark", "v1.5 notes.md"), ("JSON", None)):
        kinds.setCurrentIndex(kinds.findText(kind, Qt.MatchFlag.MatchStartsWith))
        kinds.activated.emit(kinds.currentIndex())
        if name is not None:
            assert name_of(dialog).text() == name
    accept(qtbot, dialog)
    file = documents / "v1.5 notes.json"
    qtbot.waitUntil(file.exists)
    chat = chat_from_json(json.loads(file.read_text(encoding="utf-8")))
    assert [m.text for m in chat.conversation.path] == ["v1.5 notes", "Hello there, friend."]


def test_a_name_without_an_ending_gets_one(qtbot, start, documents):
    running = start()
    talk(qtbot, running)
    dialog = export_dialog(running)
    name_of(dialog).setText("mine")
    accept(qtbot, dialog)
    qtbot.waitUntil((documents / "mine.md").exists)


def test_cancelling_writes_nothing(qtbot, start, documents):
    running = start()
    talk(qtbot, running)
    dialog = export_dialog(running)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.wait(30)
    assert list(documents.iterdir()) == []
    assert not running.window.toast.isVisible()


def test_a_place_that_cannot_be_written_is_told(qtbot, start, documents, monkeypatch):
    running = start()
    talk(qtbot, running)

    def refuse(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.state.history.export.write_atomically", refuse)
    accept(qtbot, export_dialog(running))
    qtbot.waitUntil(running.window.notice.isVisible)
    assert "No space left on device" in running.window.notice.text
    assert not running.window.toast.isVisible()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("A story", "A story"),
        ("", "Chat"),
        ("...", "Chat"),
        ("/\\:*?", "Chat"),
        ("../../etc/passwd", "etc passwd"),
        ("con", "Chat"),
        ("CON.foo", "Chat"),
        ("Lpt1 .x", "Chat"),
        ("console", "console"),
        ("a\x00b\nc", "a\ufffdb c"),
        ("日本語 \U0001f600", "日本語 \U0001f600"),
        ("x" * 200, "x" * 60),
    ],
)
def test_names_of_files_are_ones_that_every_system_takes(title, name, tmp_path):
    assert file_name(title) == name
    (tmp_path / f"{name}.md").write_text("x")


# --- the others -----------------------------------------------------------------------------------


@pytest.mark.qt_log_ignore("does not support raise")
def test_the_settings_are_one_dialog_and_none_blocks_the_window(qtbot, start):
    dialogs = start().window.dialogs
    first = dialogs.settings()
    assert dialogs.settings() is first
    about, log = dialogs.about(), dialogs.log()
    assert all(each.isVisible() and not each.isModal() for each in (first, about, log))
    for each in (first, about, log):
        each.close()


def test_the_data_folder_is_opened(start, opened, paths):
    start().window.dialogs.data_folder()
    assert [Path(QUrl(each).toLocalFile()) for each in opened] == [paths.data]
