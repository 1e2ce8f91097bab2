"""Notices that a GPU's memory has overflowed into the PC's: by steps that suddenly take far longer.

On Windows the driver moves to the PC's memory where the GPU's ends, instead of refusing. Nothing
fails then, but each step takes many times as long. Plain arithmetic on step times, without torch.
Not proven: the numbers below are a judgement, and nobody has seen this on Windows.
"""

from __future__ import annotations

import statistics
from collections import defaultdict, deque
from collections.abc import Callable, Hashable

FACTOR = 4.0  # times the median of its kind: a slow step
IN_A_ROW = 3  # slow steps; one alone may be another program's moment
KNOWN = 8  # steps of a kind before its median means something
REMEMBERED = 64  # steps of a kind
NEARLY_FULL = 0.03  # share of the memory that is free


class SpillWatch:
    """Sees every step of a loaded model; tells once."""

    def __init__(self) -> None:
        self._usual: dict[Hashable, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._slow = 0
        self._has_told = False

    def sees(self, kind: Hashable, seconds: float, free_share: Callable[[], float]) -> bool:
        """Whether this step shows that the memory has overflowed; true once at most.

        kind: steps of one kind take the same time. free_share: asked after slow steps alone.
        """
        usual = self._usual[kind]
        is_slow = len(usual) >= KNOWN and seconds > FACTOR * statistics.median(usual)
        self._slow = self._slow + 1 if is_slow else 0
        if not is_slow:  # slow ones would soon be the usual
            usual.append(seconds)
        if self._has_told or self._slow < IN_A_ROW or free_share() > NEARLY_FULL:
            return False
        self._has_told = True
        return True
