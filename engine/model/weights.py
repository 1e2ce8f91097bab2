"""The weights of the network, as the layers use them.

Shape letters: V vocabulary, D hidden size, H query heads, K key/value heads, d head size,
E experts, I expert width, M dense width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import LayerConfig, ModelConfig
from engine.model.fields import TOP, Field, fields, layer_blob
from engine.quant.tensors import Matrix, QuantisedTensor, parts_of


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    config: LayerConfig
    input_norm: Tensor  # [D]
    post_attention_norm: Tensor  # [D]
    pre_feedforward_norm: Tensor  # [D]
    pre_feedforward_norm_2: Tensor  # [D], before the experts
    post_feedforward_norm: Tensor  # [D]
    post_feedforward_norm_1: Tensor  # [D], after the dense MLP
    post_feedforward_norm_2: Tensor  # [D], after the experts
    qkv: Matrix  # [(H + 2K) d, D]; on full layers [(H + K) d, D], whose values are the keys
    o: Matrix  # [D, H d]
    q_norm: Tensor  # [d]
    k_norm: Tensor  # [d]
    gate_up: Matrix  # [2M, D]
    down: Matrix  # [D, M]
    router: Tensor  # [E, D]
    router_scale: Tensor  # [D]
    per_expert_scale: Tensor  # [E]
    experts_gate_up: Matrix  # [E, 2I, D], gate rows first
    experts_down: Matrix  # [E, D, I]
    encoder_scalar: Tensor  # [1]
    decoder_scalar: Tensor  # [1]


@dataclass(frozen=True, kw_only=True)
class ModelWeights:
    embedding: Matrix  # [V, D], also the language-model head
    norm: Tensor  # [D]
    condition_norm: Tensor  # [D], the self-conditioning block
    condition_gate_up: Matrix  # [2M, D]
    condition_down: Matrix  # [D, M]
    layers: tuple[LayerWeights, ...]


def from_blobs(config: ModelConfig, blobs: Mapping[str, Mapping[str, Matrix]]) -> ModelWeights:
    """The weights from the tensors of each blob by the names of their fields."""
    layers = tuple(
        LayerWeights(config=layer, **blobs[layer_blob(index)])  # type: ignore[arg-type]
        for index, layer in enumerate(config.layers)
    )
    return ModelWeights(layers=layers, **blobs[TOP])  # type: ignore[arg-type]


def assemble(config: ModelConfig, tensors: dict[str, Tensor]) -> ModelWeights:
    """The weights from plain tensors, named as in a checkpoint (`fields.text_shapes`).

    Takes the tensors out of the dictionary as it goes, so that none is held twice for long.
    """

    def take(field: Field) -> Tensor:
        pieces = [tensors.pop(name) for name, _ in field.sources]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    return from_blobs(
        config,
        {
            blob: {field.name: take(field) for field in all_}
            for blob, all_ in fields(config).items()
        },
    )


def all_tensors(weights: ModelWeights) -> Iterator[Tensor]:
    """Every tensor in memory, the parts of quantised ones too."""
    for group in (weights, *weights.layers):
        for value in vars(group).values():
            if isinstance(value, Tensor):
                yield value
            elif isinstance(value, QuantisedTensor):
                yield from parts_of(value).values()
