"""Checkpoints of every format in the layouts of the network, against the formats' own libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.checkpoint.opening import open_checkpoint
from engine.convert import Converted, convert, fit
from engine.load import load_model
from engine.messages import EngineFault
from engine.model.fields import Field, fields, vision_shapes
from engine.quant.quantise import quantise_int4, quantise_int8
from engine.quant.scheme import SCHEMES, Scheme, Way, find_scheme
from engine.quant.tensors import dequantise
from tests.engine.checkpoint.written import (
    KINDS,
    Weights,
    everything,
    random_weights,
    real_config,
    text,
    tiny_config,
    write_compressed,
    write_modelopt,
)
from tests.engine.checkpoint.written_gguf import MIXES, write_gguf

CONFIG = tiny_config()
FIELDS = {field.sources: field for blob in fields(CONFIG).values() for field in blob}
TAKEN = {  # formats whose integers a layout can hold
    "int4-group32": Way(bits=4, group_size=32, scale_dtype="bfloat16"),
    "int4-group32-zero": Way(bits=4, group_size=32, scale_dtype="bfloat16"),
    "int4-channel": Way(bits=4, group_size=32, scale_dtype="bfloat16"),  # down: 32 inputs
    "int8-dynamic": Way(bits=8),
}


def write(folder: Path, kind: str) -> Weights:
    """A checkpoint of that format; what its library reads of it, by the network's names."""
    if kind in MIXES:
        (folder / "config.json").write_text(json.dumps(real_config()))
        return write_gguf(folder / "model.gguf", kind)
    if kind == "modelopt":
        return write_modelopt(folder)
    if kind == "plain":
        weights = random_weights(everything())
        save_file(weights, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(real_config()))
        return weights
    return write_compressed(folder, kind, torch.bfloat16)


def converted(folder: Path, scheme: Scheme) -> dict[Field, Converted]:
    sources = open_checkpoint(folder, text(), vision_shapes(CONFIG))
    assert sources.keys() == text().keys()
    fitted = fit(scheme, CONFIG, sources)
    read: list[int] = []
    found = {
        field: convert(
            field,
            sources,
            fitted.way(field.role),
            plain_dtype=torch.float32,
            device=torch.device("cpu"),
            advance=read.append,
        )
        for field in FIELDS.values()
    }
    size = sum(source.size for source in sources.values())
    assert 0.99 * size <= sum(read) <= size
    return found


def numbers(result: Converted) -> Tensor:
    matrix = result.matrix
    return matrix if isinstance(matrix, Tensor) else dequantise(matrix)


def meant(field: Field, weights: Weights) -> Tensor:
    return torch.cat([weights[name] for name, _ in field.sources]).float()


@pytest.mark.parametrize("kind", ["plain", "modelopt", *KINDS, *MIXES])
def test_plain_numbers_are_those_of_the_library(tmp_path: Path, kind: str) -> None:
    weights = write(tmp_path, kind)
    for field, result in converted(tmp_path, SCHEMES["source"]).items():
        assert isinstance(result.matrix, Tensor)
        expected = meant(field, weights)
        # Some libraries round what they make of their integers to the checkpoint's 16 bits.
        dtype = weights[field.sources[0][0]].dtype
        assert torch.equal(result.matrix.to(dtype), expected.to(dtype)), field.name


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("name", ["int4", "int8"])
def test_what_a_layout_can_hold_is_taken_over(tmp_path: Path, kind: str, name: str) -> None:
    weights = write(tmp_path, kind)
    scheme = find_scheme(name)
    way = TAKEN[kind]
    if way.bits == 8 and name == "int4":
        pytest.skip("eight bits are made four, as was asked")
    for field, result in converted(tmp_path, scheme).items():
        stored = [source for source, _ in field.sources]
        if any(source in _unquantised(tmp_path, stored) for source in stored):
            continue
        assert result.is_exact, field.name
        assert not isinstance(result.matrix, Tensor)
        dtype = weights[stored[0]].dtype
        assert torch.equal(numbers(result).to(dtype), meant(field, weights).to(dtype)), field.name


def _unquantised(folder: Path, names: list[str]) -> set[str]:
    sources = open_checkpoint(folder, text(), vision_shapes(CONFIG))
    return {name for name in names if sources[name].grouping is None}


@pytest.mark.parametrize("kind", ["plain", "fp8-dynamic", "modelopt", "int8-zero", *MIXES])
@pytest.mark.parametrize("name", ["int4", "int4-small", "int8"])
def test_the_rest_is_quantised_as_a_whole_weight_would_be(
    tmp_path: Path, kind: str, name: str
) -> None:
    weights = write(tmp_path, kind)
    scheme = find_scheme(name)
    for field, result in converted(tmp_path, scheme).items():
        way = scheme.way(field.role)
        if way is None:
            continue
        if result.is_exact:  # rows so short that a row is a group of the file
            assert field.shape[-1] == 32
            assert torch.equal(numbers(result), meant(field, weights))
            continue
        quantise = quantise_int4 if way.bits == 4 else quantise_int8
        read = numbers(converted_plain(tmp_path, field))
        expected = quantise(read, name="w", shared_input=field.shared_input)
        assert torch.equal(numbers(result), dequantise(expected)), field.name
        difference = (numbers(result) - meant(field, weights)).norm() / meant(field, weights).norm()
        assert difference < (0.12 if way.bits == 4 else 0.012), field.name


def converted_plain(folder: Path, field: Field) -> Converted:
    sources = open_checkpoint(folder, text(), vision_shapes(CONFIG))
    return convert(field, sources, None, plain_dtype=torch.float32, device=torch.device("cpu"))


def test_a_plain_dtype_that_cannot_hold_the_numbers_is_not_called_exact(tmp_path: Path) -> None:
    write(tmp_path, "plain")
    sources = open_checkpoint(tmp_path, text(), vision_shapes(CONFIG))
    field = next(field for field in FIELDS.values() if field.name == "router")
    for dtype, is_exact in ((torch.bfloat16, True), (torch.float8_e4m3fn, False)):
        found = convert(field, sources, None, plain_dtype=dtype, device=torch.device("cpu"))
        assert found.is_exact == is_exact


def test_unknown_weights_and_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineFault, match="int3"):
        load_model("demo", weights="int3")
    write(tmp_path, "plain")
    config = real_config() | {"quantization_config": {"quant_method": "mystery"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EngineFault, match="mystery"):
        open_checkpoint(tmp_path, text(), vision_shapes(CONFIG))
    (tmp_path / "model.safetensors").unlink()
    for name in ("one", "two"):
        write_gguf(tmp_path / f"{name}.gguf", next(iter(MIXES)))
    with pytest.raises(EngineFault, match="2 GGUF files"):
        open_checkpoint(tmp_path, text(), vision_shapes(CONFIG))
