"""What went wrong, in words for the user."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ErrorKind(Enum):
    MODEL_MISSING = "model_missing"
    MODEL_BROKEN = "model_broken"
    MODEL_UNSUPPORTED = "model_unsupported"
    PROMPT_EMPTY = "prompt_empty"
    PROMPT_TOO_LONG = "prompt_too_long"
    BAD_REQUEST = "bad_request"
    NO_RESULT = "no_result"  # an edit whose every candidate failed its checks; nothing is changed
    NOT_LOADED = "not_loaded"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_LOST = "engine_lost"  # the GPU is gone for this process: only a new one has it again
    SLOWER = "slower"  # nothing failed: it takes longer than it could, and this is why
    DISK = "disk"  # full, or a file that cannot be written
    NETWORK = "network"  # no connection, or something answers that is not the hub
    IN_USE = "in_use"  # another window of Redraft works on the same folder
    ACCESS = "access"  # the model is for people who asked, or the token is not accepted
    CANCELLED = "cancelled"  # a load or a job that was cancelled; an answer ends as STOPPED instead
    SHUTDOWN = "shutdown"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True)
class EngineError:
    """A fault in words for the user: what happened, and what to do next."""

    kind: ErrorKind
    message: str  # one plain sentence
    remedy: str  # the next step
    detail: str = ""  # for the log, never shown by itself


class EngineFault(Exception):
    """Raised inside the engine where the reason is known; the service turns it into an event."""

    def __init__(self, kind: ErrorKind, message: str, remedy: str, detail: str = "") -> None:
        super().__init__(message)
        self.error = EngineError(kind=kind, message=message, remedy=remedy, detail=detail)
