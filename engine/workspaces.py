"""How much memory a pass of the network takes for a moment, beside weights and cache.

Upper bounds in bytes for what `engine.model`, `engine.quant.matmul` and `engine.kernels` hold at
their peaks, by the code as it stands; `tests/engine/test_workspaces.py` holds them against what the
allocator really gives. No torch here. Shape letters as in `engine.model`: T rows, D hidden size,
H query heads, K key/value heads, d head size, E experts, k of them a token, I expert width, M dense
width, V vocabulary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from engine.config import LayerConfig, ModelConfig
from engine.model.fields import fields
from engine.quant.layouts import BLOCK
from engine.quant.scheme import Role, Scheme
from engine.sizes import (
    CHANCES,
    CHUNK,
    KEPT_TOKENS,
    LOGITS_BLOCK,
    MIN_LOGITS_ROWS,
    MOST_STEPS,
    PER_TILE,
    SCORE_ROWS,
    SHARES,
    SLACK,
    SPLIT_BYTES,
    VOCABULARY_TILE,
    WEIGHT_SLICE,
    masked_queries,
)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What the passes work on."""

    config: ModelConfig
    scheme: Scheme
    item_size: int  # bytes of an activation, 4 or 2
    device: str  # "cpu" or "cuda"
    context: int  # tokens
    cache_bits: int = 16

    @cached_property
    def unpacked(self) -> int:
        """Bytes of the weights of a layer that are plain numbers at a time."""
        return _unpacked(self, frozenset(Role) - {Role.EMBEDDING})

    @cached_property
    def unpacked_head(self) -> int:
        """The same of the embedding."""
        return _unpacked(self, frozenset((Role.EMBEDDING,)))


def prefill_bytes(work: Work) -> int:
    """The longest chunk of a prompt at the end of a full context."""
    rows = min(SLACK, work.context)
    *layers, last = work.config.layers  # of the last one only keys and values are wanted
    stages = [_layer(work, layer, rows, causal=True) for layer in set(layers)]
    x = rows * work.config.hidden_size * work.item_size
    stages += [x + _projected(work, last, rows), _embedded(work, rows)]
    return _rotations(work, rows) + max(stages)


def step_bytes(work: Work, batch: int = 1) -> int:
    """One denoising step on `batch` canvases, or the scoring of one."""
    config, item = work.config, work.item_size
    rows = batch * config.canvas_length
    state = 2 * rows * config.hidden_size * item + 128 * rows  # two soft embeddings, ids, entropies
    kinds = set(config.layers)
    decoder = max(_layer(work, layer, rows) for layer in kinds)
    encoder = max(_layer(work, layer, config.canvas_length, causal=True) for layer in kinds)
    stages = (decoder, encoder, _conditioned(work, rows), _embedded(work, rows))
    network = _rotations(work, rows) + max(stages)
    return state + max(network, _vocabulary(work, rows))


def captured_bytes(work: Work, batch: int = 1) -> int:
    """One step on `batch` canvases by `engine.fused_step`, beside what it keeps."""
    rows = batch * work.config.canvas_length
    x = rows * work.config.hidden_size * work.item_size
    layers = max(_layer(work, layer, rows, splits=True) for layer in set(work.config.layers))
    vocabulary = 3 * x + _scan(work, rows) + _expected(work, rows)
    return max(layers, vocabulary, _conditioned(work, rows), _embedded(work, rows))


def merged_bytes(work: Work) -> int:
    """The first step of a canvas with as many tokens encoded in front of it, operation by operation."""
    rows = 2 * work.config.canvas_length
    x = rows * work.config.hidden_size * work.item_size
    layers = max(_layer(work, layer, rows, splits=True) for layer in set(work.config.layers))
    return max(x + _rotations(work, rows) + layers, captured_bytes(work))


def kept_bytes(work: Work, batch: int = 1) -> int:
    """What a step at fixed places keeps: three embeddings a row, ids, pins, entropies and marks; where
    the canvases stand, and the temperatures."""
    config, item = work.config, work.item_size
    rows = batch * config.canvas_length
    turns = 2 * rows * sum(kind.head_dim for kind in set(config.layers)) * item
    return rows * (3 * config.hidden_size * item + 128) + turns + 4 * MOST_STEPS + 512


def _scan(work: Work, rows: int) -> int:
    """What tiles of the vocabulary tell of each row, in numbers of four bytes; the tokens kept."""
    tiles = -(-work.config.vocab_size // VOCABULARY_TILE)
    return 4 * rows * ((5 + 2 * PER_TILE) * tiles + 2 * KEPT_TOKENS + 16)


def _expected(work: Work, rows: int) -> int:
    """Chances of a chunk of the vocabulary, and the sums of its shares."""
    share = SHARES * VOCABULARY_TILE
    width = -(-min(CHUNK, CHANCES // rows, work.config.vocab_size) // share) * share
    return rows * (width * work.item_size + 4 * SHARES * work.config.hidden_size)


def _layer(
    work: Work, layer: LayerConfig, rows: int, *, causal: bool = False, splits: bool = False
) -> int:
    """One layer: its input is held throughout. splits: its attention has those of the kernel."""
    x = rows * work.config.hidden_size * work.item_size
    attention = _attention(work, layer, rows, causal=causal, splits=splits)
    return x + max(attention, 2 * x + _feed_forward(work, rows))


def _attention(work: Work, layer: LayerConfig, rows: int, *, causal: bool, splits: bool) -> int:
    item = work.item_size
    queries = rows * work.config.num_heads * layer.head_dim
    keys = rows * layer.num_kv_heads * layer.head_dim
    # The queries, their mixture and that in another order or joined; keys and values.
    mixed = (3 * queries + 2 * keys) * item
    if splits:
        mixed += max(SPLIT_BYTES, 4 * queries) * (layer.head_dim + 2) // layer.head_dim
    else:
        mixed += _plain_prefix(work, layer)
        if work.device == "cuda":
            mixed += 4 * queries  # heads of more than 128 are summed up in float32
    if causal:
        mixed += _mask(work, layer, rows)
    out = 2 * queries * item + rows * work.config.hidden_size * item + work.unpacked
    return max(_projected(work, layer, rows), mixed, out)


def _plain_prefix(work: Work, layer: LayerConfig) -> int:
    """A prefix of 8 bits as numbers, where no kernel reads it as it lies; what is behind it, too."""
    if work.cache_bits == 16:
        return 0
    behind = min(SLACK, work.context)
    keys = work.context + work.config.canvas_length
    if layer.is_sliding:
        keys = min(keys, work.config.window_keys + max(behind, work.config.canvas_length))
    return 2 * keys * layer.num_kv_heads * layer.head_dim * work.item_size


def _projected(work: Work, layer: LayerConfig, rows: int) -> int:
    """Queries, keys and values: the normed input (twice where weights are quantised: their
    exponents go to a copy), the joint product, and the queries being normed and turned."""
    queries = rows * work.config.num_heads * layer.head_dim
    keys = rows * layer.num_kv_heads * layer.head_dim
    joined = queries + (3 if layer.is_sliding else 2) * keys
    held = (2 * rows * work.config.hidden_size + joined) * work.item_size
    return held + max(_normed(work, max(queries, keys)), work.unpacked)


def _mask(work: Work, layer: LayerConfig, rows: int) -> int:
    """A mask as booleans and as numbers; kernels of a GPU want its rows aligned, in a copy."""
    keys = max(work.context, rows)
    if layer.is_sliding:
        keys = min(keys, work.config.window_keys + rows)
    queries = min(rows, masked_queries(keys))
    return queries * keys * (2 + work.item_size * (2 if work.device == "cuda" else 1))


def _feed_forward(work: Work, rows: int) -> int:
    """Dense MLP and experts, beside the layer's input, its attention and their sum."""
    config = work.config
    x = rows * config.hidden_size * work.item_size
    chosen = rows * config.top_k_experts
    routing = rows * config.num_experts * (work.item_size + 8) + 64 * chosen
    norm = _normed(work, rows * config.hidden_size)
    sparse = x + routing + max(_experts(work, rows), x + norm)
    return x + max(_mlp(work, rows), sparse)


def _experts(work: Work, rows: int) -> int:
    """T k rows go into the first product, through the gate, into the second, and are summed up."""
    config, item = work.config, work.item_size
    D, I = config.hidden_size, config.moe_intermediate_size  # noqa: E741, N806
    chosen = rows * config.top_k_experts
    first, second = chosen * (D + 2 * I), chosen * (I + D)
    if work.scheme.experts:
        # Some experts at a time, each with T rows at most: their inputs, multiplied by the
        # exponents (the second time each expert's own), and their results beside the whole.
        first += min(chosen, rows * max(1, WEIGHT_SLICE // (2 * I * D))) * (D + 2 * I)
        second += min(chosen, rows * max(1, WEIGHT_SLICE // (I * D))) * (2 * I + D)
    largest = max(first, second) * item + work.unpacked
    return max(largest, 3 * chosen * I * item, (chosen + rows) * D * item)


def _mlp(work: Work, rows: int) -> int:
    """The gated MLP with its normed input, and copies where exponents go to the inputs."""
    D, M = work.config.hidden_size, work.config.intermediate_size  # noqa: N806
    return rows * (3 * D + 4 * M) * work.item_size + work.unpacked


def _conditioned(work: Work, rows: int) -> int:
    """The self-conditioning: scaled signal and embedding beside the MLP."""
    x = rows * work.config.hidden_size
    return 3 * x * work.item_size + max(_mlp(work, rows), _normed(work, x))


def _embedded(work: Work, rows: int) -> int:
    """Embeddings of ids, dequantised: codes, two floats and the result, which is scaled."""
    return rows * work.config.hidden_size * (9 + 2 * work.item_size)


def _vocabulary(work: Work, rows: int) -> int:
    """One block of logits: tempered, log-probabilities, probabilities, and one more to draw from.

    Below float32 the soft embedding needs them again: logits, probabilities and those rounded.
    """
    V, D, item = work.config.vocab_size, work.config.hidden_size, work.item_size  # noqa: N806
    block = min(rows, max(MIN_LOGITS_ROWS, LOGITS_BLOCK[work.device] // V))
    each = 12 + max(4, 4 + 2 * item if item < 4 else 0)
    sampled = block * V * each
    scored = SCORE_ROWS * V * (12 + item)
    small = 4 * rows * D * item + rows * 32
    return max(sampled, scored) + small + work.unpacked_head


def _rotations(work: Work, rows: int) -> int:
    """Cosine and sine for each kind of layer; angles in float32 while they are made."""
    sizes = [layer.head_dim for layer in set(work.config.layers)]
    return rows * (2 * sum(sizes) * work.item_size + 16 * max(sizes))


def _normed(work: Work, elements: int) -> int:
    """A norm, the input and two results in float32, one where a GPU has it as one kernel; or the
    turning by position behind it."""
    item = work.item_size
    floats = (0 if item == 4 else 1) + (1 if work.device == "cuda" else 2)
    return elements * max(4 * floats, 4 * item)


def _unpacked(work: Work, roles: frozenset[Role]) -> int:
    """The largest run of quantised weights that are plain numbers at a time."""
    sizes = [0]
    for field in (field for blob in fields(work.config).values() for field in blob):
        way = work.scheme.way(field.role)
        if way is None or field.role not in roles:
            continue
        inputs = field.shape[-1]
        run = min(math.prod(field.shape), max(WEIGHT_SLICE, inputs))
        rounded = work.item_size if work.item_size < 4 else 0
        if way.bits == 4:  # codes apart and in order, the float, and what is left without filling
            sizes.append(run * -(-inputs // BLOCK) * BLOCK // inputs * 10)
        else:
            sizes.append(run * (5 + rounded))
    return max(sizes)
