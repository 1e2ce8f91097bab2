"""The tensors of the network: their names and shapes in a checkpoint, and as the layers use them.

Shape letters: V vocabulary, D hidden size, H query heads, K key/value heads, d head size,
E experts, I expert width, M dense width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import LayerConfig, ModelConfig, VisionConfig

Shapes = dict[str, tuple[int, ...]]


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
    qkv: Tensor  # [(H + 2K) d, D]; on full layers [(H + K) d, D], whose values are the keys
    o: Tensor  # [D, H d]
    q_norm: Tensor  # [d]
    k_norm: Tensor  # [d]
    gate_up: Tensor  # [2M, D]
    down: Tensor  # [D, M]
    router: Tensor  # [E, D]
    router_scale: Tensor  # [D]
    per_expert_scale: Tensor  # [E]
    experts_gate_up: Tensor  # [E, 2I, D], gate rows first
    experts_down: Tensor  # [E, D, I]
    encoder_scalar: Tensor  # [1]
    decoder_scalar: Tensor  # [1]


@dataclass(frozen=True, kw_only=True)
class ModelWeights:
    embedding: Tensor  # [V, D], also the language-model head
    norm: Tensor  # [D]
    condition_norm: Tensor  # [D], the self-conditioning block
    condition_gate_up: Tensor  # [2M, D]
    condition_down: Tensor  # [D, M]
    layers: tuple[LayerWeights, ...]


def text_shapes(config: ModelConfig) -> Shapes:
    """Name and shape of every tensor of the text network."""
    D, M = config.hidden_size, config.intermediate_size
    shapes: Shapes = {
        "model.decoder.embed_tokens.weight": (config.vocab_size, D),
        "model.decoder.norm.weight": (D,),
        "model.decoder.self_conditioning.pre_norm.weight": (D,),
        "model.decoder.self_conditioning.gate_proj.weight": (M, D),
        "model.decoder.self_conditioning.up_proj.weight": (M, D),
        "model.decoder.self_conditioning.down_proj.weight": (D, M),
    }
    for index, layer in enumerate(config.layers):
        shapes[f"model.encoder.language_model.layers.{index}.layer_scalar"] = (1,)
        for name, shape in _layer_shapes(config, layer).items():
            shapes[f"model.decoder.layers.{index}.{name}"] = shape
    return shapes


def vision_shapes(config: ModelConfig) -> Shapes:
    """Name and shape of every tensor of the vision tower and its projection; empty without one."""
    vision = config.vision
    if vision is None:
        return {}
    W = vision.hidden_size
    tower = "model.encoder.vision_tower."
    shapes: Shapes = {
        "model.encoder.embed_vision.embedding_projection.weight": (config.hidden_size, W),
        tower + "patch_embedder.input_proj.weight": (W, 3 * vision.patch_size**2),
        tower + "patch_embedder.position_embedding_table": (2, vision.position_embedding_size, W),
    }
    if vision.standardize:
        shapes |= {tower + "std_bias": (W,), tower + "std_scale": (W,)}
    for index in range(vision.num_layers):
        for name, shape in _vision_layer_shapes(vision).items():
            shapes[f"{tower}encoder.layers.{index}.{name}"] = shape
    return shapes


def assemble(config: ModelConfig, tensors: dict[str, Tensor]) -> ModelWeights:
    """The weights as the layers use them, from tensors named as in `text_shapes`.

    Takes the tensors out of the dictionary as it goes, so that none is held twice for long.
    """

    def take(name: str) -> Tensor:
        return tensors.pop(name)

    def layer(index: int, layer_config: LayerConfig) -> LayerWeights:
        at = f"model.decoder.layers.{index}."
        projections = ("q", "k", "v") if layer_config.is_sliding else ("q", "k")
        return LayerWeights(
            config=layer_config,
            input_norm=take(at + "input_layernorm.weight"),
            post_attention_norm=take(at + "post_attention_layernorm.weight"),
            pre_feedforward_norm=take(at + "pre_feedforward_layernorm.weight"),
            pre_feedforward_norm_2=take(at + "pre_feedforward_layernorm_2.weight"),
            post_feedforward_norm=take(at + "post_feedforward_layernorm.weight"),
            post_feedforward_norm_1=take(at + "post_feedforward_layernorm_1.weight"),
            post_feedforward_norm_2=take(at + "post_feedforward_layernorm_2.weight"),
            qkv=torch.cat([take(f"{at}self_attn.{p}_proj.weight") for p in projections]),
            o=take(at + "self_attn.o_proj.weight"),
            q_norm=take(at + "self_attn.q_norm.weight"),
            k_norm=take(at + "self_attn.k_norm.weight"),
            gate_up=torch.cat([take(f"{at}mlp.{p}_proj.weight") for p in ("gate", "up")]),
            down=take(at + "mlp.down_proj.weight"),
            router=take(at + "router.proj.weight"),
            router_scale=take(at + "router.scale"),
            per_expert_scale=take(at + "router.per_expert_scale"),
            experts_gate_up=take(at + "experts.gate_up_proj"),
            experts_down=take(at + "experts.down_proj"),
            encoder_scalar=take(f"model.encoder.language_model.layers.{index}.layer_scalar"),
            decoder_scalar=take(at + "layer_scalar"),
        )

    condition = "model.decoder.self_conditioning."
    return ModelWeights(
        embedding=take("model.decoder.embed_tokens.weight"),
        norm=take("model.decoder.norm.weight"),
        condition_norm=take(condition + "pre_norm.weight"),
        condition_gate_up=torch.cat([take(f"{condition}{p}_proj.weight") for p in ("gate", "up")]),
        condition_down=take(condition + "down_proj.weight"),
        layers=tuple(layer(i, layer_config) for i, layer_config in enumerate(config.layers)),
    )


def _layer_shapes(config: ModelConfig, layer: LayerConfig) -> Shapes:
    D, M = config.hidden_size, config.intermediate_size
    E, I = config.num_experts, config.moe_intermediate_size  # noqa: E741
    d, q, kv = (
        layer.head_dim,
        config.num_heads * layer.head_dim,
        layer.num_kv_heads * layer.head_dim,
    )
    norms = (
        "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
        "pre_feedforward_layernorm_2", "post_feedforward_layernorm", "post_feedforward_layernorm_1",
        "post_feedforward_layernorm_2",
    )  # fmt: skip
    shapes: Shapes = {f"{norm}.weight": (D,) for norm in norms}
    shapes |= {
        "layer_scalar": (1,),
        "self_attn.q_proj.weight": (q, D),
        "self_attn.k_proj.weight": (kv, D),
        "self_attn.o_proj.weight": (D, q),
        "self_attn.q_norm.weight": (d,),
        "self_attn.k_norm.weight": (d,),
        "mlp.gate_proj.weight": (M, D),
        "mlp.up_proj.weight": (M, D),
        "mlp.down_proj.weight": (D, M),
        "router.proj.weight": (E, D),
        "router.scale": (D,),
        "router.per_expert_scale": (E,),
        "experts.gate_up_proj": (E, 2 * I, D),
        "experts.down_proj": (E, D, I),
    }
    if layer.is_sliding:
        shapes["self_attn.v_proj.weight"] = (kv, D)
    return shapes


def _vision_layer_shapes(vision: VisionConfig) -> Shapes:
    W, M, d = vision.hidden_size, vision.intermediate_size, vision.head_dim
    q, kv = vision.num_heads * d, vision.num_kv_heads * d
    norms = (
        "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
    )  # fmt: skip
    shapes: Shapes = {f"{norm}.weight": (W,) for norm in norms}
    return shapes | {
        "mlp.gate_proj.linear.weight": (M, W),
        "mlp.up_proj.linear.weight": (M, W),
        "mlp.down_proj.linear.weight": (W, M),
        "self_attn.q_proj.linear.weight": (q, W),
        "self_attn.k_proj.linear.weight": (kv, W),
        "self_attn.v_proj.linear.weight": (kv, W),
        "self_attn.o_proj.linear.weight": (W, q),
        "self_attn.q_norm.weight": (d,),
        "self_attn.k_norm.weight": (d,),
    }
