"""What of the editing is a matter of experiment, in one place.

The defaults are what the product does. Each switch exists because nobody could say without the real
weights which of its values is best; `tests/benchmarks/editing_gate.py` compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from engine.denoise import PinSignal

NARROW = 512  # hidden size; no model below it follows a prompt that describes a document


class Wording(Enum):
    """What the prompt says of the document."""

    BARE = "bare"  # the task alone: the document stands on the canvas only
    SHOWN = "shown"  # the document with its gaps marked, and which passage to write


class Probing(Enum):
    """How the length of a gap is found."""

    LANDING = "landing"  # free text to the right: where do the words behind the gap come to stand?
    SWEEP = "sweep"  # the words behind the gap pinned at many distances: which one fits best?


@dataclass(frozen=True, kw_only=True)
class Switches:
    pinned: bool = True  # False: gaps are filled by a request alone, as the fallback does
    signal: PinSignal = PinSignal.ONE_HOT
    pins_in_first_pass: bool = True
    wording: Wording = Wording.SHOWN
    probing: Probing = Probing.LANDING
    reach: int = 48  # tokens pinned on each side of a gap
    gap_steps: int = 16  # denoising steps of a gap at most
    polish_steps: int = 4  # further steps after a seam was repaired
    grow_steps: int = 8  # further steps after a gap has got more room
    probe_steps: int = 2  # of a landing
    # How much a nat of the decoder's doubt at its first look counts against a nat of the encoder's.
    doubt: float = 8.0

    @staticmethod
    def for_width(hidden_size: int) -> Switches:
        """The defaults for a model of this width."""
        if hidden_size >= NARROW:
            return Switches()
        return Switches(wording=Wording.BARE, probing=Probing.SWEEP, reach=1 << 16)
