"""Reading model files: plain reads of known ranges, and the faults every format reports.

A memory map is never used: a file cut short while mapped kills the process, a read is only short.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from engine.messages import EngineFault, ErrorKind


def read_bytes(file: Path, offset: int, size: int) -> Tensor:
    """`size` bytes of a file as uint8 [size]. Raises EngineFault where the file ends earlier.

    The caller has held `offset + size` against the length of the file, so a lie in a header never
    becomes an allocation.
    """
    data = torch.empty(size, dtype=torch.uint8)
    target = memoryview(data.numpy().data)
    try:
        with file.open("rb", buffering=0) as stream:
            stream.seek(offset)
            while target:
                count = stream.readinto(target)
                if not count:
                    raise broken(file, f"it ends before byte {offset + size}")
                target = target[count:]
    except OSError as fault:
        raise broken(file, str(fault)) from fault
    return data


def is_plain_name(name: object) -> bool:
    """Whether a tensor's name can be shown and stored: printable, no lone surrogates, not long."""
    return isinstance(name, str) and name.isprintable() and 0 < len(name) <= 256


def broken(file: Path, why: str) -> EngineFault:
    """A file that contradicts itself or ends too early."""
    return EngineFault(
        ErrorKind.MODEL_BROKEN,
        f"The model file {file.name} is damaged or incomplete.",
        "Download the model again.",
        f"{file}: {why}",
    )


def unsupported(file: Path, what: str) -> EngineFault:
    """A file that may be whole, but in a form this engine does not read."""
    return EngineFault(
        ErrorKind.MODEL_UNSUPPORTED,
        f"Redraft cannot read this model: {what}.",
        "Choose another build of the model, or update Redraft.",
        str(file),
    )
