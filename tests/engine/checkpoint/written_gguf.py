"""Tiny GGUF files, written by gguf-py."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import gguf
import numpy as np
import torch

from tests.engine.checkpoint.written import Weights, text

Q = gguf.GGMLQuantizationType
MIXES: dict[str, Callable[[str, tuple[int, ...]], Q]] = {
    "Q8_0": lambda name, shape: Q.F32 if _is_small(name, shape) else Q.Q8_0,
    "F16": lambda name, shape: Q.F32 if _is_small(name, shape) else Q.F16,
    "Q4_K_M": lambda name, shape: (
        Q.F32
        if _is_small(name, shape)
        else Q.Q6_K
        if "embed" in name or "v_proj" in name
        else Q.Q5_0
        if "experts.down" in name
        else Q.Q8_0
        if "mlp.down" in name
        else Q.Q4_K
    ),
    "Q5_K_M": lambda name, shape: (
        Q.F32 if _is_small(name, shape) else Q.Q8_0 if "experts.down" in name else Q.Q5_K
    ),
}


def _is_small(name: str, shape: tuple[int, ...]) -> bool:
    return len(shape) == 1 or "router" in name


def gguf_name(name: str) -> str:
    """The name in a GGUF file, by gguf-py's table for Gemma 4 where that table has it."""
    own = {
        "router.scale": "ffn_gate_inp.scale",
        "router.per_expert_scale": "ffn_down_exps.scale",
        "self_conditioning.pre_norm.weight": "self_cond_pre_norm.weight",
        "self_conditioning.gate_proj.weight": "self_cond_gate.weight",
        "self_conditioning.up_proj.weight": "self_cond_up.weight",
        "self_conditioning.down_proj.weight": "self_cond_down.weight",
    }
    for ending, stored in own.items():
        if name.endswith(ending):
            layer = name.removeprefix("model.decoder.").removesuffix(ending)
            return layer.replace("layers.", "blk.") + stored
    if name.startswith("model.encoder."):
        return f"blk.{name.split('.')[4]}.enc_layer_output_scale.weight"
    found = _gemma4_names().get_name(
        name.replace("decoder.", "").removesuffix(".weight"), try_suffixes=(".weight",)
    )
    assert found is not None, name
    return f"{found}.weight"


@cache
def _gemma4_names() -> gguf.TensorNameMap:
    return gguf.get_tensor_name_map(gguf.MODEL_ARCH.GEMMA4, 30)


def write_gguf(file: Path, mix: str, seed: int = 0) -> Weights:
    writer = gguf.GGUFWriter(file, "diffusion-gemma")
    writer.add_uint32("diffusion-gemma.block_count", 2)
    writer.add_array("diffusion-gemma.attention.head_count_kv", [2, 1])
    writer.add_array("diffusion-gemma.attention.sliding_window_pattern", [True, False])
    writer.add_float32("diffusion-gemma.final_logit_softcapping", 30.0)
    writer.add_uint32("diffusion.canvas_length", 256)
    writer.add_token_list(["<pad>", "<eos>", "é"])
    writer.add_token_scores([0.0] * 3)
    writer.add_quantization_version(2)
    random = np.random.default_rng(seed)
    meant: Weights = {}
    for name, shape in text().items():
        kind = MIXES[mix](name, shape)
        data = stored_weights(random, shape, kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
        meant[name] = torch.from_numpy(gguf.dequantize(data, kind))
    writer.add_tensor("rope_freqs.weight", np.ones(64, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant


def stored_weights(random: np.random.Generator, shape: tuple[int, ...], kind: Q) -> np.ndarray:
    """Random weights by gguf-py's quantiser; random bytes with finite scales where it has none."""
    halves = {Q.Q4_K: (0, 2), Q.Q5_K: (0, 2), Q.Q6_K: (208,)}.get(kind)
    if halves is None:
        return gguf.quantize(random.standard_normal(shape, dtype=np.float32), kind)
    weights, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (np.prod(shape) // weights, size), dtype=np.uint8)
    for at in halves:
        numbers = random.standard_normal((len(blocks), 1)).astype(np.float16)
        blocks[:, at : at + 2] = numbers.view(np.uint8)
    return blocks.reshape(*shape[:-1], -1)
