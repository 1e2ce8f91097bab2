"""Sizes by arithmetic against tensors that were really made."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from engine.messages import EngineFault, ErrorKind
from engine.quant.layouts import Int4Layout, Int8Layout, Layout, bits_per_weight, total_bytes
from engine.quant.tensors import empty_parts

LAYOUTS = [
    Int4Layout(shape=(128, 64)),
    Int4Layout(shape=(3, 17, 65), group_size=32),
    Int4Layout(shape=(3, 17, 704), shared_input=True, scale_dtype="float16"),
    Int4Layout(shape=(1, 1)),
    Int8Layout(shape=(5, 7)),
    Int8Layout(shape=(4, 9, 130)),
    Int8Layout(shape=(4, 9, 130), shared_input=True),
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bytes_are_those_of_the_tensors(layout: Layout) -> None:
    parts = empty_parts(layout, torch.device("cpu"))
    assert total_bytes(layout) == sum(part.nbytes for part in parts.values())
    assert bits_per_weight(layout) == 8 * total_bytes(layout) / math.prod(layout.shape)


def test_the_experts_of_the_real_model() -> None:
    gate_up = Int4Layout(shape=(128, 1408, 2816), shared_input=True)
    down = Int4Layout(shape=(128, 2816, 704))
    # Half a byte a weight, three bytes a group of 64, one a channel.
    assert total_bytes(gate_up) == 128 * 1408 * (2816 // 2 + 3 * 44) + 2816
    assert total_bytes(down) == 128 * 2816 * (704 // 2 + 3 * 11) + 128 * 704
    assert bits_per_weight(gate_up) < 4.4
    assert bits_per_weight(down) < 4.4


def test_no_torch_is_needed() -> None:
    code = "import sys, engine.quant.layouts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: Int4Layout(shape=(64, 64), group_size=128),
        lambda: Int4Layout(shape=(64, 64), scale_dtype="float32"),
        lambda: Int4Layout(shape=(64,)),
        lambda: Int4Layout(shape=(0, 64)),
        lambda: Int8Layout(shape=(2, 2, 2, 2)),
    ],
)
def test_what_has_no_layout_is_refused(make) -> None:
    with pytest.raises(EngineFault) as caught:
        make()
    assert caught.value.error.kind is ErrorKind.MODEL_UNSUPPORTED
