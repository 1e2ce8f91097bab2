"""Tiny checkpoints in the published formats, each written by the format's own library.

Every writer returns what that library makes of its own file, by the network's names.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from compressed_tensors.compressors import (
    FloatQuantizationCompressor,
    IntQuantizationCompressor,
    NVFP4PackedCompressor,
    PackedQuantizationCompressor,
)
from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
)
from compressed_tensors.quantization.lifecycle.forward import dequantize
from compressed_tensors.quantization.quant_scheme import FP8_DYNAMIC, INT8_W8A8, NVFP4
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam
from safetensors.torch import save_file
from torch import Tensor

from engine.config import ModelConfig, parse_config
from engine.model.fields import text_shapes, vision_shapes
from tests.engine.tiny import VISION

REAL_CONFIG = Path(__file__).parents[1] / "data" / "diffusiongemma_26b_config.json"
Weights = dict[str, Tensor]

EXPERTS = (".experts.",)
LINEARS = (*EXPERTS, ".self_attn.q_proj", ".self_attn.k_proj", ".self_attn.v_proj", "o_proj", "mlp")


def real_config() -> dict:
    return json.loads(REAL_CONFIG.read_text())


def tiny_settings() -> dict:
    """The published configuration with a sliding and a full layer, and small dimensions.

    Rows are 256 long so that the K formats fit, but for the experts' 32, as 704 is no multiple.
    """
    data = real_config()
    data["text_config"] |= {
        "vocab_size": 24,
        "hidden_size": 256,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "num_global_key_value_heads": 1,
        "head_dim": 64,
        "global_head_dim": 128,
        "num_experts": 3,
        "top_k_experts": 2,
        "moe_intermediate_size": 32,
    }
    data["vision_config"] |= VISION
    return data


@cache
def tiny_config() -> ModelConfig:
    return parse_config(tiny_settings())


def text() -> dict[str, tuple[int, ...]]:
    return text_shapes(tiny_config())


def everything() -> dict[str, tuple[int, ...]]:
    return text() | vision_shapes(tiny_config())


def random_weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=generator).to(torch.bfloat16)
        for name, shape in shapes.items()
    }


def split_experts(weights: Weights) -> Weights:
    """The experts one by one, as every quantised safetensors build stores them."""
    split: Weights = {}
    for name, tensor in weights.items():
        prefix, _, kind = name.rpartition(".experts.")
        parts = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}.get(kind)
        if not prefix or parts is None:
            split[name] = tensor
            continue
        for expert in range(tensor.shape[0]):
            pieces = tensor[expert].chunk(len(parts))
            for part, piece in zip(parts, pieces, strict=True):
                split[f"{prefix}.experts.{expert}.{part}.weight"] = piece
    return split


def join_experts(weights: Weights) -> Weights:
    """The inverse of `split_experts`."""
    joined = {name: tensor for name, tensor in weights.items() if ".experts." not in name}
    for name in text():
        prefix, _, kind = name.rpartition(".experts.")
        if kind not in ("gate_up_proj", "down_proj"):
            continue
        parts = ("gate_proj", "up_proj") if kind == "gate_up_proj" else ("down_proj",)
        joined[name] = torch.stack(
            [
                torch.cat([weights[f"{prefix}.experts.{e}.{part}.weight"] for part in parts])
                for e in range(tiny_config().num_experts)
            ]
        )
    return joined


# --- compressed-tensors ---------------------------------------------------------------------------


def integers(bits: int, group: int | None, *, symmetric: bool = True) -> QuantizationScheme:
    args = QuantizationArgs(
        num_bits=bits,
        type="int",
        strategy="channel" if group is None else "group",
        group_size=group,
        symmetric=symmetric,
        dynamic=False,
    )
    return QuantizationScheme(targets=["Linear"], weights=args)


KINDS: dict[str, tuple[type, QuantizationScheme, str, tuple[str, ...]]] = {
    "int4-group32": (PackedQuantizationCompressor, integers(4, 32), "pack-quantized", LINEARS),
    "int4-group32-zero": (
        PackedQuantizationCompressor,
        integers(4, 32, symmetric=False),
        "pack-quantized",
        LINEARS,
    ),
    "int4-channel": (PackedQuantizationCompressor, integers(4, None), "pack-quantized", EXPERTS),
    "int8-group32": (PackedQuantizationCompressor, integers(8, 32), "pack-quantized", EXPERTS),
    "int8-dynamic": (
        IntQuantizationCompressor,
        QuantizationScheme(targets=["Linear"], **INT8_W8A8),
        "int-quantized",
        LINEARS,
    ),
    "int8-zero": (
        IntQuantizationCompressor,
        integers(8, None, symmetric=False),
        "int-quantized",
        EXPERTS,
    ),
    "fp8-dynamic": (
        FloatQuantizationCompressor,
        QuantizationScheme(targets=["Linear"], **FP8_DYNAMIC),
        "float-quantized",
        LINEARS,
    ),
    "nvfp4": (
        NVFP4PackedCompressor,
        QuantizationScheme(targets=["Linear"], **NVFP4),
        "nvfp4-pack-quantized",
        EXPERTS,
    ),
}


def write_compressed(folder: Path, kind: str, scale_dtype: torch.dtype) -> Weights:
    compressor, scheme, stored_format, quantised = KINDS[kind]
    stored: Weights = {}
    meant: Weights = {}
    for name, weight in split_experts(random_weights(everything())).items():
        if not any(part in name for part in quantised) or "vision" in name:
            stored[name], meant[name] = weight, weight
            continue
        parts = compressor.compress(_quantised_parts(weight.float(), scheme, scale_dtype), scheme)
        module = name.removesuffix(".weight")
        stored |= {f"{module}.{part}": tensor.contiguous() for part, tensor in parts.items()}
        meant[name] = _decompressed(compressor, parts, scheme)
    config = QuantizationConfig(
        config_groups={"group_0": scheme},
        format=stored_format,
        quantization_status="compressed",
        ignore=["lm_head"],
    )
    settings = {"quantization_config": json.loads(config.model_dump_json())}
    (folder / "config.json").write_text(json.dumps(settings))
    save_file(stored, folder / "model.safetensors")
    return join_experts(meant)


def _decompressed(compressor: type, parts: Weights, scheme: QuantizationScheme) -> Tensor:
    """By the library; for NVFP4 by its pieces, as its own way ends in bfloat16."""
    if compressor is not NVFP4PackedCompressor:
        return compressor.decompress(parts, scheme)["weight"]
    rows, width = parts["weight_packed"].shape
    return dequantize(
        x_q=unpack_fp4_from_uint8(parts["weight_packed"], rows, 2 * width, torch.float32),
        scale=parts["weight_scale"].float(),
        args=scheme.weights,
        global_scale=parts["weight_global_scale"],
        dtype=torch.float32,
    )


def _quantised_parts(weight: Tensor, scheme: QuantizationScheme, dtype: torch.dtype) -> Weights:
    args = scheme.weights
    rows = weight.unflatten(-1, (-1, args.group_size or weight.shape[1]))
    is_fp4 = args.strategy == "tensor_group"
    overall = generate_gparam(weight.amin(), weight.amax()) if is_fp4 else None
    scale, zero = calculate_qparams(rows.amin(-1), rows.amax(-1), args, overall)
    parts = {"weight": weight, "weight_scale": scale if is_fp4 else scale.to(dtype)}
    if overall is not None:
        parts |= {"weight_global_scale": overall, "input_global_scale": torch.ones(1)}
    if not args.symmetric:
        parts["weight_zero_point"] = zero.to(torch.int8)
    return parts


# --- ModelOpt -------------------------------------------------------------------------------------


def write_modelopt(folder: Path) -> Weights:
    """ModelOpt's names around the numbers of compressed-tensors' NVFP4, whose scales divide."""
    scheme = KINDS["nvfp4"][1]
    stored: Weights = {}
    meant: Weights = {}
    for name, weight in split_experts(random_weights(everything())).items():
        if ".experts." not in name:
            stored[name], meant[name] = weight, weight
            continue
        parts = _quantised_parts(weight.float(), scheme, torch.float32)
        parts["weight_global_scale"] = torch.exp2(parts["weight_global_scale"].log2().round())
        packed = NVFP4PackedCompressor.compress(parts, scheme)
        meant[name] = _decompressed(NVFP4PackedCompressor, packed, scheme)
        module = name.removesuffix(".weight")
        stored |= {
            f"{module}.weight": packed["weight_packed"],
            f"{module}.weight_scale": packed["weight_scale"],
            f"{module}.weight_scale_2": (1 / packed["weight_global_scale"]).view(()),
            f"{module}.input_scale": torch.tensor(0.25),
        }
    settings = {
        "producer": {"name": "modelopt", "version": "0.45.0.dev127"},
        "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "group_size": 16},
    }
    (folder / "hf_quant_config.json").write_text(json.dumps(settings))
    save_file(stored, folder / "model.safetensors")
    return join_experts(meant)
