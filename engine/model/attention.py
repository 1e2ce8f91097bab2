"""Attention of new positions over a cached prefix and themselves.

Shape letters: B canvases, T new positions, S prefix positions, K key/value heads, G query heads a
key/value head, d head size, D hidden size. Attention scale is 1.0: the norms of queries and keys
carry it. Source: `DiffusionGemmaDecoderTextAttention` and its encoder twin in transformers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import LayerConfig
from engine.model.norm import rms_norm
from engine.model.weights import LayerWeights
from engine.quant.matmul import linear
from engine.sizes import masked_queries


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """Cosine and sine of the rotary embedding of T positions, [T, 1, d] each."""

    cos: Tensor
    sin: Tensor


def rotation(layer: LayerConfig, positions: Tensor, dtype: torch.dtype) -> Rotation:
    """The rotary embedding of `positions` [T], split in halves (pair t, t + d/2).

    Only the first `rotated_dims / 2` pairs turn; the exponent's denominator is the full head size
    ("proportional" RoPE, `_compute_proportional_rope_parameters`).
    """
    pairs = layer.rotated_dims // 2
    exponent = torch.arange(0, 2 * pairs, 2, device=positions.device).float() / layer.head_dim
    frequency = F.pad(1.0 / layer.rope_theta**exponent, (0, layer.head_dim // 2 - pairs))
    angle = positions[:, None].float() * frequency  # [T, d/2]
    angle = torch.cat((angle, angle), dim=-1)[:, None]  # [T, 1, d]
    return Rotation(cos=angle.cos().to(dtype), sin=angle.sin().to(dtype))


def project(
    weights: LayerWeights, x: Tensor, rotation: Rotation, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries [B, T, K G, d], keys and values [B, T, K, d] of the normed input x [B, T, D]."""
    config = weights.config
    heads = linear(x, weights.qkv).unflatten(-1, (-1, config.head_dim))
    kv = config.num_kv_heads
    num_queries = weights.o.shape[1] // config.head_dim
    queries, keys = heads[:, :, :num_queries], heads[:, :, num_queries : num_queries + kv]
    values = heads[:, :, num_queries + kv :] if config.is_sliding else keys
    return (
        _rotate(rms_norm(queries, weights.q_norm, eps), rotation),
        _rotate(rms_norm(keys, weights.k_norm, eps), rotation),
        rms_norm(values, None, eps),
    )


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Mixed values [T, K G d] where every query sees every key.

    queries [T, K G, d]; keys, values [K, S + T, d]. The G queries that share a key/value head are
    packed into one long query.
    """
    new, _, d = queries.shape
    kv = keys.shape[0]
    packed = queries.view(new, kv, -1, d).permute(1, 2, 0, 3).reshape(1, kv, -1, d)
    mixed = F.scaled_dot_product_attention(packed, keys[None], values[None], scale=1.0)
    return mixed.view(kv, -1, new, d).permute(2, 0, 1, 3).reshape(new, -1)


def attend_causal(queries: Tensor, keys: Tensor, values: Tensor, window: int | None) -> Tensor:
    """As `attend`, each query seeing itself and back as far as the window reaches.

    `window` counts the query itself (`sliding_window`), None means no limit. A few queries at a
    time, because a mask of 2,048 queries over 262,144 keys would take more than a gigabyte.
    """
    new, prefix = queries.shape[0], keys.shape[1] - queries.shape[0]
    step = masked_queries(keys.shape[1])
    parts = []
    for start in range(0, new, step):
        rows = queries[start : start + step]
        end = prefix + start + rows.shape[0]
        mask = causal_mask(rows.shape[0], prefix + start, window, queries.device)
        parts.append(_attend_masked(rows, keys[:, :end], values[:, :end], mask))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def causal_mask(new: int, prefix: int, window: int | None, device: torch.device) -> Tensor:
    """[T, S + T]: position t of the new ones sees itself, and back as far as the window reaches."""
    query = torch.arange(prefix, prefix + new, device=device)[:, None]
    key = torch.arange(prefix + new, device=device)
    mask = key <= query
    return mask if window is None else mask & (key > query - window)


def _attend_masked(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """As `attend`; mask [T, S + T] is true where a query may look."""
    new, _, d = queries.shape
    grouped = queries.view(new, keys.shape[0], -1, d).permute(1, 2, 0, 3)  # [K, G, T, d]
    groups = grouped.shape[1]
    mixed = F.scaled_dot_product_attention(
        grouped,
        keys[:, None].expand(-1, groups, -1, -1),
        values[:, None].expand(-1, groups, -1, -1),
        attn_mask=mask,
        scale=1.0,
    )
    return mixed.permute(2, 0, 1, 3).reshape(new, -1)


def _rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """x [B, T, heads, d] turned by its position."""
    first, second = x.chunk(2, dim=-1)
    return x * rotation.cos + torch.cat((-second, first), dim=-1) * rotation.sin
