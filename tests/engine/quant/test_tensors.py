"""What parts stand for, against the formula in float64, and parts that cannot be right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.messages import EngineFault, ErrorKind
from engine.quant.layouts import Int4Layout, Int8Layout, Layout
from engine.quant.pack import pack
from engine.quant.tensors import dequantise, from_parts, parts_of

LAYOUTS = [
    Int4Layout(shape=(6, 128)),
    Int4Layout(shape=(6, 100), group_size=32, scale_dtype="float16"),
    Int4Layout(shape=(3, 5, 70)),
    Int4Layout(shape=(3, 5, 192), group_size=32, shared_input=True),
    Int8Layout(shape=(6, 33)),
    Int8Layout(shape=(3, 5, 64)),
    Int8Layout(shape=(3, 5, 64), shared_input=True),
]


def random_parts(layout: Layout, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    parts = {}
    for name, part in layout.parts.items():
        if name == "scale":
            values = torch.rand(part.shape, generator=generator) * 0.02 + 1e-4
        else:
            low, high = {"exponents": (-8, 9), "zero": (0, 241)}.get(name, (-128, 256))
            low = max(low, 0 if part.dtype == "uint8" else -128)
            high = min(high, 128 if part.dtype == "int8" else 256)
            values = torch.randint(low, high, part.shape, generator=generator)
        parts[name] = values.to(getattr(torch, part.dtype))
    return parts


def by_the_formula(layout: Layout, parts: dict[str, Tensor]) -> np.ndarray:
    """One weight after the other, from bytes and Python numbers."""
    out = np.empty(layout.shape)
    for place in np.ndindex(*layout.shape):
        *expert, n, k = place
        exponent = parts["exponents"][(k,) if layout.shared_input else (*expert, k)].item()
        if isinstance(layout, Int8Layout):
            steps = parts["codes"][place].item()
            scale = parts["scale"][(*expert, n)].item()
        else:
            byte = parts["codes"][(*expert, k // 64, n, k % 32)].item()
            code = byte % 16 if k % 64 < 32 else byte // 16
            steps = code - parts["zero"][(*expert, k // layout.group_size, n)].item() / 16
            scale = parts["scale"][(*expert, k // layout.group_size, n)].item()
        out[place] = 2.0**exponent * scale * steps
    return out


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_are_those_of_the_formula(layout: Layout) -> None:
    parts = random_parts(layout)
    expected = torch.from_numpy(by_the_formula(layout, parts))
    found = dequantise(from_parts(layout, parts, "w"))
    if isinstance(layout, Int4Layout):
        assert torch.equal(found.double(), expected)
    else:
        assert torch.equal(found, expected.float())
    assert torch.equal(dequantise(from_parts(layout, parts, "w"), torch.bfloat16), found.bfloat16())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_experts_and_rows_are_pieces_of_the_whole(layout: Layout) -> None:
    tensor = from_parts(layout, random_parts(layout), "w")
    whole = dequantise(tensor)
    matrices = [(tensor, whole)]
    if len(layout.shape) == 3:
        matrices = [(tensor.experts(e), whole[e]) for e in range(layout.shape[0])]
        assert tensor.experts(1).codes.data_ptr() == tensor.codes[1].data_ptr()
    ids = torch.tensor([4, 0, 4, 1])
    for matrix, plain in matrices:
        assert torch.equal(dequantise(matrix.rows(slice(1, 4))), plain[1:4])
        assert torch.equal(dequantise(matrix.rows(ids)), plain[ids])


def test_parts_are_used_as_they_are() -> None:
    parts = random_parts(LAYOUTS[2])
    found = parts_of(from_parts(LAYOUTS[2], parts, "w"))
    assert found.keys() == parts.keys()
    assert all(found[name] is parts[name] for name in parts)


def test_symmetric_groups_of_32_are_exact() -> None:
    """The form of published four-bit checkpoints: scale · (code - 8) with 16-bit scales."""
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(16, (8, 192), generator=generator, dtype=torch.uint8)
    scale = torch.rand(8, 6, generator=generator).half()
    layout = Int4Layout(shape=(8, 192), group_size=32, scale_dtype="float16")
    parts = {
        "codes": pack(codes),
        "scale": scale.T.contiguous(),
        "zero": torch.full((6, 8), 8 * 16, dtype=torch.uint8),
        "exponents": torch.zeros(192, dtype=torch.int8),
    }
    expected = (codes.float() - 8) * scale.float().repeat_interleave(32, dim=1)
    assert torch.equal(dequantise(from_parts(layout, parts, "w")), expected)


def _without_zero(parts: dict[str, Tensor]) -> None:
    del parts["zero"]


def _with_another(parts: dict[str, Tensor]) -> None:
    parts["shift"] = parts["zero"]


def _of_another_shape(parts: dict[str, Tensor]) -> None:
    parts["codes"] = parts["codes"][..., :31]


def _of_another_dtype(parts: dict[str, Tensor]) -> None:
    parts["scale"] = parts["scale"].float()


def _with_nan(parts: dict[str, Tensor]) -> None:
    parts["scale"][1, 2, 0] = torch.nan


def _with_infinity(parts: dict[str, Tensor]) -> None:
    parts["scale"][2, 0, 3] = -torch.inf


def _beyond_the_range(parts: dict[str, Tensor]) -> None:
    parts["exponents"][0, 5] = -128


@pytest.mark.parametrize(
    "damage",
    [
        _without_zero, _with_another, _of_another_shape, _of_another_dtype, _with_nan,
        _with_infinity, _beyond_the_range,
    ],
)  # fmt: skip
def test_wrong_parts_are_refused_by_name(damage) -> None:
    layout = Int4Layout(shape=(3, 5, 192))
    parts = random_parts(layout)
    from_parts(layout, parts, "layers.7.experts")
    damage(parts)
    with pytest.raises(EngineFault, match=r"layers\.7\.experts") as caught:
        from_parts(layout, parts, "layers.7.experts")
    assert caught.value.error.kind is ErrorKind.MODEL_BROKEN
