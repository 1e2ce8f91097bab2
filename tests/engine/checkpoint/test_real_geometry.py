"""The published files at their real size: headers as they are, weights as a hole in the file."""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path

import pytest
import torch

from engine.checkpoint.compressed import open_compressed
from engine.checkpoint.gguf import open_gguf
from engine.checkpoint.modelopt import open_modelopt
from engine.config import parse_config
from engine.model.fields import text_shapes, vision_shapes
from tests.engine.checkpoint.written import KINDS, real_config
from tests.engine.checkpoint.written_gguf import gguf_name

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there, a hole takes space on the disk")

CONFIG = parse_config(real_config())
TEXT = text_shapes(CONFIG)
EVERYTHING = TEXT | vision_shapes(CONFIG)
GATE_UP = "model.decoder.layers.29.experts.gate_up_proj"
Entries = dict[str, tuple[str, tuple[int, ...]]]
_SIZES = {"BF16": 2, "U8": 1, "F8_E4M3": 1, "F32": 4, "I32": 4, "I64": 8}


def matrices(name: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """The matrices that a quantised build makes of a tensor: one an expert and projection."""
    if ".experts." not in name:
        return {name.removesuffix(".weight"): shape}
    prefix, _, kind = name.rpartition(".")
    parts = ("gate", "up") if kind == "gate_up_proj" else ("down",)
    rows = shape[1] // len(parts)
    return {
        f"{prefix}.{expert}.{part}_proj": (rows, shape[2])
        for expert in range(shape[0])
        for part in parts
    }


def write_hollow(folder: Path, entries: Entries) -> int:
    """A safetensors file with these entries in this order and no data. Returns its data's bytes."""
    header, end = {}, 0
    for name, (dtype, shape) in entries.items():
        begin, end = end, end + math.prod(shape) * _SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    with (folder / "model.safetensors").open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.truncate(8 + len(text) + end)
    return end


def test_nvfp4_of_nvidia(tmp_path: Path) -> None:
    """47,067 tensors in 18,823,855,888 bytes, of which the headers are some megabytes."""
    entries: Entries = {}
    for name, shape in EVERYTHING.items():
        if ".experts." not in name:
            entries[name] = ("BF16", shape)
            continue
        for module, (rows, width) in matrices(name, shape).items():
            entries |= {
                f"{module}.weight": ("U8", (rows, width // 2)),
                f"{module}.weight_scale": ("F8_E4M3", (rows, width // 16)),
                f"{module}.weight_scale_2": ("F32", ()),
                f"{module}.input_scale": ("F32", ()),
            }
    assert len(entries) == 47_067
    size = write_hollow(tmp_path, entries)
    assert 0 < 10_002_097_536 + 8_821_758_352 - size < 10 << 20
    settings = {"quantization": {"quant_algo": "NVFP4", "group_size": 16}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(settings))
    tensors = open_modelopt(tmp_path, EVERYTHING)
    assert tensors.keys() == EVERYTHING.keys()
    assert torch.equal(tensors[GATE_UP].read(127), torch.zeros(1, 1408, 2816))


def test_awq_int4_of_cyankiwi(tmp_path: Path) -> None:
    """35,777 tensors in 17.22 GB: experts and attention in four bits, groups of 32."""
    quantised = {
        module: shape
        for name, stored in TEXT.items()
        if ".experts." in name or (".self_attn." in name and "norm" not in name)
        for module, shape in matrices(name, stored).items()
    }
    entries: Entries = {f"{module}.weight_shape": ("I64", (2,)) for module in quantised}
    for module, (rows, width) in quantised.items():
        entries[f"{module}.weight_packed"] = ("I32", (rows, width // 8))
        entries[f"{module}.weight_scale"] = ("BF16", (rows, width // 32))
    for name, shape in EVERYTHING.items():
        if ".experts." not in name and name.removesuffix(".weight") not in quantised:
            entries[name] = ("BF16", shape)
    assert len(entries) == 35_777
    assert round(write_hollow(tmp_path, entries) / 1e7) == 1722
    with (tmp_path / "model.safetensors").open("r+b") as stream:
        stream.seek(8 + int.from_bytes(stream.read(8), "little"))
        stream.write(b"".join(struct.pack("<qq", *shape) for shape in quantised.values()))
    group = json.loads(KINDS["int4-group32"][1].model_dump_json())
    settings = {
        "quant_method": "compressed-tensors",
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
    }
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": settings}))
    tensors = open_compressed(tmp_path, EVERYTHING)
    assert tensors.keys() == EVERYTHING.keys()
    assert tensors[GATE_UP].read(127).shape == (1, 1408, 2816)


def test_gguf_q8_0(tmp_path: Path) -> None:
    """692 tensors in 26,878,831,328 bytes, of which the tokenizer is some megabytes."""
    infos, end = [], 0
    for name, shape in (TEXT | {"rope_freqs": (256,)}).items():
        stored = "rope_freqs.weight" if name == "rope_freqs" else gguf_name(name)
        is_float = len(shape) == 1 or "router" in name
        infos.append(
            struct.pack("<Q", len(stored))
            + stored.encode()
            + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
            + struct.pack("<IQ", 0 if is_float else 8, end)
        )
        end += math.prod(shape) * 4 if is_float else math.prod(shape) // 32 * 34
        end += -end % 32
    assert len(infos) == 692
    assert 0 < 26_878_831_328 - end < 20 << 20
    tokens = b"".join(struct.pack("<Q", 6) + b"a word" for _ in range(262_144))
    key, value = b"general.architecture", b"diffusion-gemma"
    header = (
        b"GGUF"
        + struct.pack("<IQQ", 3, len(infos), 2)
        + struct.pack("<Q", len(key))
        + key
        + struct.pack("<IQ", 8, len(value))
        + value
        + struct.pack("<Q", 6)
        + b"tokens"
        + struct.pack("<IIQ", 9, 8, 262_144)
        + tokens
        + b"".join(infos)
    )
    file = tmp_path / "model.gguf"
    with file.open("wb") as stream:
        stream.write(header)
        stream.truncate(len(header) + -len(header) % 32 + end)
    tensors = open_gguf(file, TEXT).tensors
    assert tensors.keys() == TEXT.keys()
    assert torch.equal(tensors[GATE_UP].read(127), torch.zeros(1, 1408, 2816))
