"""Mutated model files: whatever bytes a header has, opening it ends in tensors or an EngineFault.

For a long run: `python -m tests.engine.checkpoint.mutations 200000`.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file

from engine.checkpoint.compressed import open_compressed
from engine.checkpoint.gguf import open_gguf
from engine.checkpoint.modelopt import open_modelopt
from engine.checkpoint.source import SourceTensor
from engine.messages import EngineFault

DOWN = "model.decoder.layers.0.experts.down_proj"
SHAPES = {
    "model.decoder.norm.weight": (32,),
    "model.decoder.layers.0.self_attn.q_proj.weight": (4, 32),
    DOWN: (2, 4, 32),
}
_EXTREMES = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**53, 2**63 - 1, 2**63, 2**64 - 1)


@dataclass(frozen=True)
class Target:
    """One file of a small checkpoint, and how the checkpoint is opened."""

    file: Path
    header: int  # bytes at its start that are mutated
    json_at: int | None  # where JSON begins; behind its length in a safetensors file
    open: Callable[[], Mapping[str, SourceTensor]]


def targets(folder: Path) -> dict[str, Target]:
    """Small whole checkpoints below `folder`, each with a file to mutate."""
    packed, nvfp4 = _compressed(folder / "packed"), _modelopt(folder / "nvfp4")
    file = _gguf(folder / "gguf" / "model.gguf")

    def whole(path: Path, open_it: Callable[[], Mapping[str, SourceTensor]]) -> Target:
        return Target(path, path.stat().st_size, 0, open_it)

    def header(path: Path, open_it: Callable[[], Mapping[str, SourceTensor]]) -> Target:
        length = int.from_bytes(path.read_bytes()[:8], "little")
        return Target(path, 8 + length, 8, open_it)

    return {
        "gguf": Target(
            file,
            file.read_bytes().rindex(b".weight") + 64,
            None,
            lambda: open_gguf(file, SHAPES).tensors,
        ),
        "packed": header(packed / "model.safetensors", lambda: open_compressed(packed, SHAPES)),
        "packed-declaration": whole(
            packed / "config.json", lambda: open_compressed(packed, SHAPES)
        ),
        "packed-index": whole(
            packed / "model.safetensors.index.json", lambda: open_compressed(packed, SHAPES)
        ),
        "nvfp4": header(nvfp4 / "model.safetensors", lambda: open_modelopt(nvfp4, SHAPES)),
        "nvfp4-declaration": whole(
            nvfp4 / "hf_quant_config.json", lambda: open_modelopt(nvfp4, SHAPES)
        ),
    }


def survive(target: Target, count: int, seed: int) -> int:
    """Opens `count` mutations of a file and reads what opens. Returns how many did open.

    Raises whatever is not an EngineFault, and AssertionError for tensors that are not as promised.
    """
    rng = random.Random(seed)
    whole = target.file.read_bytes()
    opened = 0
    try:
        for _ in range(count):
            header = whole[: target.header]
            if target.json_at is not None and rng.random() < 0.5:
                header = header[: target.json_at] + mutated_json(header[target.json_at :], rng)
            else:
                for _ in range(rng.choice((1, 1, 1, 2, 5))):
                    header = mutated(header, rng)
            if target.json_at == 8 and rng.random() < 0.8:  # or little but the length is tested
                header = struct.pack("<Q", max(len(header) - 8, 0)) + header[8:]
            target.file.write_bytes(header + whole[target.header :])
            try:
                tensors = target.open()
                opened += 1
                check(tensors)
            except EngineFault as fault:
                error = fault.error
                assert (error.message + error.remedy).isprintable()
                assert (error.message + error.detail).encode()
    finally:
        target.file.write_bytes(whole)
    return opened


def check(tensors: Mapping[str, SourceTensor]) -> None:
    assert tensors.keys() == SHAPES.keys()
    for name, tensor in tensors.items():
        read = tensor.read()
        assert read.shape == tensor.shape == SHAPES[name]
        assert torch.isfinite(read).all()


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with one place changed."""
    at = rng.randrange(len(data) + 1)
    match rng.randrange(7):
        case 0:  # one bit
            return (
                data[:at]
                + bytes(b ^ 1 << rng.randrange(8) for b in data[at : at + 1])
                + data[at + 1 :]
            )
        case 1:  # some bytes
            return data[:at] + rng.randbytes(rng.choice((1, 1, 2, 8))) + data[at + 1 :]
        case 2:  # a binary number
            width, number = rng.choice(((4, "<I"), (8, "<Q"))), rng.choice(_EXTREMES)
            return (
                data[:at] + struct.pack(width[1], number % 256 ** width[0]) + data[at + width[0] :]
            )
        case 3:  # a number or a value in text
            words = (
                *map(str, _EXTREMES),
                "-1",
                "1.5",
                "null",
                "[]",
                "{}",
                '"x"',
                "true",
                "NaN",
                "1e9",
            )
            return data[:at] + rng.choice(words).encode() + data[at + rng.randrange(4) :]
        case 4:  # a piece taken out
            return data[:at] + data[at + rng.randrange(1, 64) :]
        case 5:  # a piece twice
            return data[:at] + data[max(0, at - rng.randrange(1, 200)) :]
        case _:  # two places swapped
            to = rng.randrange(len(data) + 1)
            at, to = min(at, to), max(at, to)
            return (
                data[:at]
                + data[to : to + 8]
                + data[at + 8 : to]
                + data[at : at + 8]
                + data[to + 8 :]
            )


def mutated_json(data: bytes, rng: random.Random) -> bytes:
    """Well-formed JSON with one value replaced, taken out or put elsewhere."""
    table = json.loads(data)
    places: list[tuple[dict | list, str | int]] = []

    def walk(node: object) -> None:
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(table)
    node, key = rng.choice(places)
    other, at = rng.choice(places)
    match rng.randrange(4):
        case 0:
            node[key] = rng.choice(
                (*_EXTREMES, -1, 4, 8, 16, 1.5, None, True, [], {}, "x", "F32", "U8")
            )
        case 1:
            del node[key]
        case 2:
            node[key] = json.loads(json.dumps(other[at]))
        case _ if isinstance(node[key], int):
            node[key] += rng.choice((-32, -1, 1, 32))
        case _:
            node[key] = [node[key], node[key]]
    return json.dumps(table).encode()


def _gguf(file: Path) -> Path:
    file.parent.mkdir(parents=True)
    writer = gguf.GGUFWriter(file, "diffusion-gemma")
    writer.add_array("diffusion-gemma.attention.head_count_kv", [2, 1])
    writer.add_token_list(["<pad>", "<eos>"])
    names = ("output_norm.weight", "blk.0.attn_q.weight", "blk.0.ffn_down_exps.weight")
    kinds = gguf.GGMLQuantizationType
    for name, shape, kind in zip(
        names, SHAPES.values(), (kinds.F32, kinds.Q8_0, kinds.Q5_0), strict=True
    ):
        data = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        writer.add_tensor(name, gguf.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _compressed(folder: Path) -> Path:
    tensors = {"model.decoder.norm.weight": torch.ones(32)}
    for module in _modules():
        tensors |= {
            f"{module}.weight_packed": torch.full((4, 4), 0x12345678, dtype=torch.int32),
            f"{module}.weight_scale": torch.ones(4, 1),
            f"{module}.weight_shape": torch.tensor([4, 32]),
        }
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}
    _write(
        folder,
        tensors,
        "config.json",
        {
            "quantization_config": {
                "quant_method": "compressed-tensors",
                "quantization_status": "compressed",
                "config_groups": {"group_0": {"weights": weights, "targets": ["Linear"]}},
            }
        },
    )
    weight_map = dict.fromkeys(tensors, "model.safetensors")
    index = {"weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def _modelopt(folder: Path) -> Path:
    tensors = {"model.decoder.norm.weight": torch.ones(32)}
    for module in _modules():
        tensors |= {
            f"{module}.weight": torch.full((4, 16), 0x5A, dtype=torch.uint8),
            f"{module}.weight_scale": torch.ones(4, 2).to(torch.float8_e4m3fn),
            f"{module}.weight_scale_2": torch.tensor(0.5),
        }
    settings = {"quantization": {"quant_algo": "NVFP4", "group_size": 16}}
    return _write(folder, tensors, "hf_quant_config.json", settings)


def _modules() -> list[str]:
    experts = DOWN.removesuffix(".down_proj")
    return ["model.decoder.layers.0.self_attn.q_proj"] + [
        f"{experts}.{expert}.down_proj" for expert in range(2)
    ]


def _write(folder: Path, tensors: dict[str, torch.Tensor], name: str, settings: object) -> Path:
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors")
    (folder / name).write_text(json.dumps(settings))
    return folder


def main() -> None:
    count = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        found = targets(Path(folder))
        for number, (name, target) in enumerate(found.items()):
            share = count // len(found) + (number < count % len(found))
            opened = survive(target, share, seed=share)
            sys.stdout.write(f"{name}: {share} mutations, {opened} opened\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
