"""One transformer layer behind its attention: dense MLP and experts side by side.

Source: `DiffusionGemmaDecoderTextLayer` in transformers; the encoder's layer differs only in its
attention and its scalar.
"""

from __future__ import annotations

from torch import Tensor

from engine.model.experts import gated, route, run_experts
from engine.model.norm import rms_norm
from engine.model.weights import LayerWeights
from engine.quant.matmul import linear
from engine.quant.tensors import Matrix


def gated_mlp(x: Tensor, gate_up: Matrix, down: Matrix) -> Tensor:
    """down(gelu(gate x) · up x), x [..., D]."""
    return linear(gated(linear(x, gate_up)), down)


def finish_layer(
    weights: LayerWeights, x: Tensor, attended: Tensor, scalar: Tensor, top_k: int, eps: float
) -> Tensor:
    """The layer's output from its input x and its attention output, all [B, T, D]."""
    x = x + rms_norm(attended, weights.post_attention_norm, eps)
    dense = gated_mlp(rms_norm(x, weights.pre_feedforward_norm, eps), weights.gate_up, weights.down)
    flat = x.flatten(0, 1)
    experts, share = route(weights, flat, top_k, eps)
    sparse = run_experts(
        weights, rms_norm(flat, weights.pre_feedforward_norm_2, eps), experts, share
    )
    mixed = rms_norm(dense, weights.post_feedforward_norm_1, eps) + rms_norm(
        sparse.view_as(x), weights.post_feedforward_norm_2, eps
    )
    return (x + rms_norm(mixed, weights.post_feedforward_norm, eps)) * scalar
