"""What follows the attention of a layer, once as the network has it and once by the kernels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import LayerConfig
from engine.kernels import dense, experts, norms, routing
from engine.kernels.activations import Form
from engine.kernels.norms import FinishWeights, Reader, factor_for
from engine.kernels.tiles import expert_rows
from engine.model.weights import LayerWeights
from engine.quant.quantise import quantise_int4, quantise_int8
from engine.quant.tensors import Int4Tensor, Int8Tensor

EPS = 1e-6


@dataclass(frozen=True)
class Sizes:
    hidden: int
    dense: int
    experts: int
    width: int
    top_k: int


def random_layer(sizes: Sizes, make=quantise_int4, device: str = "cpu") -> LayerWeights:
    """Random weights with some large channels, quantised as a prepared model has them."""
    generator = torch.Generator(device).manual_seed(0)
    D, E, I = sizes.hidden, sizes.experts, sizes.width  # noqa: E741

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device)

    def gain(size: int) -> Tensor:
        """As trained: some channels are much larger than the others."""
        wild = torch.rand(size, generator=generator, device=device) < 0.02
        return torch.where(wild, 20.0, 1.0) * (1 + 0.2 * noise(size))

    def draw(*shape: int) -> Tensor:
        return noise(*shape) * gain(shape[-1]) / shape[-1] ** 0.5

    nothing = torch.empty(0, device=device)
    kind = LayerConfig(is_sliding=True, head_dim=1, num_kv_heads=1, rope_theta=1.0, rotated_dims=0)
    return LayerWeights(
        config=kind, input_norm=gain(D), post_attention_norm=gain(D),
        pre_feedforward_norm=gain(D), pre_feedforward_norm_2=gain(D), post_feedforward_norm=gain(D),
        post_feedforward_norm_1=gain(D), post_feedforward_norm_2=gain(D),
        qkv=nothing, o=nothing, q_norm=nothing, k_norm=nothing,
        gate_up=quantise_int8(draw(2 * sizes.dense, D), name="gate_up"),
        down=quantise_int8(draw(D, sizes.dense), name="down"),
        router=draw(E, D) * 4, router_scale=gain(D), per_expert_scale=1 + 0.1 * noise(E),
        experts_gate_up=make(draw(E, 2 * I, D), name="experts", shared_input=True),
        experts_down=make(draw(E, D, I), name="experts"),
        encoder_scalar=torch.tensor([0.8], device=device),
        decoder_scalar=torch.tensor([0.7], device=device),
    )  # fmt: skip


def finish_by_kernels(
    weights: LayerWeights, x: Tensor, attended: Tensor, scalar: Tensor, top_k: int, form: Form
) -> Tensor:
    """The layer's output [R, D] from its input x and its attention output, [R, D] each."""
    assert isinstance(weights.gate_up, Int8Tensor)
    assert isinstance(weights.down, Int8Tensor)
    assert isinstance(weights.experts_gate_up, Int4Tensor)
    assert isinstance(weights.experts_down, Int4Tensor)
    between = norms.add_norm(
        x, attended, weights.post_attention_norm, EPS,
        Reader(factor=factor_for(weights.gate_up, weights.pre_feedforward_norm), form=form),
        Reader(factor=factor_for(weights.experts_gate_up, weights.pre_feedforward_norm_2), form=form),
        weights.router_scale.float() * x.shape[1] ** -0.5,
    )  # fmt: skip
    scores = F.linear(between.router[:, : x.shape[1]], weights.router)
    chosen, share = routing.route(scores, weights.per_expert_scale, top_k)
    count = weights.router.shape[0]
    made = routing.schedule(chosen, count, expert_rows(chosen.numel(), count))
    inner = experts.gated_product(
        between.sparse, weights.experts_gate_up, made, top_k, weights.experts_down.exponents, form,
        x.dtype,
    )  # fmt: skip
    pairs = experts.product(inner, weights.experts_down, made, x.dtype)
    mlp = dense.gated_product(between.dense, weights.gate_up, weights.down.exponents, form, x.dtype)
    behind = FinishWeights(
        dense=weights.post_feedforward_norm_1, sparse=weights.post_feedforward_norm_2,
        both=weights.post_feedforward_norm, scalar=scalar,
    )  # fmt: skip
    following = Reader(factor=torch.ones(x.shape[1], device=x.device))
    mixed = dense.product(mlp, weights.down, x.dtype)
    out, _ = norms.finish(between.residual, mixed, pairs, share, behind, EPS, following)
    return out
