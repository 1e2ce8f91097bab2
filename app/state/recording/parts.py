"""The recordings of one answer as one: what is continued is recorded part by part.

    magic, version, CRC     as of a single recording, and behind them the length of each part
    parts                   as `codec` writes them, one behind the other

An answer that was written in one go is stored as `codec` writes it, with nothing around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

from app.state.recording.codec import Tape
from app.state.recording.packing import (
    DamagedRecordingError,
    Reader,
    RecordingError,
    seal,
    unseal,
    version_of,
    words_of,
)

VERSION = 2  # a single recording has version 1


def tapes_of(data: bytes) -> tuple[Tape, ...]:
    """All parts of a stored recording, in their order. Raises RecordingError."""
    return tuple(map(Tape, _split(data)))


def joined(earlier: bytes | None, later: bytes) -> bytes:
    """What to store once `later` has been recorded behind `earlier`, which may be joined already.

    An earlier recording that cannot be read is left out, so that the later one still can. To do it
    twice is the same as once: a write that failed half way is tried again.
    """
    if earlier is None:
        return later
    try:
        parts = _split(earlier)
        for part in parts:
            Tape(part)
    except RecordingError:
        return later
    if parts[-1] == later:
        return earlier
    parts = [*parts, later]
    return b"".join((seal(words_of(map(len, parts)), VERSION), *parts))


def _split(data: bytes) -> Sequence[bytes]:
    if version_of(data) != VERSION:
        return [data]  # whether it is one at all is for `Tape` to say
    head, _, start = unseal(data, VERSION)
    lengths = Reader(head).words(len(head) // 4)
    ends = list(accumulate(lengths, initial=start))
    if not lengths or ends[-1] != len(data):
        raise DamagedRecordingError("the parts do not fit the data")
    return [data[start:end] for start, end in pairwise(ends)]
