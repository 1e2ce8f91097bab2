"""Denoising steps behind prefixes of several lengths: their time, and what that is in tokens a second.

Where each canvas is encoded in a pass of its own; what less it is in one pass with a step, `gpu_merged` says.
"""

from __future__ import annotations

import itertools
import statistics
from typing import Any

import torch

from engine.generate import steps
from engine.graph import Graphs
from engine.memory import Wish, plan_wish
from engine.model.cache import KVCache
from engine.quant.scheme import SCHEMES
from tests.benchmarks.gpu_rig import Rig
from tests.benchmarks.step_cost import INT4, step_cost, total

CONTEXTS = (0, 4096, 32_768, 262_144)
PER_FORWARD = (14, 17, 20)  # tokens that a denoising step brings, as published runs have them
SAME_STEPS = 3


def step_section(rig: Rig) -> dict[str, Any]:
    """For each context, with the self-conditioning dense and sparse, of 16 and of 8 bits."""
    found: dict[str, Any] = {}
    pairs = list(itertools.product(CONTEXTS, (16, 8)))
    for context, bits in pairs[1:3] if rig.is_tiny else pairs:
        if rig.is_late:
            found["left_out"] = f"from {context} on, for want of time"
            break
        found[f"{context} tokens, {bits} bits"] = _behind(rig, context, bits)
        rig.release()
    return found


def _behind(rig: Rig, context: int, bits: int) -> dict[str, Any]:
    tokens = max(1, rig.size(context))
    config = rig.model.config
    found: dict[str, Any] = {"tokens": tokens}
    for name, tolerance in (("dense", -1.0), ("sparse", 1.0)):
        graphs, cache = rig.graphs(tolerance), rig.filled(tokens, bits=bits)
        if name == "dense":
            found["replay_is_eager"] = _replay_is_eager(rig, tokens, bits, graphs, tolerance)
        times = rig.step_times(tokens, cache, graphs)
        found[f"step_ms_{name}"] = round(1e3 * statistics.median(times), 3)
        found[f"step_ms_{name}_fastest"] = round(1e3 * min(times), 3)
        cost = total(
            step_cost(config, INT4, tokens, dense_conditioning=name == "dense", kv_bytes=bits // 8)
        )
        found[f"floor_ms_{name}"] = round(1e3 * cost.bytes / rig.read_bytes_s, 3)
        found[f"operations_tera_{name}"] = round(cost.operations / 1e12, 3)
        commit = _commit(rig, cache)
        found["commit_ms"] = round(1e3 * commit, 3)
        found[f"tokens_s_{name}"] = {
            per: round(
                config.canvas_length
                / (statistics.median(times) * config.canvas_length / per + commit)
            )
            for per in PER_FORWARD
        }
        found["driver_bytes"] = rig.driver_bytes()
        graphs.clear()
        del cache, graphs
        rig.release()
    if rig.model.device.type == "cuda":
        wish = Wish(
            config=config, scheme=SCHEMES["int4"], device="cuda", cache_bits=bits,
            context=tokens + 2 * config.canvas_length,
        )  # fmt: skip
        found["planned_bytes"] = plan_wish(wish).total
    return found


def _commit(rig: Rig, cache: KVCache) -> float:
    """Seconds for encoding a settled canvas, in the place of the one that was."""
    canvas = torch.zeros(rig.model.config.canvas_length, dtype=torch.int64)
    cache.cut(cache.length - len(canvas))
    return rig.seconds(lambda: rig.model.prefill(canvas, cache))


def _replay_is_eager(rig: Rig, tokens: int, bits: int, graphs: Graphs, tolerance: float) -> bool:
    """Whether captured steps find what the same steps do operation by operation."""

    def first(own: Graphs) -> list[torch.Tensor]:
        torch.manual_seed(0)
        made = steps(
            rig.model, rig.prompt(tokens), max_new_tokens=rig.model.config.canvas_length, seed=1,
            sampling=rig.sampling, cache=cache, graphs=own,
        )  # fmt: skip
        return [each.argmax for each in itertools.islice(made, SAME_STEPS)]

    cache = rig.filled(tokens, bits=bits)
    eager = first(Graphs(None, tolerance))
    first(graphs)  # compiles, and captures
    pairs = zip(eager, first(graphs), strict=True)
    return all(bool(torch.equal(one, other)) for one, other in pairs)
