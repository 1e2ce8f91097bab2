"""The folder of a model while it is being prepared: what is finished there, and what may be there.

The journal lists the finished files with their hashes. It is the manifest of a model that is not
complete, and completing the model is giving it the manifest's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.checkpoint.blob import Blob
from engine.checkpoint.durable import NOTE, PART, read_pieces, rename, write_file
from engine.checkpoint.manifest import COMPLETE, FileRecord, Manifest, read_manifest, to_bytes
from engine.checkpoint.origin import without_hashes
from engine.checkpoint.prepared import JOURNAL, SETTINGS, Advance, check_hash, check_header
from engine.messages import EngineFault, ErrorKind

LOCK = "prepare.lock"
_OURS = re.compile(r"((top|layer-\d+)\.safetensors|" + "|".join(map(re.escape, SETTINGS)) + ")")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a model is prepared, and the files of weights that it will have."""

    folder: Path
    blobs: Mapping[str, Blob]

    def check(self) -> None:
        """Raises EngineFault for a folder with a model, or with what is not ours to replace."""
        names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        if COMPLETE in names:
            raise EngineFault(
                ErrorKind.BAD_REQUEST,
                f"The folder {self.folder.name} holds a prepared model already.",
                "Choose another folder.",
                str(self.folder),
            )
        if JOURNAL not in names and names - {LOCK, NOTE, NOTE + PART, JOURNAL + PART}:
            raise EngineFault(
                ErrorKind.BAD_REQUEST,
                f"The folder {self.folder.name} is not empty.",
                "Choose a new folder for the prepared model.",
                str(self.folder),
            )

    def begin(self, fresh: Manifest, source: Path) -> tuple[Manifest, Manifest]:
        """Makes the folder ours and copies the settings of the source.

        fresh: without files. Returns it with the settings, and the journal that was there, if it
        is of the same job, else `fresh` again. Raises OSError.
        """
        old = self._old_journal()
        if old is None:
            self.save(fresh)  # from now on the folder is known as ours
        for part in self.folder.glob(f"*{PART}"):
            part.unlink()
        settings = [source / name for name in SETTINGS if (source / name).is_file()]
        fresh = replace(fresh, files=tuple(self._copy(file) for file in settings))
        return fresh, old if old is not None and _is_same_job(old, fresh) else fresh

    def finished(self, old: Manifest, advance: Advance) -> tuple[FileRecord, ...]:
        """The files of weights that are still what they were when `old` noted them.

        advance(bytes) follows the reading, and may raise to end it.
        """
        by_name = {blob.file_name: blob for blob in self.blobs.values()}
        return tuple(
            record
            for record in old.files
            if record.name in by_name and self._is_whole(record, by_name[record.name], advance)
        )

    def save(self, journal: Manifest) -> Manifest:
        """Notes what is finished, in the order that a complete model has."""
        order = [*SETTINGS, *(blob.file_name for blob in self.blobs.values())]
        files = tuple(sorted(journal.files, key=lambda record: order.index(record.name)))
        journal = replace(journal, files=files)
        write_file(self.folder / JOURNAL, [to_bytes(journal)])
        return journal

    def clear(self, journal: Manifest) -> None:
        """Removes files of ours that the journal does not list: of another job, or cut off."""
        listed = {record.name for record in journal.files}
        for path in self.folder.iterdir():
            if _OURS.fullmatch(path.name) and path.name not in listed:
                path.unlink()

    def complete(self) -> None:
        rename(self.folder / JOURNAL, self.folder / COMPLETE)

    def _old_journal(self) -> Manifest | None:
        try:
            return read_manifest(self.folder / JOURNAL)
        except FileNotFoundError:
            return None
        except ValueError as fault:
            raise EngineFault(
                ErrorKind.BAD_REQUEST,
                f"Preparing this model cannot go on: {JOURNAL} is damaged or of another version.",
                "Choose a new folder for the prepared model.",
                f"{self.folder}: {fault}",
            ) from fault

    def _copy(self, file: Path) -> FileRecord:
        written = write_file(self.folder / file.name, read_pieces(file))
        return FileRecord(name=file.name, size=written.size, sha256=written.sha256)

    def _is_whole(self, record: FileRecord, blob: Blob, advance: Advance) -> bool:
        file = self.folder / record.name
        try:
            check_header(file, blob)
            check_hash(file, record, advance)
        except EngineFault as fault:
            if fault.error.kind is not ErrorKind.MODEL_BROKEN:
                raise
            return False
        return True


def _is_same_job(old: Manifest, fresh: Manifest) -> bool:
    settings = tuple(record for record in old.files if record.name in SETTINGS)
    return replace(old, source=without_hashes(old.source), files=settings) == fresh
