"""What an exception nobody raised on purpose means, and what the user is told of it.

Libraries are told apart by their words: torch, Triton, cuBLAS and the drivers each have classes of
their own, and most errors of a GPU arrive as a plain RuntimeError. Standard library only.
"""

from __future__ import annotations

import errno

from engine.messages import EngineError, EngineFault, ErrorKind

_OUT_OF_MEMORY = (
    "out of memory",  # torch, CUDA, Triton
    "can't allocate memory",  # torch on a CPU
    "not enough memory",  # the same on Windows
    "bad_alloc",
    "bad allocation",
    "cublas_status_alloc_failed",
)
# After one of these every further call of CUDA fails; only a new process has the GPU again.
# Source: the errors of the CUDA runtime that "leave the process in an inconsistent state".
_LOST = (
    "illegal memory access",
    "illegal instruction",
    "invalid program counter",
    "misaligned address",
    "invalid address space",
    "not supported on global/shared address space",
    "device-side assert",
    "unspecified launch failure",
    "launch timed out",
    "hardware stack error",
    "uncorrectable ecc error",
    "cuda error: unknown error",
    "driver shutting down",
    "context is destroyed",
)
_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))

LOST = EngineError(
    kind=ErrorKind.ENGINE_LOST,
    message="The graphics card stopped working for Redraft.",
    remedy="Restart Redraft. Your chats and what you typed are kept.",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was not enough memory, of a GPU or of the PC."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or _says(error, _OUT_OF_MEMORY)


def is_lost(error: BaseException) -> bool:
    """Whether the GPU can no longer be used by this process."""
    return _says(error, _LOST)


def is_of_device(error: BaseException) -> bool:
    """Whether CUDA reports it: then the GPU may be lost, whatever the words."""
    return _says(error, ("cuda", "cublas", "cudnn", "nvrtc"))


def disk_fault(cause: OSError) -> EngineFault:
    """What to raise where a file of a model cannot be read or written."""
    detail = f"{type(cause).__name__}: {cause}"
    if cause.errno in _FULL:
        return EngineFault(
            ErrorKind.DISK,
            "The disk is full.",
            "Make room, then start it again: it goes on where it stopped.",
            detail,
        )
    return EngineFault(
        ErrorKind.DISK,
        f"A file of the model cannot be read or written: {cause.strerror or cause}.",
        "Check the disk or choose another folder, then start it again: it goes on where it stopped.",
        detail,
    )


def no_room(free: int, needed: int, folder: object) -> EngineFault:
    """What to raise before anything is written that will not fit. free, needed: bytes."""
    return EngineFault(
        ErrorKind.DISK,
        f"The disk has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed.",
        "Make room or choose a folder on another disk, then start it again.",
        str(folder),
    )


def no_numbers() -> EngineFault:
    """What to raise where a model computed NaN or infinity."""
    return EngineFault(
        ErrorKind.MODEL_BROKEN,
        "The model computed values that are no numbers.",
        "Load the model again. If it happens again, download it again.",
    )


def error_of(error: BaseException | None) -> EngineError:
    """What the user is told of an exception; None for a request that just ended."""
    detail = "the generator ended early" if error is None else f"{type(error).__name__}: {error}"
    if error is not None and is_lost(error):
        return EngineError(kind=LOST.kind, message=LOST.message, remedy=LOST.remedy, detail=detail)
    if error is not None and is_out_of_memory(error):
        return EngineError(
            kind=ErrorKind.OUT_OF_MEMORY,
            message="There was not enough memory for this.",
            remedy="Close other programs or send a shorter text, then try again.",
            detail=detail,
        )
    return EngineError(
        kind=ErrorKind.INTERNAL,
        message="Something went wrong inside the engine.",
        remedy="Try again; if it happens again, the log file says more.",
        detail=detail,
    )


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    if not isinstance(error, RuntimeError):  # torch's own classes are such
        return False
    said = str(error).lower()
    return any(each in said for each in words)
