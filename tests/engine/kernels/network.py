"""Tiny networks of random numbers, quantised as a prepared model is, with and without fused layers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from engine.config import LayerConfig, ModelConfig
from engine.generate import steps
from engine.kernels.operations import NAMES, operations
from engine.model.cache import KVCache
from engine.model.fields import Field, fields, stored_as
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.model.norm import rms_norm
from engine.model.weights import ModelWeights, from_blobs
from engine.quant.layouts import Int4Layout, Layout, Part
from engine.quant.quantise import quantise_int4, quantise_int8
from engine.quant.scheme import SCHEMES, Scheme
from engine.quant.tensors import Int4Tensor, Int8Tensor, Matrix, empty_parts
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


def meta_weights(made: ModelConfig) -> ModelWeights:
    """Weights of four bits without memory, for shapes and launches alone."""
    return from_blobs(
        made,
        {
            blob: {
                field.name: _empty(stored_as(field, SCHEMES["int4"], "bfloat16")) for field in some
            }
            for blob, some in fields(made).items()
        },
    )


def _empty(stored: Part | Layout) -> Matrix:
    meta = torch.device("meta")
    if isinstance(stored, Part):
        return torch.empty(stored.shape, dtype=torch.bfloat16, device=meta)
    make = Int4Tensor if isinstance(stored, Int4Layout) else Int8Tensor
    return make(layout=stored, **empty_parts(stored, meta))


def fused(model: Model, names: Collection[str] = NAMES, bits: int = 8) -> Model:
    """The same network with fused layers, of which the operations in `names` are kernels."""
    chosen = operations(names)
    if "vocabulary" in names:  # nothing waits where there is no device
        chosen = replace(chosen, stays_on_device=True)
    layers = FusedLayers(model.config, model.weights, chosen, bits)
    return Model(model.config, model.sampling, model.weights, fused=layers)


@torch.inference_mode()
def merged(model: Model, cache: KVCache, settled: Tensor, canvas: Tensor) -> Tensor:
    """Final hidden states [C, D] of a canvas (int64 [C]), by the pass that appends settled (int64 [T])."""
    layers = model.fused
    assert layers is not None
    x = model.condition(model.embed(canvas[None]), None)
    cache.reserve(len(settled))
    place = layers.place(len(canvas), x)
    place.move(model.config, cache, len(settled))
    rows = layers.decode(x, place, cache, unread=model.embed(settled))
    cache.append(settled.tolist())
    assert isinstance(rows, Tensor)
    return rows[:, : x.shape[-1]]


@torch.inference_mode()
def likeness_of_layers(plain: Model, prompt: Tensor, names: Collection[str]) -> list[float]:
    """The cosine of each layer's output with the network's own, from the inputs it really gets.

    On a canvas of noise and on a settled one, with rows of eight bits.
    """
    *_, last = steps(plain, prompt, max_new_tokens=plain.config.canvas_length, seed=3)
    noise = torch.randint(plain.config.vocab_size, last.argmax.shape, device=plain.device)
    found = []
    for ids, soft in ((noise, None), (last.argmax, last.soft)):
        whole = plain.new_cache(512)
        plain.prefill(prompt, whole)
        x = plain.condition(plain.embed(ids), soft)
        for index, weights in enumerate(plain.weights.layers):
            made = replace(plain.config, layers=(weights.config,))
            own = Model(made, plain.sampling, replace(plain.weights, layers=(weights,)))
            cache = own.new_cache(512)
            cache.append(prompt.tolist())
            for to, source in zip(cache.whole(0).parts, whole.whole(index).parts, strict=True):
                to.copy_(source)
            layers = fused(own, names).fused
            assert layers is not None
            by_kernels = layers.hidden(x, cache)
            x = own.run_layers(x, cache)
            wanted = rms_norm(x, own.weights.norm, made.rms_norm_eps)
            found.append(float(torch.cosine_similarity(
                by_kernels.float().flatten(), wanted.float().flatten(), dim=0
            )))  # fmt: skip
    return found


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
