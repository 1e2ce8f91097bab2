"""Tiny networks of random numbers, quantised as a prepared model is, with and without fused layers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from engine.config import LayerConfig, ModelConfig
from engine.kernels.operations import NAMES, operations
from engine.model.fields import Field, fields
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.model.weights import from_blobs
from engine.quant.quantise import quantise_int4, quantise_int8
from engine.quant.scheme import SCHEMES, Scheme
from engine.quant.tensors import Matrix
from tests.engine.geometries import SAMPLING, real_config

VOCABULARY = 150


def config(*sliding: bool) -> ModelConfig:
    """A layer for each, and a canvas of 16."""

    def layer(is_sliding: bool) -> LayerConfig:
        size = 16 if is_sliding else 32
        return LayerConfig(
            is_sliding=is_sliding, head_dim=size, num_kv_heads=2 if is_sliding else 1,
            rope_theta=1e4, rotated_dims=size if is_sliding else size // 4,
        )  # fmt: skip

    return replace(
        real_config(), vocab_size=VOCABULARY, hidden_size=80, intermediate_size=96, num_heads=4,
        moe_intermediate_size=48, num_experts=3, top_k_experts=2, layers=tuple(map(layer, sliding)),
        sliding_window=6, canvas_length=16,
    )  # fmt: skip


def random_model(made: ModelConfig, weights: str = "int4") -> Model:
    generator = torch.Generator().manual_seed(0)
    scheme = SCHEMES[weights]
    blobs = {
        blob: {field.name: _random(field, scheme, generator) for field in some}
        for blob, some in fields(made).items()
    }
    return Model(made, SAMPLING, from_blobs(made, blobs))


def fused(model: Model, names: Collection[str] = NAMES, bits: int = 8) -> Model:
    """The same network with fused layers, of which the operations in `names` are kernels."""
    chosen = operations(names)
    if "vocabulary" in names:  # nothing waits where there is no device
        chosen = replace(chosen, stays_on_device=True)
    layers = FusedLayers(model.config, model.weights, chosen, bits)
    return Model(model.config, model.sampling, model.weights, fused=layers)


def _random(field: Field, scheme: Scheme, generator: torch.Generator) -> Matrix:
    """With some large channels; norms near one, as the layers would be nothing without them."""
    drawn: Tensor = torch.randn(field.shape, generator=generator)
    if len(field.shape) == 1:
        # Scores as large as norms of one would give leave all attention to a single key by chance.
        return (0.5 if field.name in ("q_norm", "k_norm") else 1) * (1 + 0.2 * drawn)
    gain = torch.where(torch.rand(field.shape[-1], generator=generator) < 0.05, 8.0, 1.0)
    drawn *= gain / field.shape[-1] ** 0.5
    way = scheme.way(field.role)
    if way is None:
        return drawn
    make = quantise_int8 if way.bits == 8 else quantise_int4
    return make(drawn, name=field.name, shared_input=field.shared_input)
