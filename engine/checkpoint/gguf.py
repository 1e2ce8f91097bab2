"""GGUF files of the architecture `diffusion-gemma`: their tensors under the network's names.

Source of the names: the llama.cpp branch that defines the architecture, and published files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoint.files import read_bytes, unsupported
from engine.checkpoint.gguf_header import GgufEntry, Setting, read_header
from engine.checkpoint.source import (
    GroupedIntegers,
    SourceTensor,
    Stored,
    checked,
    match,
    mismatch,
)

ARCHITECTURE = "diffusion-gemma"
_BLOCK_LAYOUT = 2  # general.quantization_version: how the bits of a block lie

_TOP = {
    "token_embd": "embed_tokens.weight",
    "output_norm": "norm.weight",
    "self_cond_pre_norm": "self_conditioning.pre_norm.weight",
    "self_cond_gate": "self_conditioning.gate_proj.weight",
    "self_cond_up": "self_conditioning.up_proj.weight",
    "self_cond_down": "self_conditioning.down_proj.weight",
}
_LAYER = {
    "attn_norm": "input_layernorm.weight",
    "attn_q": "self_attn.q_proj.weight",
    "attn_k": "self_attn.k_proj.weight",
    "attn_v": "self_attn.v_proj.weight",
    "attn_output": "self_attn.o_proj.weight",
    "attn_q_norm": "self_attn.q_norm.weight",
    "attn_k_norm": "self_attn.k_norm.weight",
    "post_attention_norm": "post_attention_layernorm.weight",
    "ffn_norm": "pre_feedforward_layernorm.weight",
    "ffn_gate": "mlp.gate_proj.weight",
    "ffn_up": "mlp.up_proj.weight",
    "ffn_down": "mlp.down_proj.weight",
    "post_ffw_norm": "post_feedforward_layernorm.weight",
    "post_ffw_norm_1": "post_feedforward_layernorm_1.weight",
    "post_ffw_norm_2": "post_feedforward_layernorm_2.weight",
    "pre_ffw_norm_2": "pre_feedforward_layernorm_2.weight",
    "ffn_gate_inp": "router.proj.weight",
    "ffn_gate_inp.scale": "router.scale",
    "ffn_gate_up_exps": "experts.gate_up_proj",
    "ffn_down_exps": "experts.down_proj",
    "ffn_down_exps.scale": "router.per_expert_scale",
    "layer_output_scale": "layer_scalar",
}
# The rotary frequencies follow from the configuration; the file repeats them for other engines.
_UNUSED = {"rope_freqs"}


@dataclass(frozen=True, kw_only=True)
class GgufFile:
    settings: dict[str, Setting]  # by the file's keys, without the long lists of the tokenizer
    tensors: dict[str, SourceTensor]  # by the network's names


def open_gguf(file: Path, expected: Mapping[str, tuple[int, ...]]) -> GgufFile:
    """A GGUF file whose every tensor has been accounted for; the weights are still on disk.

    expected: name and shape of every tensor of the text network (GGUF files have no vision tower).
    Raises EngineFault naming what is damaged, unknown, missing, left over or of another shape.
    """
    settings, entries = read_header(file)
    architecture = settings.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise unsupported(file, f"it has the architecture {str(architecture)[:80]!r}")
    if settings.get("general.quantization_version", _BLOCK_LAYOUT) != _BLOCK_LAYOUT:
        raise unsupported(file, "its blocks are laid out in another version")
    if settings.get("split.count", 1) != 1:
        raise unsupported(file, "it is one of several parts")
    tensors: dict[str, SourceTensor] = {}
    for entry in entries:
        stem = entry.name.removesuffix(".weight")
        if stem in _UNUSED:
            continue
        name = _network_name(stem) or entry.name
        if name in tensors:
            raise mismatch(file, f"it has {name} twice")
        tensors[name] = _source(file, name, entry)
    match(file, tensors, expected)
    return GgufFile(settings=settings, tensors=tensors)


def _network_name(stem: str) -> str | None:
    if stem in _TOP:
        return "model.decoder." + _TOP[stem]
    layer = re.fullmatch(r"blk\.(0|[1-9][0-9]{0,3})\.(.+)", stem)
    if layer is None:
        return None
    number, part = layer.groups()
    if part == "enc_layer_output_scale":
        return f"model.encoder.language_model.layers.{number}.layer_scalar"
    return f"model.decoder.layers.{number}.{_LAYER[part]}" if part in _LAYER else None


def _source(file: Path, name: str, entry: GgufEntry) -> SourceTensor:
    row_size = entry.size // entry.shape[0]

    def load(start: int, stop: int) -> Stored:
        raw = read_bytes(file, entry.offset + start * row_size, (stop - start) * row_size)
        stored = entry.format.decode(raw.view(-1, entry.format.size))
        shape = (stop - start, *entry.shape[1:])
        if isinstance(stored, GroupedIntegers):
            stored = stored.change(lambda tensor: tensor.reshape(*shape[:-1], -1))
        else:
            stored = stored.reshape(shape)
        return checked(file, entry.name, stored)

    return SourceTensor(
        name=name,
        shape=entry.shape,
        file=file,
        stored_as=entry.format.name,
        size=entry.size,
        grouping=entry.format.grouping,
        load=load,
    )
