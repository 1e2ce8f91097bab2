"""Some thousands of the mutations that `mutations.py` can make in any number."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.checkpoint.parts import DTYPES
from engine.checkpoint.safetensors import index_checkpoint
from engine.messages import EngineFault, ErrorKind
from tests.engine.checkpoint.mutations import check, survive, targets

NAMES = ["gguf", "packed", "packed-declaration", "packed-index", "nvfp4", "nvfp4-declaration"]


@pytest.mark.parametrize("name", NAMES)
def test_mutated_headers(tmp_path: Path, name: str) -> None:
    found = targets(tmp_path)
    assert list(found) == NAMES
    check(found[name].open())
    opened = survive(found[name], 1000, seed=NAMES.index(name))
    assert opened < 1000
    check(found[name].open())


A = '"dtype": "F32", "shape": [4], "data_offsets": [0, 16]'
LIES = {
    "no table": "[1, 2]",
    "no JSON": "{",
    "deep": "[" * 50_000,
    "name twice": f'{{"a": {{{A}}}, "a": {{{A}}}}}',
    "key twice": f'{{"a": {{{A}, "dtype": "F32"}}}}',
    "no name": f'{{"": {{{A}}}}}',
    "name that cannot be shown": f'{{"a\\n": {{{A}}}}}',
    "name with half a character": f'{{"\\ud800": {{{A}}}}}',
    "name that is long": f'{{"{"a" * 5000}": {{{A}}}}}',
    "entry without a shape": '{"a": {"dtype": "F32", "data_offsets": [0, 16]}}',
    "entry that is a list": '{"a": [1]}',
    "type that is a list": f'{{"a": {{{A.replace(chr(34) + "F32" + chr(34), "[]")}}}}}',
    "unknown type": f'{{"a": {{{A.replace("F32", "F8_E5M2")}}}}}',
    "type of another width": f'{{"a": {{{A.replace("F32", "F16")}}}}}',
    "negative": f'{{"a": {{{A.replace("[4]", "[-4]")}}}}}',
    "two negatives": f'{{"a": {{{A.replace("[4]", "[-2, -2]")}}}}}',
    "true": f'{{"a": {{{A.replace("[4]", "[4, true]")}}}}}',
    "fraction": f'{{"a": {{{A.replace("[4]", "[4.0]")}}}}}',
    "huge": f'{{"a": {{{A.replace("[4]", f"[{2**63}]")}}}}}',
    "huge and empty": f'{{"a": {{{A.replace("[4]", f"[0, {2**63}]").replace("16]", "0]")}}}}}',
    "many dimensions": f'{{"a": {{{A.replace("[4]", "[4" + ", 1" * 99 + "]")}}}}}',
    "backwards": f'{{"a": {{{A.replace("[0, 16]", "[16, 0]")}}}}}',
    "behind the end": f'{{"a": {{{A.replace("[0, 16]", "[16, 32]")}}}}}',
    "overlap": f'{{"a": {{{A}}}, "b": {{{A}}}}}',
    "nothing": "{}",
}


@pytest.mark.parametrize("lie", LIES)
def test_safetensors_headers_that_lie(tmp_path: Path, lie: str) -> None:
    text = LIES[lie].encode()
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    tracemalloc.start()
    try:
        with pytest.raises(EngineFault) as caught:
            index_checkpoint(tmp_path, DTYPES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20
    assert caught.value.error.kind in (ErrorKind.MODEL_BROKEN, ErrorKind.MODEL_UNSUPPORTED)
    assert str(file) in caught.value.error.detail
    caught.value.error.detail.encode()


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_lengths_that_lie(tmp_path: Path, length: int) -> None:
    save_file({"a": torch.ones(4)}, tmp_path / "model.safetensors")
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(length.to_bytes(8, "little") + data[8:])
    with pytest.raises(EngineFault):
        index_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.update(weight_map={"a": ["model.safetensors"]}),
        lambda index: index.update(weight_map={"a": "a\x00b"}),
        lambda index: index.update(weight_map={"a": ".."}),
        lambda index: index.update(weight_map={"a": "/etc/passwd"}),
        lambda index: index.update(weight_map=3),
    ],
)
def test_indexes_that_lie(tmp_path: Path, change: Callable[[dict], object]) -> None:
    save_file({"a": torch.ones(4)}, tmp_path / "model.safetensors")
    index = {"weight_map": {"a": "model.safetensors"}}
    change(index)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(EngineFault):
        index_checkpoint(tmp_path)
