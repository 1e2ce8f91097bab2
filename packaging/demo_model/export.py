"""Write a checkpoint of the training as a model folder: `python packaging/demo_model/export.py`.

With `--mix OTHER 0.3` its weights are the mean with those of another checkpoint of the same network, of
which they take so much; as often as there are others.

The layout is the one that transformers saves for `DiffusionGemmaForBlockDiffusion`, in bfloat16. The
tokenizer, the chat template and the model card in the folder are kept as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import vocabulary
from examples import CANVAS
from safetensors.torch import save_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
TRANSFORMERS = "5.23.0"


def text_config(sizes: dict[str, Any]) -> dict[str, Any]:
    """`NetworkConfig` as the checkpoint's text_config."""
    same = (
        "vocab_size", "hidden_size", "intermediate_size", "moe_intermediate_size", "num_experts",
        "top_k_experts", "num_attention_heads", "num_key_value_heads", "head_dim",
        "num_global_key_value_heads", "global_head_dim", "sliding_window", "rms_norm_eps",
        "final_logit_softcapping",
    )  # fmt: skip
    return {name: sizes[name] for name in same} | {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": vocabulary.BOS,
        "eos_token_id": vocabulary.EOS,
        "pad_token_id": vocabulary.PAD,
        "dtype": "bfloat16",
        "hidden_activation": "gelu_pytorch_tanh",
        "initializer_range": 0.02,
        "layer_types": list(sizes["layer_types"]),
        "num_hidden_layers": len(sizes["layer_types"]),
        "max_position_embeddings": 8192,
        "model_type": "diffusion_gemma_text",
        "rope_parameters": {
            "full_attention": {
                "partial_rotary_factor": sizes["partial_rotary_factor"],
                "rope_theta": sizes["full_theta"],
                "rope_type": "proportional",
            },
            "sliding_attention": {"rope_theta": sizes["sliding_theta"], "rope_type": "default"},
        },
        "tie_word_embeddings": True,
        "use_bidirectional_attention": "vision",
    }


def vision_config() -> dict[str, Any]:
    """The class insists on a vision tower: the smallest one, with weights of zero."""
    return {
        "model_type": "gemma4_vision",
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": 64,
        "global_head_dim": 64,
        "patch_size": 16,
        "pooling_kernel_size": 3,
        "position_embedding_size": 16,
        "standardize": False,
    }


def config(sizes: dict[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["DiffusionGemmaForBlockDiffusion"],
        "model_type": "diffusion_gemma",
        "dtype": "bfloat16",
        "canvas_length": CANVAS,
        "boi_token_id": vocabulary.IMAGE_START,
        "image_token_id": vocabulary.IMAGE,
        "eoi_token_id": vocabulary.IMAGE_END,
        "eos_token_id": [vocabulary.EOS, vocabulary.TURN_END],
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "transformers_version": TRANSFORMERS,
        "text_config": text_config(sizes),
        "vision_config": vision_config(),
    }


def generation_config() -> dict[str, Any]:
    return {
        "confidence_threshold": 0.005,
        "eos_token_id": [vocabulary.EOS, vocabulary.TURN_END, 50],
        "max_denoising_steps": 48,
        "max_new_tokens": 2 * CANVAS,
        "pad_token_id": vocabulary.PAD,
        "sampler_config": {"_cls_name": "EntropyBoundSamplerConfig", "entropy_bound": 0.1},
        "stability_threshold": 1,
        "t_max": 0.8,
        "t_min": 0.4,
        "transformers_version": TRANSFORMERS,
    }


def tokenizer_config() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 8192,
    }


def vision_tensors(sizes: dict[str, Any]) -> dict[str, Tensor]:
    """Zeros: the demo model sees nothing, but a loader finds every tensor that it looks for."""
    vision = vision_config()
    hidden, inner, patch = vision["hidden_size"], vision["intermediate_size"], vision["patch_size"]
    tower = "model.encoder.vision_tower"
    layer = f"{tower}.encoder.layers.0"
    shapes: dict[str, tuple[int, ...]] = {
        "model.encoder.embed_vision.embedding_projection.weight": (sizes["hidden_size"], hidden),
        f"{tower}.patch_embedder.input_proj.weight": (hidden, 3 * patch**2),
        f"{tower}.patch_embedder.position_embedding_table": (
            2, vision["position_embedding_size"], hidden,
        ),
        f"{layer}.mlp.down_proj.linear.weight": (hidden, inner),
    }  # fmt: skip
    shapes |= {f"{layer}.mlp.{name}_proj.linear.weight": (inner, hidden) for name in ("gate", "up")}
    shapes |= {f"{layer}.self_attn.{name}_proj.linear.weight": (hidden, hidden) for name in "qkvo"}
    shapes |= {f"{layer}.self_attn.{name}_norm.weight": (hidden,) for name in "qk"}
    places = ("input", "post_attention", "pre_feedforward", "post_feedforward")
    shapes |= {f"{layer}.{place}_layernorm.weight": (hidden,) for place in places}
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def tensors(state: dict[str, Any]) -> dict[str, Tensor]:
    """The averaged weights under their names in the checkpoint."""
    weights = state["network"] | state["average"]
    named = {f"model.decoder.{name}": value for name, value in weights.items()}
    for index in range(len(state["config"]["layer_types"])):
        # Encoder and decoder share all weights but store their layer scalars twice.
        scalar = weights[f"layers.{index}.layer_scalar"].clone()
        named[f"model.encoder.language_model.layers.{index}.layer_scalar"] = scalar
    named |= vision_tensors(state["config"])
    return {name: value.to("cpu", torch.bfloat16).contiguous() for name, value in named.items()}


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def mixed(state: dict[str, Any], others: Mapping[Path, float]) -> dict[str, Any]:
    """A checkpoint whose weights are these shares of the others' and the rest of its own."""
    rest = 1 - sum(others.values())
    loaded = {path: torch.load(path, map_location="cpu", weights_only=True) for path in others}

    def mean(part: str, name: str) -> Tensor:
        own: Tensor = rest * state[part][name]
        return own + sum(share * loaded[path][part][name] for path, share in others.items())

    both = {
        part: {name: mean(part, name) for name in state[part]} for part in ("network", "average")
    }
    return state | both


def export(checkpoint: Path, folder: Path, mix: Mapping[Path, float] = MappingProxyType({})) -> int:
    """Writes the model into the folder. Returns the training step it is from."""
    state = mixed(torch.load(checkpoint, map_location="cpu", weights_only=True), mix)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "model.safetensors.part"
    save_file(tensors(state), str(part), metadata={"format": "pt"})
    part.chmod(0o644)
    part.replace(folder / "model.safetensors")
    write(folder, "config.json", config(state["config"]))
    write(folder, "generation_config.json", generation_config())
    write(folder, "tokenizer_config.json", tokenizer_config())
    return int(state["step"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / ".work/demo_model/checkpoint.pt")
    parser.add_argument("--to", type=Path, default=ROOT / "assets" / "demo_model")
    parser.add_argument(
        "--mix",
        nargs=2,
        action="append",
        default=[],
        metavar=("FILE", "SHARE"),
        help="another checkpoint and its share of the weights; as often as there are others",
    )
    options = parser.parse_args()
    mix = {Path(file): float(share) for file, share in options.mix}
    step = export(options.checkpoint, options.to, mix)
    print(f"step {step} written to {options.to}")


if __name__ == "__main__":
    main()
