"""What the right mouse button or the menu key opens over a text: what one can do right there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu

from app.state.commands import Command
from app.ui.editor.document_view import DocumentView
from app.ui.editor.text_editor import TextEditor
from app.words import tr

OFFER = ("editor.accept", "editor.take", "editor.leave", "editor.again", "editor.discard")
MODEL = ("editor.ask", "editor.fill", "editor.gap", "editor.insert", "editor.to_chat")


def open_context_menu(view: DocumentView, commands: Sequence[Command], at: QPoint) -> QMenu:
    """Opens it at a place of the screen. While an offer waits, what decides it comes first."""
    menu = QMenu(view)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    known = {command.id: command for command in commands}
    if view.editing.is_open:
        _add_commands(menu, [known[each] for each in OFFER])
    _add_text(menu, view.editor)
    _add_commands(menu, [known[each] for each in MODEL])
    menu.popup(at)
    return menu


def _add_text(menu: QMenu, editor: TextEditor) -> None:
    document, is_open = editor.document(), not editor.isReadOnly()
    has_selection = editor.textCursor().hasSelection()
    key = QKeySequence.StandardKey
    _add(menu, tr("Undo"), key.Undo, editor.undo, is_open and document.isUndoAvailable())
    _add(menu, tr("Redo"), key.Redo, editor.redo, is_open and document.isRedoAvailable())
    menu.addSeparator()
    _add(menu, tr("Cut"), key.Cut, editor.cut, is_open and has_selection)
    _add(menu, tr("Copy"), key.Copy, editor.copy, has_selection)
    _add(menu, tr("Paste"), key.Paste, editor.paste, is_open and editor.canPaste())
    _add(menu, tr("Select all"), key.SelectAll, editor.selectAll, not document.isEmpty())
    menu.addSeparator()


def _add_commands(menu: QMenu, commands: Sequence[Command]) -> None:
    for command in commands:
        _add(menu, command.title, command.shortcut, command.run, command.is_enabled())
    menu.addSeparator()


def _add(
    menu: QMenu,
    title: str,
    keys: str | QKeySequence.StandardKey,
    run: Callable[[], object],
    is_enabled: bool,
) -> None:
    shown = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
    # as text: a shortcut of its own would compete with the one that does the same everywhere
    action = menu.addAction(title.replace("&", "&&") + (f"\t{shown}" if shown else ""))
    action.setEnabled(is_enabled)
    action.triggered.connect(lambda _checked=False: run())
