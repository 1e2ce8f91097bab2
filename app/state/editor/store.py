"""The file that keeps what is typed in documents and not saved, and how documents were edited.

Used from one thread. What a method wrote survives a kill or a loss of power when it returns; every
method raises HistoryError where the disk or the file fails.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.state.autosave import set_aside
from app.state.editor.changes import Change, replay
from app.state.editor.encoding import FileText
from app.state.editor.newer import bring_in
from app.state.history.faults import Fault, HistoryError, in_plain_words
from app.state.history.newer import take_copy
from app.state.history.schema import connect

FILE = "documents.sqlite"
MOST_EDITS = 500  # of one document that are listed
MOST_CHANGES = 2_000  # of one document that are kept one by one

# A draft is the text as the file has it (`base`), a later one if there have been many changes since
# (`latest`), and every change since then. Texts are UTF-16, as Qt counts.
MIGRATIONS = (
    """
    CREATE TABLE drafts (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        path TEXT NOT NULL,
        form TEXT NOT NULL,
        base BLOB NOT NULL,
        latest BLOB
    ) STRICT;
    CREATE TABLE changes (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        draft TEXT NOT NULL REFERENCES drafts (id) ON DELETE CASCADE,
        at INTEGER NOT NULL,
        removed INTEGER NOT NULL,
        added BLOB NOT NULL
    ) STRICT;
    CREATE INDEX changes_by_draft ON changes (draft);
    CREATE TABLE edits (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        document TEXT NOT NULL,
        made REAL NOT NULL,
        more TEXT NOT NULL,
        recording BLOB
    ) STRICT;
    CREATE INDEX edits_by_document ON edits (document);
    """,
    """
    ALTER TABLE edits ADD COLUMN is_deleted INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE tabs (
        number INTEGER PRIMARY KEY,
        document TEXT NOT NULL,
        caret INTEGER NOT NULL,
        top INTEGER NOT NULL,
        is_shown INTEGER NOT NULL
    ) STRICT;
    """,
)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A document with unsaved text. `file` is what the disk had, `text` what was typed."""

    id: str
    path: Path | None
    file: FileText
    text: str


@dataclass(frozen=True, kw_only=True)
class EditRecord:
    """One edit that was accepted. `document` is the path of a file, or the id of a text without."""

    document: str
    made: float  # seconds since 1970
    kind: str  # the value of an EditKind
    instruction: str
    seed: int
    before: tuple[str, ...]  # a text for each range
    after: tuple[str, ...]
    candidate: int = 0
    around: tuple[str, ...] = ()  # the texts before, between and behind the ranges; or none
    number: int = 0  # given by the store
    has_recording: bool = False


@dataclass(frozen=True, kw_only=True)
class Tab:
    """A document that was open. `document` is the path of its file, or the id of a text without."""

    document: str
    caret: int = 0  # UTF-16 units
    top: int = 0  # the first line in view, from 0
    is_shown: bool = False


class Store:
    """Opens the file in its constructor; a damaged one is set aside and a new one begun."""

    def __init__(self, data: Path | None) -> None:
        self._path = data / FILE if data is not None else None
        try:
            self._db = connect(self._path, MIGRATIONS)
        except HistoryError as error:
            if self._path is None or not self._gives_way(self._path, error.fault):
                raise
            self._db = connect(self._path, MIGRATIONS)
        if self._path is not None:
            with in_plain_words(self._path):
                bring_in(self._db, self._path, MIGRATIONS)

    @staticmethod
    def _gives_way(path: Path, fault: Fault) -> bool:
        """Whether the file has been set aside: a damaged one, or a newer one with an older copy."""
        if fault is Fault.NEWER:
            with in_plain_words(path):
                return take_copy(path, len(MIGRATIONS))
        return fault is Fault.DAMAGED and set_aside(path, "damaged") is not None

    def close(self) -> None:
        self._db.close()

    def begin(self, draft_id: str, path: Path | None, file: FileText) -> None:
        """The first change of a document follows. What was kept of it before is forgotten."""
        form = {key: value for key, value in asdict(file).items() if key not in ("text", "bom")}
        form["bom"] = file.bom.hex()
        with self._writing() as db:
            db.execute("DELETE FROM drafts WHERE id = ?", (draft_id,))
            db.execute(
                "INSERT INTO drafts (id, path, form, base) VALUES (?, ?, ?, ?)",
                (draft_id, str(path or ""), json.dumps(form), _bytes(file.text)),
            )

    def append(self, draft_id: str, changes: Sequence[Change]) -> None:
        with self._writing() as db:
            db.executemany(
                "INSERT INTO changes (draft, at, removed, added) VALUES (?, ?, ?, ?)",
                [(draft_id, each.at, each.removed, _bytes(each.added)) for each in changes],
            )
        (count,) = self._db.execute(
            "SELECT count(*) FROM changes WHERE draft = ?", (draft_id,)
        ).fetchone()
        if count > MOST_CHANGES:
            self._take_together(draft_id)

    def end(self, draft_id: str) -> None:
        """Everything of this document is saved, or nobody wants it."""
        with self._writing() as db:
            db.execute("DELETE FROM drafts WHERE id = ?", (draft_id,))

    def drafts(self) -> tuple[Draft, ...]:
        """All documents with unsaved text, in the order in which they were begun."""
        with in_plain_words(self._path):
            rows = self._db.execute(
                "SELECT id, path, form, base, latest FROM drafts ORDER BY number"
            )
            return tuple(self._draft(*row) for row in rows.fetchall())

    def add_edit(self, edit: EditRecord, recording: bytes | None) -> None:
        row = asdict(edit)
        document, made = row.pop("document"), row.pop("made")
        for name in ("number", "has_recording"):
            del row[name]
        with self._writing() as db:
            db.execute(
                "INSERT INTO edits (document, made, more, recording) VALUES (?, ?, ?, ?)",
                (document, made, json.dumps(row), recording),
            )

    def edits(self, document: str) -> tuple[EditRecord, ...]:
        """The newest first."""
        with in_plain_words(self._path):
            rows = self._db.execute(
                "SELECT number, made, more, recording IS NOT NULL FROM edits WHERE document = ?"
                " AND NOT is_deleted ORDER BY number DESC LIMIT ?",
                (document, MOST_EDITS),
            ).fetchall()
        return tuple(
            EditRecord(
                document=document,
                made=made,
                number=number,
                has_recording=bool(has_recording),
                **_with_tuples(json.loads(more)),
            )
            for number, made, more, has_recording in rows
        )

    def recording(self, number: int) -> bytes | None:
        with in_plain_words(self._path):
            row = self._db.execute(
                "SELECT recording FROM edits WHERE number = ?", (number,)
            ).fetchone()
        return None if row is None or row[0] is None else bytes(row[0])

    def rename(self, old: str, new: str) -> None:
        """The edits of a document go with it when it gets a file."""
        with self._writing() as db:
            db.execute("UPDATE edits SET document = ? WHERE document = ?", (new, old))

    def delete_edits(self, document: str, number: int | None = None) -> tuple[int, ...]:
        """One edit of a document, or all. They are gone at the next start; returns which they are."""
        with self._writing() as db:
            rows = db.execute(
                "UPDATE edits SET is_deleted = 1 WHERE document = ? AND NOT is_deleted"
                " AND number = coalesce(?, number) RETURNING number",
                (document, number),
            ).fetchall()
        return tuple(each for (each,) in rows)

    def undelete_edits(self, numbers: Sequence[int]) -> None:
        with self._writing() as db:
            rows = [(number,) for number in numbers]
            db.executemany("UPDATE edits SET is_deleted = 0 WHERE number = ?", rows)

    def purge_edits(self) -> None:
        """Removes for good what was deleted in earlier runs."""
        with self._writing() as db:
            db.execute("DELETE FROM edits WHERE is_deleted")

    def tabs(self) -> tuple[Tab, ...]:
        """What was open, from left to right."""
        with in_plain_words(self._path):
            rows = self._db.execute(
                "SELECT document, caret, top, is_shown FROM tabs ORDER BY number"
            )
            return tuple(
                Tab(document=document, caret=caret, top=top, is_shown=bool(is_shown))
                for document, caret, top, is_shown in rows.fetchall()
            )

    def keep_tabs(self, tabs: Sequence[Tab]) -> None:
        """These are open now, and no others."""
        with self._writing() as db:
            db.execute("DELETE FROM tabs")
            db.executemany(
                "INSERT INTO tabs (document, caret, top, is_shown) VALUES (?, ?, ?, ?)",
                [(each.document, each.caret, each.top, each.is_shown) for each in tabs],
            )

    def forget_recordings(self, before: float) -> None:
        """Of edits that were made before that time (seconds since 1970)."""
        with self._writing() as db:
            db.execute("UPDATE edits SET recording = NULL WHERE made < ?", (before,))

    def _take_together(self, draft_id: str) -> None:
        """Instead of very many changes the text they have led to."""
        row = self._db.execute(
            "SELECT id, path, form, base, latest FROM drafts WHERE id = ?", (draft_id,)
        ).fetchone()
        if row is None:
            return
        text = _bytes(self._draft(*row).text)
        with self._writing() as db:
            db.execute("UPDATE drafts SET latest = ? WHERE id = ?", (text, draft_id))
            db.execute("DELETE FROM changes WHERE draft = ?", (draft_id,))

    def _draft(
        self, draft_id: str, path: str, form: str, base: bytes, latest: bytes | None
    ) -> Draft:
        rows = self._db.execute(
            "SELECT at, removed, added FROM changes WHERE draft = ? ORDER BY number", (draft_id,)
        )
        changes = [
            Change(at=at, removed=removed, added=_text(added)) for at, removed, added in rows
        ]
        row = json.loads(form)
        file = FileText(text=_text(base), **{**row, "bom": bytes.fromhex(row["bom"])})
        return Draft(
            id=draft_id,
            path=Path(path) if path else None,
            file=file,
            text=replay(file.text if latest is None else _text(latest), changes),
        )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with in_plain_words(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _bytes(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-16-le", "surrogatepass")


def _with_tuples(row: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
