"""Where the time of a step goes: each kernel as the profiler sees it, each part beside its floor."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from engine.generate import steps
from engine.graph import Graphs
from tests.benchmarks.gpu_rig import Rig
from tests.benchmarks.step_cost import INT4, step_cost

CONTEXT = 4096
RUNS = 2
# Our kernels by the part of a step that they are; all others are "rest".
PARTS = {
    "_gated_experts": "experts", "_expert_product": "experts", "_product": "dense products",
    "_gated": "dense products", "_attend": "scores", "_join_splits": "scores", "_scan": "logits",
    "_join_tiles": "logits", "_chances": "self-conditioning", "_accumulate": "self-conditioning",
    "_finish_expected": "self-conditioning",
}  # fmt: skip


def kernel_section(rig: Rig) -> dict[str, Any]:
    """Microseconds of a step by kernel and by part, the self-conditioning dense."""
    tokens, is_cuda = rig.size(CONTEXT), rig.model.device.type == "cuda"
    cache = rig.filled(tokens)
    loop = steps(
        rig.model, rig.prompt(tokens), max_new_tokens=rig.model.config.canvas_length, seed=0,
        sampling=rig.sampling, cache=cache, graphs=Graphs(None, -1.0),
    )  # fmt: skip
    list(itertools.islice(loop, 2))  # compiled
    kind = ProfilerActivity.CUDA if is_cuda else ProfilerActivity.CPU
    with profile(activities=[kind]) as seen:
        list(itertools.islice(loop, RUNS))
        rig.wait()
    field = "self_device_time_total" if is_cuda else "self_cpu_time_total"
    times = {each.key: getattr(each, field) / RUNS for each in seen.key_averages()}
    parts: dict[str, float] = {}
    for name, time in times.items():
        part = PARTS.get(name, "rest")
        parts[part] = parts.get(part, 0.0) + time
    return {
        "tokens": tokens,
        "kernels_us": {
            name: round(time, 1) for name, time in sorted(times.items(), key=lambda item: -item[1])[:40]
        },
        "parts_us": {part: round(time, 1) for part, time in parts.items()},
        "floors_us": _floors(rig, tokens),
    }  # fmt: skip


def _floors(rig: Rig, tokens: int) -> dict[str, Any]:
    """By bytes at the speed of a copy, and by operations at the speed of one large product."""
    speed = product_operations_a_second(rig)
    costs = step_cost(rig.model.config, INT4, tokens, dense_conditioning=True)
    return {
        part: {
            "by_bytes": round(1e6 * cost.bytes / rig.read_bytes_s, 1),
            "by_operations": round(1e6 * cost.operations / speed, 1),
            "operations_giga": round(cost.operations / 1e9, 1),
        }
        for part, cost in costs.items()
    }


def product_operations_a_second(rig: Rig) -> float:
    """Of int8 numbers where torch has such a product, else of the network's own; the best of five."""
    device, size = rig.model.device, 8192 if rig.model.device.type == "cuda" else 256
    if device.type == "cuda":
        a, b = torch.ones(2, size, size, dtype=torch.int8, device=device)
        times = [rig.seconds(lambda: torch._int_mm(a, b.T)) for _ in range(6)]
    else:
        x, y = torch.ones(2, size, size)
        times = [rig.seconds(lambda: x @ y) for _ in range(6)]
    return 2 * size**3 / min(times[1:])
