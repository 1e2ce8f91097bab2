"""What the next start has to know of the trials of this one: which kernel was never survived.

A kernel that breaks the GPU or the process leaves nobody to report it. So its name is written down
before it is tried and struck out afterwards; a name still there at the next start is left alone.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Trials:
    """versions: of Triton, torch, driver and GPU; others begin anew."""

    versions: str
    fatal: tuple[str, ...] = ()
    trying: str = ""
    needs_own_cache: bool = False  # the first one holds something that Triton cannot read


class TrialBook:
    """The file of the trials. One that cannot be read or written costs the memory, nothing else."""

    def __init__(self, file: Path, versions: str) -> None:
        self._file = file
        found = _read(file)
        if found is None or found.versions != versions:
            found = Trials(versions=versions)
        if found.trying:
            found = replace(found, fatal=(*found.fatal, found.trying), trying="")
        self._state = found
        self._write()

    @property
    def fatal(self) -> tuple[str, ...]:
        return self._state.fatal

    @property
    def needs_own_cache(self) -> bool:
        return self._state.needs_own_cache

    def begin(self, name: str) -> None:
        self._state = replace(self._state, trying=name)
        self._write()

    def end(self) -> None:
        self._state = replace(self._state, trying="")
        self._write()

    def leave_usual_cache(self) -> None:
        self._state = replace(self._state, needs_own_cache=True)
        self._write()

    def _write(self) -> None:
        state = self._state
        row = {
            "versions": state.versions,
            "fatal": list(state.fatal),
            "trying": state.trying,
            "needs_own_cache": state.needs_own_cache,
        }
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(json.dumps(row), encoding="utf-8")
            part.replace(self._file)
        except OSError as error:
            log.warning("the trials of the kernels are not kept: %s", error)


def _read(file: Path) -> Trials | None:
    try:
        row = json.loads(file.read_text(encoding="utf-8"))
        return Trials(
            versions=str(row["versions"]),
            fatal=tuple(map(str, row["fatal"])),
            trying=str(row["trying"]),
            needs_own_cache=row["needs_own_cache"] is True,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
