"""What is known of newer versions, as it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from app.state.setup.trouble import Trouble


class Phase(Enum):
    OFF = "off"  # this copy cannot be updated by itself
    IDLE = "idle"
    LOOKING = "looking"
    FOUND = "found"  # it is the user's turn
    FETCHING = "fetching"
    INSTALLING = "installing"
    READY = "ready"  # another version runs from the next start on
    FAILED = "failed"

    @property
    def is_busy(self) -> bool:
        return self in (Phase.LOOKING, Phase.FETCHING, Phase.INSTALLING)


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """In bytes of what is to be fetched."""

    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A version newer than the one that runs."""

    version: str
    released: str  # as 2026-01-31
    notes: Mapping[str, str]  # what is new, as plain text, by language
    size: int  # bytes that are still to be fetched
    is_unwanted: bool = False  # the user does not want it, or it did not start here
    needs_installer: bool = False  # this version is too old to become that one by itself


@dataclass(frozen=True, kw_only=True)
class Status:
    phase: Phase = Phase.OFF
    running: str = ""  # this version
    offer: Offer | None = None
    progress: Fetched | None = None  # while fetching
    trouble: Trouble | None = None  # why it failed
    next_version: str = ""  # what the next start runs, where that is another one
    previous: str = ""  # what the user may go back to
    looked: float = 0.0  # when somebody looked last, in seconds since 1970; 0: never
