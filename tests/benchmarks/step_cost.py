"""Bytes and operations of one denoising step by its parts, from the geometry and how it is stored.

    bytes        weights once each, and the keys and values that a canvas sees
    operations   2 · rows · weights of the products; 4 · rows · heads · head size · keys of the scores

Experts have 8 rows of each token; all experts are read in each step, because 256 tokens with 8 of 128
experts leave hardly one out. The embedding is read for the logits, and once more for the
self-conditioning where that is dense.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.config import LayerConfig, ModelConfig

VOCABULARY = {"logits", "self-conditioning"}  # parts that read the embedding


@dataclass(frozen=True, kw_only=True)
class Bits:
    """Of a stored weight, the scales of its groups counted."""

    experts: float
    attention: float
    dense: float
    table: float


INT4 = Bits(
    experts=4.375, attention=8, dense=8, table=8
)  # ours: groups of 64, 16-bit scales, zeros
AWQ = Bits(experts=4.5, attention=4.5, dense=16, table=16)  # groups of 32
NVFP4 = Bits(experts=4.5, attention=16, dense=16, table=16)


@dataclass(frozen=True, kw_only=True)
class Cost:
    bytes: float
    operations: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(bytes=self.bytes + other.bytes, operations=self.operations + other.operations)


def step_cost(
    config: ModelConfig, bits: Bits, context: int, *, dense_conditioning: bool, kv_bytes: int = 2
) -> dict[str, Cost]:
    """By part; context: tokens in front of the canvas."""
    rows, size = config.canvas_length, config.hidden_size
    table = config.vocab_size * size
    experts = 3 * size * config.moe_intermediate_size
    attention = sum(_projections(config, layer) for layer in config.layers)
    dense = 3 * size * config.intermediate_size * (len(config.layers) + 1)  # and the conditioning's
    costs = {
        "experts": Cost(
            bytes=len(config.layers) * config.num_experts * experts * bits.experts / 8,
            operations=2 * rows * config.top_k_experts * experts * len(config.layers),
        ),
        "attention projections": _product(rows, attention, bits.attention),
        "dense mlp": _product(rows, dense, bits.dense),
        "logits": _product(rows, table, bits.table),
        "scores": _scores(config, context, kv_bytes),
    }
    if dense_conditioning:
        costs["self-conditioning"] = _product(rows, table, bits.table)
    return costs


def merged_cost(costs: dict[str, Cost]) -> dict[str, Cost]:
    """A step that encodes the canvas before, too, from what it costs alone.

    Weights are read once for twice the rows, and the vocabulary only for the new canvas; each of both has
    scores of its own.
    """
    found = {}
    for part, cost in costs.items():
        found[part] = Cost(
            bytes=cost.bytes * (2 if part == "scores" else 1),
            operations=cost.operations * (1 if part in VOCABULARY else 2),
        )
    return found


def total(costs: dict[str, Cost]) -> Cost:
    return sum(costs.values(), Cost(bytes=0, operations=0))


def _product(rows: int, weights: int, bits: float) -> Cost:
    return Cost(bytes=weights * bits / 8, operations=2 * rows * weights)


def _projections(config: ModelConfig, layer: LayerConfig) -> int:
    heads = 2 * config.num_heads + (2 if layer.is_sliding else 1) * layer.num_kv_heads
    return heads * layer.head_dim * config.hidden_size


def _scores(config: ModelConfig, context: int, kv_bytes: int) -> Cost:
    rows, found = config.canvas_length, []
    for layer in config.layers:
        seen = min(context, config.window_keys) if layer.is_sliding else context
        kept = 2 * layer.num_kv_heads * layer.head_dim * seen * kv_bytes
        pairs = math.prod((4, rows, config.num_heads, layer.head_dim, seen + rows))
        found.append(Cost(bytes=kept, operations=pairs))
    return sum(found, Cost(bytes=0, operations=0))
