"""Mixture of experts: the router picks k experts a token, the experts run as grouped products.

Shape letters: N tokens, D hidden size, E experts, k active experts a token, I expert width.
Source: `DiffusionGemmaTextRouter` and `DiffusionGemmaTextExperts` in transformers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.model.norm import rms_norm
from engine.model.weights import LayerWeights
from engine.quant.matmul import grouped_linear


def route(weights: LayerWeights, x: Tensor, top_k: int, eps: float) -> tuple[Tensor, Tensor]:
    """Experts [N, k] (int64) of each token and their weights [N, k] (float32).

    x [N, D] is the raw residual, not a normed copy: routing on a normed input gives stray tokens.
    """
    normed = rms_norm(x, None, eps) * weights.router_scale * x.shape[1] ** -0.5
    scores = F.linear(normed, weights.router)
    chance, experts = torch.softmax(scores, dim=-1, dtype=torch.float32).topk(top_k, dim=-1)
    share = chance / chance.sum(dim=-1, keepdim=True)
    return experts, share * weights.per_expert_scale[experts]


def gated(gate_up: Tensor) -> Tensor:
    """gelu(gate) · up of [..., 2I], gate first -> [..., I]."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.gelu(gate, approximate="tanh").mul_(up)


def run_experts(weights: LayerWeights, x: Tensor, experts: Tensor, share: Tensor) -> Tensor:
    """Σ over a token's experts of share · down(gelu(gate x) · up x); x [N, D] -> [N, D].

    The tokens are sorted by expert, so that each expert is one block of a grouped product.
    """
    top_k = experts.shape[1]
    order = experts.flatten().argsort()  # [N k]
    counts = torch.zeros_like(weights.per_expert_scale, dtype=torch.int64)
    counts.scatter_add_(0, experts.flatten(), torch.ones_like(order))
    ends = counts.cumsum(0).to(torch.int32)  # [E], where each expert's block ends
    out = grouped_linear(  # [N k, D]; nothing but this outlives the products
        gated(grouped_linear(x[order // top_k], weights.experts_gate_up, ends)),
        weights.experts_down,
        ends,
    )
    place = torch.empty_like(order)  # where the product of each token and expert lies
    place[order] = torch.arange(order.shape[0], device=order.device)
    return F.embedding_bag(
        place.view(-1, top_k), out, per_sample_weights=share.to(out.dtype), mode="sum"
    )
