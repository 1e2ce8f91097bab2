"""Slow work with files, done beside the chat: what is asked for, how far it is, what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from engine.messages.errors import EngineError
from engine.messages.hardware import Hardware
from engine.messages.models import (
    Checked,
    Compared,
    Deleted,
    Downloaded,
    Library,
    ModelEntry,
    Moved,
    PreparedModel,
)


class JobKind(Enum):
    """Each with what its `JobDone` holds. Jobs wait only for others of their own paragraph."""

    LIBRARY = "library"  # Library: what is here and what is on offer; asks no network
    DELETE = "delete"  # Deleted: a model, or what an unfinished download has left

    LOOK_UP = "look_up"  # ModelEntry: what the hub says of a repository

    DOCTOR = "doctor"  # Hardware

    DOWNLOAD = "download"  # Downloaded; takes hours; cancelling it pauses it

    PREPARE = "prepare"  # PreparedModel; takes minutes, as the next ones; cancelling it pauses it
    CHECK = "check"  # Checked: the files of a model against their hashes
    VERIFY = "verify"  # Compared: this engine against transformers
    MOVE = "move"  # Moved: to another folder that keeps models


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """How the network is used."""

    token: str = field(default="", repr=False)  # of the user's account on the hub
    endpoint: str = "https://huggingface.co"
    speed_limit: float = 0.0  # bytes a second; 0: none


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    kind: JobKind
    # An id of the catalogue, "owner/name" or "owner/name@revision", a folder, a file, or "demo".
    model: str = ""
    home: str = ""  # the folder that keeps models: where a model is fetched, prepared, moved to
    weights: str = "int4"  # to prepare: a scheme
    also: tuple[str, ...] = ()  # for the library: folders and files that the user has named
    options: JobOptions = JobOptions()


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    request_id: int
    what: str  # the phase, in words
    done: int  # bytes, where there are bytes
    total: int
    file: str = ""  # that is being worked on
    speed: float = 0.0  # bytes a second
    seconds_left: float | None = None  # None: not known
    wait: float = 0.0  # seconds until a broken connection is tried again


JobResult = (
    Library
    | ModelEntry
    | Hardware
    | Downloaded
    | PreparedModel
    | Checked
    | Compared
    | Deleted
    | Moved
)


@dataclass(frozen=True, kw_only=True)
class JobDone:
    request_id: int
    result: JobResult


@dataclass(frozen=True, kw_only=True)
class JobFailed:
    request_id: int
    error: EngineError
