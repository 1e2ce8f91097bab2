"""Sizes that no tile divides, pinned canvases, batches, and experts of which some are asked for much more."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tests.benchmarks.gpu_rig import Rig

CONTEXT = 5003
FREE = 137  # positions of a short canvas
FAVOURED, LOUDER = 8, 6.0  # experts whose scores are so much larger


def odd_section(rig: Rig) -> dict[str, Any]:
    length = rig.model.config.canvas_length
    tokens, free = rig.size(CONTEXT), FREE if length > FREE else length - 3
    gap = torch.full((length,), 7)
    gap[:free] = -1
    found: dict[str, Any] = {"context": tokens, "free": free}
    for name, options in {
        "whole canvas": {},
        "short canvas": {"pins": torch.full((free,), -1)},
        "pinned canvas": {"pins": gap},
        "three canvases": {"pins": gap.expand(3, -1)},
    }.items():
        found[f"step_ms_{name}"] = _median_ms(rig, tokens, **options)
    with skewed_routing(rig):
        found["step_ms_skewed_routing"] = _median_ms(rig, tokens)
    return found


def _median_ms(rig: Rig, tokens: int, **options: Any) -> float:
    graphs, cache = rig.graphs(), rig.filled(tokens)
    times = rig.step_times(tokens, cache, graphs, canvases=1, **options)
    graphs.clear()
    rig.release()
    return round(1e3 * statistics.median(times[2:]), 3)  # the first ones compile and capture


@contextmanager
def skewed_routing(rig: Rig) -> Iterator[None]:
    """A few experts are chosen by most tokens."""
    routers = [layer.router for layer in rig.model.weights.layers]
    before = [router[:FAVOURED].clone() for router in routers]
    for router in routers:
        router[:FAVOURED] *= LOUDER
    try:
        yield
    finally:
        for router, values in zip(routers, before, strict=True):
            router[:FAVOURED] = values
