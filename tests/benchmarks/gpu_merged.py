"""A canvas encoded in the pass of the next one's first step, against a pass of its own.

What is measured is the pause between two canvases as a reply has it: from the last step of one to the
first draft of the next. Of it, a step's time is taken off; the rest is what encoding costs.
"""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import torch

from engine.generate import steps
from tests.benchmarks.gpu_rig import Rig

CONTEXTS = (0, 4096, 32_768)
CANVASES = 6  # the first captures, the second compiles the pass for both
WAYS = {"two passes": False, "one pass": True}


def merged_section(rig: Rig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for context in CONTEXTS[1:2] if rig.is_tiny else CONTEXTS:
        if rig.is_late:
            found["left_out"] = f"from {context} on, for want of time"
            break
        found[f"{context} tokens"] = {
            name: _pauses(rig, max(1, rig.size(context)), merges=merges)
            for name, merges in WAYS.items()
        }
        rig.release()
    return found


def _pauses(rig: Rig, tokens: int, *, merges: bool) -> dict[str, float]:
    cache, graphs = rig.filled(tokens, CANVASES), rig.graphs(2**-8, merges=merges)
    length = rig.model.config.canvas_length
    marks: list[float] = []
    for last in steps(  # noqa: B007
        rig.model, rig.prompt(tokens), max_new_tokens=CANVASES * length, seed=0,
        sampling=rig.sampling, cache=cache, graphs=graphs,
    ):  # fmt: skip
        marks.append(time.perf_counter())
    assert bool(torch.isfinite(last.entropy).all())
    apart = [later - earlier for earlier, later in itertools.pairwise(marks)]
    behind = apart[2 * rig.num_steps - 1 :]  # from the pause in front of the third canvas on
    pauses, within = behind[:: rig.num_steps], [
        each for at, each in enumerate(behind) if at % rig.num_steps
    ]  # fmt: skip
    step, pause = statistics.median(within), statistics.median(pauses)
    return {
        "step_ms": round(1e3 * step, 3), "pause_ms": round(1e3 * pause, 3),
        "pause_ms_fastest": round(1e3 * min(pauses), 3),
        "encoding_of_a_step": round(pause / step - 1, 3),
    }  # fmt: skip
