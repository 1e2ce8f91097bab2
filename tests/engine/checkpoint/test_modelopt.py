"""NVFP4 checkpoints with ModelOpt's names, against compressed-tensors' reading of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from compressed_tensors.compressors import NVFP4PackedCompressor
from compressed_tensors.entrypoints.convert.converters.modelopt_nvfp4 import ModelOptNvfp4Converter
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.checkpoint.modelopt import _unpack, open_modelopt
from engine.checkpoint.source import GroupedIntegers
from engine.messages import EngineFault, ErrorKind
from tests.engine.checkpoint.written import KINDS, everything, write_modelopt

EXPERT = "model.decoder.layers.0.experts.2.up_proj"
GATE_UP = "model.decoder.layers.0.experts.gate_up_proj"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_modelopt(tmp_path)
    return tmp_path


def fault_of(folder: Path, *, read: bool = False) -> EngineFault:
    def run() -> None:
        tensors = open_modelopt(folder, everything())
        if read:
            tensors[GATE_UP].read()

    with pytest.raises(EngineFault) as caught:
        run()
    assert caught.value.error.message.endswith(".")
    assert str(folder) in caught.value.error.detail
    return caught.value


def change(folder: Path, what: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    what(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_the_same_numbers_as_the_library(tmp_path: Path) -> None:
    meant = write_modelopt(tmp_path)
    tensors = open_modelopt(tmp_path, everything())
    assert tensors.keys() == meant.keys()
    for name, tensor in tensors.items():
        assert tensor.shape == everything()[name]
        assert torch.equal(tensor.read().to(meant[name].dtype), meant[name]), name


def test_the_same_numbers_as_its_converter(folder: Path) -> None:
    """compressed-tensors' own converter from ModelOpt's names, then its decompressor."""
    scheme = KINDS["nvfp4"][1]
    converter = ModelOptNvfp4Converter(targets=["re:.*experts.*"])
    converted = converter.process(load_file(folder / "model.safetensors"))
    tensor = open_modelopt(folder, everything())[GATE_UP].read()
    for expert in range(3):
        for half, part in zip(tensor[expert].chunk(2), ("gate", "up"), strict=True):
            module = f"model.decoder.layers.0.experts.{expert}.{part}_proj."
            parts = {
                name.removeprefix(module): value
                for name, value in converted.items()
                if name.startswith(module)
            }
            meant = NVFP4PackedCompressor.decompress(parts, scheme)["weight"]
            assert torch.equal(half.to(meant.dtype), meant)


def test_every_four_bit_float() -> None:
    """The integers are twice the E2M1 numbers, whose bits are sign, two exponent, one mantissa."""
    codes = torch.arange(16, dtype=torch.uint8)
    found = _unpack((codes | (codes.flip(0) << 4))[None])[0]
    for code in range(16):
        exponent, mantissa = code >> 1 & 3, code & 1
        size = mantissa * 0.5 if exponent == 0 else (1 + mantissa / 2) * 2 ** (exponent - 1)
        assert int(found[2 * code]) == (-2 if code & 8 else 2) * size
        assert int(found[2 * (15 - code) + 1]) == int(found[2 * code])


def test_integers_are_exact(folder: Path) -> None:
    tensor = open_modelopt(folder, everything())[GATE_UP]
    stored = tensor.read_stored()
    assert isinstance(stored, GroupedIntegers)
    assert (stored.grouping.low, stored.grouping.high, stored.grouping.group_size) == (-12, 12, 16)
    assert set(stored.values.unique().tolist()) == {
        s * n for n in (0, 1, 2, 3, 4, 6, 8, 12) for s in (1, -1)
    }
    assert torch.equal(stored.dequantize(), tensor.read())
    assert torch.equal(torch.cat([tensor.read(0, 1), tensor.read(1)]), tensor.read())


@pytest.mark.parametrize("name", ["weight_scale", "weight_scale_2"])
def test_scales_that_are_no_numbers(folder: Path, name: str) -> None:
    def spoil(tensors: dict[str, Tensor]) -> None:
        tensors[f"{EXPERT}.{name}"].view(-1)[-1] = float("nan")

    change(folder, spoil)
    fault = fault_of(folder, read=True)
    assert fault.error.kind is ErrorKind.MODEL_BROKEN
    assert EXPERT in fault.error.detail


@pytest.mark.parametrize(
    ("what", "named"),
    [
        (lambda t: t.pop(f"{EXPERT}.weight"), f"{EXPERT}.weight"),
        (lambda t: t.pop(f"{EXPERT}.weight_scale"), f"{EXPERT}.weight_scale"),
        (lambda t: t.pop(f"{EXPERT}.weight_scale_2"), f"{EXPERT}.weight_scale_2"),
        (lambda t: t.pop("model.decoder.norm.weight"), "model.decoder.norm.weight"),
        (lambda t: t.update({f"{EXPERT}.surprise": torch.ones(1)}), "surprise"),
        (lambda t: t.update({f"{EXPERT}.weight": torch.ones(32, 256)}), f"{EXPERT}.weight"),
        (
            lambda t: t.update({"model.decoder.norm.weight": torch.ones(256, dtype=torch.uint8)}),
            "model.decoder.norm.weight",
        ),
        (
            lambda t: t.update({"model.decoder.norm.weight": torch.tensor(1.0)}),
            "model.decoder.norm.weight",
        ),
    ],
)
def test_parts_that_contradict_each_other(
    folder: Path, what: Callable[[dict[str, Tensor]], object], named: str
) -> None:
    change(folder, what)
    error = fault_of(folder).error
    assert error.kind is ErrorKind.MODEL_UNSUPPORTED
    assert named in error.message


@pytest.mark.parametrize(
    "settings",
    [{}, {"quantization": 3}, {"quantization": {"quant_algo": "FP8"}},
     {"quantization": {"quant_algo": "NVFP4", "group_size": 32}},
     {"quantization": {"quant_algo": ["NVFP4"]}}],
)  # fmt: skip
def test_declarations_that_are_not_understood(folder: Path, settings: dict) -> None:
    (folder / "hf_quant_config.json").write_text(json.dumps(settings))
    assert fault_of(folder).error.kind is ErrorKind.MODEL_UNSUPPORTED


def test_the_declaration_may_lie_in_the_configuration(folder: Path) -> None:
    (folder / "hf_quant_config.json").unlink()
    assert fault_of(folder).error.kind is ErrorKind.MODEL_MISSING
    settings = {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}
    (folder / "config.json").write_text(json.dumps(settings))
    assert open_modelopt(folder, everything())
