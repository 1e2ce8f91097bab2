"""How much the engine works on at a time, and the shapes of its cache. No torch here.

The network allocates by these numbers and the memory plan counts with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.config import LayerConfig, ModelConfig

# Positions a sliding layer keeps beyond its window: the longest chunk of a prefill, and how far
# back a prefix can be cut. Costs 400 MB on the 26B model.
SLACK = 2048

# Elements of a causal mask, but no fewer queries than that: too few would not fill a GPU.
MASK_ELEMENTS = 1 << 23
MIN_MASKED_QUERIES = 256

# Steps on a GPU that are kept captured, of as many canvases together. They work in the same memory.
STEPS_KEPT = 3
MOST_STEPS = 4096  # denoising steps of a canvas, as `SamplingConfig` allows

# Parts that the keys of an attention are split into on a GPU, at most, and what they mix in bytes.
MAX_SPLITS = 8
SPLIT_BYTES = 1 << 25

# Of the vocabulary on a GPU: tokens of a tile; the largest logits that it reports of a row; how
# many tokens of a row are kept.
VOCABULARY_TILE = 128
PER_TILE = 4
KEPT_TOKENS = 128
# Tokens whose chances lie in memory at a time, and numbers at most: 16 MB of bfloat16; the parts
# that are summed up side by side.
CHUNK = 32_768
CHANCES = 256 * CHUNK
SHARES = 4

# Windows of the sliding layers that are kept to come back to, by number and by bytes: five of the
# 26B model's in 16 bits.
SNAPSHOTS = 16
SNAPSHOT_BYTES = 1 << 30

WEIGHT_SLICE = 1 << 22  # quantised weights that are plain numbers at a time
SCORE_ROWS = 32  # rows of logits that scoring holds at once

# Elements of one block of logits. On a CPU a block that stays in its cache saves a third of the time.
LOGITS_BLOCK = {"cpu": 1 << 17, "cuda": 8 << 20}
MIN_LOGITS_ROWS = 16  # fewer would starve the matrix products


@dataclass(frozen=True, kw_only=True)
class Portions:
    """How much of a prompt and of a step's logits is worked on at a time."""

    chunk: int = SLACK  # tokens of a prefill
    logits_rows: int | None = None  # rows of logits; None: by `LOGITS_BLOCK`


USUAL = Portions()
SMALL = Portions(chunk=SLACK // 8, logits_rows=4)  # where memory ran out: slow, but it fits


def masked_queries(keys: int) -> int:
    """How many queries attend at a time under a causal mask over that many keys."""
    return max(MIN_MASKED_QUERIES, MASK_ELEMENTS // keys)


def cache_shape(
    config: ModelConfig, layer: LayerConfig, max_tokens: int
) -> tuple[int, int, int, int]:
    """Keys and values of one layer, [2, kv heads, positions, head size].

    A sliding layer keeps its window with the query itself, so that the last token can be encoded
    again, and the slack; behind the prefix is room for a canvas.
    """
    kept = min(max_tokens, config.sliding_window + SLACK) if layer.is_sliding else max_tokens
    return 2, layer.num_kv_heads, kept + config.canvas_length, layer.head_dim


def vector_bytes(layer: LayerConfig, item_size: int, cache_bits: int) -> int:
    """One key or value of one head in the cache: numbers, or bytes with a float32 scale."""
    return layer.head_dim * item_size if cache_bits == 16 else layer.head_dim + 4


def cache_size(config: ModelConfig, max_tokens: int, item_size: int, cache_bits: int) -> int:
    """Bytes of a whole cache."""
    return sum(
        math.prod(cache_shape(config, layer, max_tokens)[:3])
        * vector_bytes(layer, item_size, cache_bits)
        for layer in config.layers
    )


def snapshot_size(config: ModelConfig, item_size: int, cache_bits: int) -> int:
    """Bytes of a window on all sliding layers."""
    return sum(
        2 * layer.num_kv_heads * config.sliding_window * vector_bytes(layer, item_size, cache_bits)
        for layer in config.layers
        if layer.is_sliding
    )


def snapshots_kept(config: ModelConfig, max_tokens: int, size: int) -> int:
    """How many windows of that many bytes are kept at most."""
    never_moves = max_tokens <= config.sliding_window + SLACK
    return 0 if never_moves or not size else min(SNAPSHOTS, SNAPSHOT_BYTES // size)
