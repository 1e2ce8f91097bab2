"""Brings in what a newer version of Redraft had kept of documents before somebody went back.

See app.state.history.newer. A draft that is here as well stays as it is here.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from app.state.autosave import set_aside
from app.state.history.faults import HistoryError
from app.state.history.newer import set_aside_earlier
from app.state.history.schema import connect

log = logging.getLogger(__name__)

_BRING = """
    CREATE TEMP TABLE brought AS SELECT id FROM newer.drafts
        WHERE id NOT IN (SELECT id FROM main.drafts);
    INSERT INTO main.drafts (id, path, form, base, latest)
        SELECT id, path, form, base, latest FROM newer.drafts
        WHERE id IN brought ORDER BY number;
    INSERT INTO main.changes (draft, at, removed, added)
        SELECT draft, at, removed, added FROM newer.changes
        WHERE draft IN brought ORDER BY number;
    INSERT INTO main.edits (document, made, more, recording, is_deleted)
        SELECT document, made, more, recording, is_deleted FROM newer.edits AS theirs
        WHERE NOT EXISTS (SELECT 1 FROM main.edits AS ours
            WHERE ours.document = theirs.document AND ours.made = theirs.made)
        ORDER BY number;
    DROP TABLE brought;
"""


def bring_in(db: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """From the files set aside beside `path`, which `db` has open; each is renamed when it is in.

    What cannot be brought in stays where it is, for a later start.
    """
    for newer in set_aside_earlier(path, len(migrations)):
        try:
            connect(newer, migrations).close()  # their tables become ours
            _bring(db, newer)
        except (HistoryError, sqlite3.Error):
            log.exception("could not bring in %s", newer.name)
        else:
            set_aside(newer, "imported")


def _bring(db: sqlite3.Connection, newer: Path) -> None:
    db.execute("ATTACH DATABASE ? AS newer", (str(newer),))
    try:
        db.executescript(f"BEGIN IMMEDIATE; {_BRING} COMMIT;")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.execute("DETACH DATABASE newer")
