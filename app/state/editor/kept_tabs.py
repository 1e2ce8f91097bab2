"""Which documents are open, kept from one run to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.state.editor.journal import Journal
from app.state.editor.store import Store, Tab


@dataclass(frozen=True, kw_only=True)
class OldTabs:
    """What was open in the last run, from left to right, and the files of it that are gone."""

    tabs: tuple[Tab, ...]
    gone: frozenset[str]


class KeptTabs(QObject):
    """Signals:
    known(OldTabs): once, behind the documents with unsaved text.
    """

    known = Signal(object)

    def __init__(self, journal: Journal, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._journal = journal

    def start(self) -> None:
        self._journal.ask(_old, self.known.emit)

    def keep(self, tabs: Sequence[Tab]) -> None:
        self._journal.ask(lambda store: store.keep_tabs(tabs), lambda _nothing: None)


def _old(store: Store) -> OldTabs:
    tabs = store.tabs()
    paths = [Path(each.document) for each in tabs]
    gone = {str(path) for path in paths if path.is_absolute() and not path.exists()}
    return OldTabs(tabs=tabs, gone=frozenset(gone))
