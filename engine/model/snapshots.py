"""Copies of what the sliding layers held at places worth coming back to.

A full layer keeps every token, a sliding one its last window: to cut a prefix back to an earlier
place, the window in front of that place is all that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.faults import is_out_of_memory

NEAR = 256  # tokens; so many are read again sooner than another window is kept for them


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    length: int  # tokens of the prefix
    windows: tuple[Tensor, ...]  # of each part of each sliding layer, [kv heads, tokens, ...]


class Snapshots:
    """Up to `most` snapshots of one sequence in host memory; the least recently used one goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[int, Snapshot] = {}  # by length, the least recently used one first

    @property
    def nbytes(self) -> int:
        return sum(window.nbytes for each in self._kept.values() for window in each.windows)

    def wants(self, length: int) -> bool:
        """Whether a prefix of `length` tokens is worth a snapshot beside those that are kept."""
        before = max((each for each in self._kept if each <= length), default=0)
        return self._most > 0 and length - before >= NEAR

    def add(self, length: int, windows: Iterable[Tensor]) -> None:
        """Copies the windows in front of `length`; not where there is no memory for them."""
        while len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        try:
            copies = tuple(_to_host(window) for window in windows)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            self._kept[length] = Snapshot(length=length, windows=copies)

    def longest(self, most: int) -> Snapshot | None:
        """The snapshot of the longest prefix of up to `most` tokens."""
        length = max((each for each in self._kept if each <= most), default=None)
        if length is None:
            return None
        found = self._kept[length] = self._kept.pop(length)
        return found

    def forget_behind(self, length: int) -> None:
        """Drops the snapshots of longer prefixes: their tokens are about to change."""
        self._kept = {each: kept for each, kept in self._kept.items() if each <= length}


def _to_host(window: Tensor) -> Tensor:
    """A copy; from a GPU into pinned memory, so that nobody waits for it."""
    copy = torch.empty(window.shape, dtype=window.dtype, pin_memory=window.is_cuda)
    return copy.copy_(window, non_blocking=True)
