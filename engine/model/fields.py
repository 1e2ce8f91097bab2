"""The tensors of the network without torch: names and shapes, in a checkpoint and in the layers.

Shape letters: V vocabulary, D hidden size, H query heads, K key/value heads, d head size,
E experts, I expert width, M dense width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.config import LayerConfig, ModelConfig, VisionConfig
from engine.quant.layouts import Layout, Part
from engine.quant.scheme import Role, Scheme, layout_of

Shape = tuple[int, ...]
Shapes = dict[str, Shape]

TOP = "top"  # the blob of what belongs to no layer


@dataclass(frozen=True, kw_only=True)
class Field:
    """A tensor as the layers use it: one of the checkpoint, or some joined along their first axis."""

    name: str  # in `LayerWeights` or `ModelWeights`
    sources: tuple[tuple[str, Shape], ...]  # names in a checkpoint
    role: Role
    shared_input: bool = False  # all experts read the same inputs

    @property
    def shape(self) -> Shape:
        first = self.sources[0][1]
        return (sum(shape[0] for _, shape in self.sources), *first[1:])


def fields(config: ModelConfig) -> dict[str, tuple[Field, ...]]:
    """All tensors of the text network by blob: `TOP`, and one for each layer, in order."""
    blobs = {TOP: tuple(_top_fields(config))}
    for index, layer in enumerate(config.layers):
        blobs[layer_blob(index)] = tuple(_layer_fields(config, index, layer))
    return blobs


def layer_blob(index: int) -> str:
    return f"layer-{index:02}"


def stored_as(field: Field, scheme: Scheme, plain_dtype: str) -> Layout | Part:
    """How a field is stored. plain_dtype: of what is not quantised, as torch names it."""
    way = scheme.way(field.role)
    if way is None:
        return Part(plain_dtype, field.shape)
    return layout_of(field.shape, way, shared_input=field.shared_input)


def text_shapes(config: ModelConfig) -> Shapes:
    """Name and shape of every tensor of the text network in a checkpoint."""
    return {
        name: shape
        for blob in fields(config).values()
        for field in blob
        for name, shape in field.sources
    }


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


def _top_fields(config: ModelConfig) -> Iterator[Field]:
    D, M = config.hidden_size, config.intermediate_size

    def field(name: str, role: Role, *sources: tuple[str, Shape]) -> Field:
        named = tuple((f"model.decoder.{source}.weight", shape) for source, shape in sources)
        return Field(name=name, sources=named, role=role)

    block = "self_conditioning."
    gate, up = ((f"{block}{part}_proj", (M, D)) for part in ("gate", "up"))
    yield field("embedding", Role.EMBEDDING, ("embed_tokens", (config.vocab_size, D)))
    yield field("norm", Role.PLAIN, ("norm", (D,)))
    yield field("condition_norm", Role.PLAIN, (block + "pre_norm", (D,)))
    yield field("condition_gate_up", Role.CONDITIONING, gate, up)
    yield field("condition_down", Role.CONDITIONING, (block + "down_proj", (D, M)))


# Names of the norms in the layers, and in a checkpoint.
_NORMS = {
    "input_norm": "input_layernorm",
    "post_attention_norm": "post_attention_layernorm",
    "pre_feedforward_norm": "pre_feedforward_layernorm",
    "pre_feedforward_norm_2": "pre_feedforward_layernorm_2",
    "post_feedforward_norm": "post_feedforward_layernorm",
    "post_feedforward_norm_1": "post_feedforward_layernorm_1",
    "post_feedforward_norm_2": "post_feedforward_layernorm_2",
}


def _layer_fields(config: ModelConfig, index: int, layer: LayerConfig) -> Iterator[Field]:
    D, M = config.hidden_size, config.intermediate_size
    E, I = config.num_experts, config.moe_intermediate_size  # noqa: E741
    d = layer.head_dim
    queries, keys = config.num_heads * d, layer.num_kv_heads * d

    def field(
        name: str, role: Role, *sources: tuple[str, Shape], shared_input: bool = False
    ) -> Field:
        named = tuple(
            (f"model.decoder.layers.{index}.{source}", shape) for source, shape in sources
        )
        return Field(name=name, sources=named, role=role, shared_input=shared_input)

    def matrix(name: str, rows: int, inputs: int) -> tuple[str, Shape]:
        return f"{name}_proj.weight", (rows, inputs)

    heads = [matrix("self_attn.q", queries, D), matrix("self_attn.k", keys, D)]
    if layer.is_sliding:  # full layers use the keys as values
        heads.append(matrix("self_attn.v", keys, D))
    for name, source in _NORMS.items():
        yield field(name, Role.PLAIN, (f"{source}.weight", (D,)))
    yield field("qkv", Role.ATTENTION, *heads)
    yield field("o", Role.ATTENTION, matrix("self_attn.o", D, queries))
    yield field("q_norm", Role.PLAIN, ("self_attn.q_norm.weight", (d,)))
    yield field("k_norm", Role.PLAIN, ("self_attn.k_norm.weight", (d,)))
    yield field("gate_up", Role.MLP, matrix("mlp.gate", M, D), matrix("mlp.up", M, D))
    yield field("down", Role.MLP, matrix("mlp.down", D, M))
    yield field("router", Role.PLAIN, ("router.proj.weight", (E, D)))
    yield field("router_scale", Role.PLAIN, ("router.scale", (D,)))
    yield field("per_expert_scale", Role.PLAIN, ("router.per_expert_scale", (E,)))
    gate_up, down = ("experts.gate_up_proj", (E, 2 * I, D)), ("experts.down_proj", (E, D, I))
    yield field("experts_gate_up", Role.EXPERTS, gate_up, shared_input=True)
    yield field("experts_down", Role.EXPERTS, down)
    yield Field(
        name="encoder_scalar",
        sources=((f"model.encoder.language_model.layers.{index}.layer_scalar", (1,)),),
        role=Role.PLAIN,
    )
    yield field("decoder_scalar", Role.PLAIN, ("layer_scalar", (1,)))


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
