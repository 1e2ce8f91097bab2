"""A very small checkpoint in the published layout, in two shards, and what is done to its files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.config import parse_config
from engine.model.fields import text_shapes, vision_shapes
from engine.prepare import Outcome, prepare
from tests.engine.checkpoint.written import random_weights, real_config
from tests.engine.tiny import VISION

SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
INDEX = "model.safetensors.index.json"
SETTINGS = {
    "generation_config.json": json.dumps({"eos_token_id": [1]}),
    "tokenizer.json": json.dumps({"version": "1.0", "words": "äöü" * 40}, ensure_ascii=False),
    "chat_template.jinja": "{{ messages }}",
}


def write_source(folder: Path, seed: int = 0, **changes: object) -> Path:
    """A sliding and a full layer. The sizes fill neither a block of weights nor 64 bytes."""
    data = real_config()
    data["text_config"] |= {
        "vocab_size": 21,
        "hidden_size": 40,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"],
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "num_global_key_value_heads": 1,
        "head_dim": 8,
        "global_head_dim": 16,
        "num_experts": 3,
        "top_k_experts": 2,
        "moe_intermediate_size": 12,
        **changes,
    }
    data["canvas_length"] = 16
    data["vision_config"] |= VISION
    config = parse_config(data)
    weights = random_weights(text_shapes(config) | vision_shapes(config), seed)
    weights = {name: tensor * 0.1 for name, tensor in weights.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(data, indent=2))
    for name, text in SETTINGS.items():
        (folder / name).write_text(text)
    first = {name: tensor for name, tensor in weights.items() if ".layers.1." not in name}
    shards = (first, {name: weights[name] for name in weights.keys() - first.keys()})
    for name, tensors in zip(SHARDS, shards, strict=True):
        save_file(tensors, folder / name)
    weight_map = {key: name for name, part in zip(SHARDS, shards, strict=True) for key in part}
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    return folder


def change(file: Path, what: Callable[[dict[str, Tensor]], object]) -> None:
    """Rewrites the tensors of a safetensors file by its own library."""
    tensors = load_file(file)
    what(tensors)
    save_file(tensors, file)


def without_report(_what: str, _done: int, _total: int) -> None:
    pass


def prepared(source: Path | str, target: Path, weights: str = "int4") -> Outcome:
    return prepare(source, target, weights, without_report, lambda: False)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def copy(folder: Path, target: Path) -> Path:
    """With the times of the files, so that it is the same source."""
    return Path(shutil.copytree(folder, target))


def random_bits(size: int, count: int, seed: int) -> list[tuple[int, int]]:
    """(byte, bit) places in a file."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randint(8 * size, (count,), generator=generator).tolist()
    return [divmod(place, 8) for place in places]
