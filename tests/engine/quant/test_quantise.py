"""What quantising costs, against round-to-nearest, HQQ and optimum-quanto; and what it needs."""

from __future__ import annotations

import gc
import math
import weakref

import pytest
import torch
from torch import Tensor

import engine.quant.quantise
from engine.messages import EngineFault, ErrorKind
from engine.quant.layouts import bits_per_weight, total_bytes
from engine.quant.quantise import quantise_int4, quantise_int8
from engine.quant.tensors import dequantise, parts_of
from tests.engine.quant.allocations import Allocations
from tests.engine.quant.yardsticks import (
    asymmetric,
    half_quadratic,
    output_error,
    symmetric,
    with_outliers,
)

OUTLIERS = [(10, 10), (20, 20), (30, 30), (100, 100), (10, 100)]


def int4(weight: Tensor, **options: object) -> Tensor:
    return dequantise(quantise_int4(weight, name="w", **options))


def int8(weight: Tensor) -> Tensor:
    return dequantise(quantise_int8(weight, name="w"))


def absmax(weight: Tensor) -> Tensor:
    scale = weight.abs().amax(dim=-1, keepdim=True) / 127
    return (weight / scale).round() * scale


@pytest.mark.parametrize(("low", "high"), OUTLIERS)
@pytest.mark.parametrize("inputs", [704, 2816])
def test_int4_with_outlier_channels(low: float, high: float, inputs: int) -> None:
    weight = with_outliers(48, inputs, low=low, high=high)
    found = output_error(weight, int4(weight))
    nearest = min(output_error(weight, symmetric(weight)), output_error(weight, asymmetric(weight)))
    assert found <= 0.85 * nearest
    assert found <= output_error(weight, half_quadratic(weight))


@pytest.mark.parametrize("shared_input", [False, True])
def test_int4_experts(shared_input: bool) -> None:
    weight = with_outliers(3, 40, 256, low=10, high=100)
    if not shared_input:  # each expert has outliers of its own
        weight = torch.stack([with_outliers(40, 256, low=10, high=100, seed=s) for s in range(3)])
    found = output_error(weight, int4(weight, shared_input=shared_input))
    assert found <= 0.5 * output_error(weight, asymmetric(weight))
    assert found <= 0.5 * output_error(weight, half_quadratic(weight))


@pytest.mark.parametrize("draw", [torch.distributions.Normal, torch.distributions.Laplace])
@pytest.mark.parametrize("group_size", [32, 64])
def test_int4_without_outliers(draw: type, group_size: int) -> None:
    torch.manual_seed(4)
    weight = draw(0.0, 0.02).sample((64, 704))
    found = output_error(weight, int4(weight, group_size=group_size))
    assert found < 0.93 * output_error(weight, asymmetric(weight, group_size))
    assert found < 0.85 * output_error(weight, symmetric(weight, group_size))
    assert found <= output_error(weight, half_quadratic(weight, group_size))


@pytest.mark.parametrize(("low", "high"), OUTLIERS)
def test_int8_with_outlier_channels(low: float, high: float) -> None:
    weight = with_outliers(48, 1408, low=low, high=high)
    assert output_error(weight, int8(weight)) <= 0.5 * output_error(weight, absmax(weight))


def test_starting_points_are_quantos() -> None:
    quanto = pytest.importorskip("optimum.quanto")
    torch.manual_seed(5)
    even = torch.randn(32, 704) * 0.02
    weight = with_outliers(32, 704, low=10, high=100)
    for w in (even, weight):
        scale, shift = quanto.MaxOptimizer()(w, quanto.qint4, 0, 64)
        groups = w.view(-1, 64)
        theirs = ((groups + shift) / scale).round().clamp(0, 15) * scale - shift
        torch.testing.assert_close(theirs.view_as(w), asymmetric(w))
        assert output_error(w, int4(w)) < output_error(w, theirs.view_as(w))
    # Where the channels are alike, eight bits are exactly theirs.
    found = quantise_int8(even, name="w")
    scale = quanto.AbsmaxOptimizer()(even, quanto.qint8, 0)
    theirs = quanto.quantize_weight(even, quanto.qint8, 0, scale, optimized=False)
    assert not found.exponents.any()
    assert torch.equal(found.scale, scale[:, 0])
    assert torch.equal(found.codes, theirs._data)


@pytest.mark.parametrize("group_size", [32, 64])
def test_weights_on_a_grid_stay_as_they_are(group_size: int) -> None:
    generator = torch.Generator().manual_seed(6)
    groups = 192 // group_size
    codes = torch.randint(16, (96, groups, group_size), generator=generator)
    # Every group reaches both ends of its grid, at any two places.
    ends = torch.rand(codes.shape, generator=generator).topk(2).indices
    codes.scatter_(2, ends, torch.tensor([0, 15]).expand_as(ends))
    scale = 2.0 ** torch.randint(-7, -5, (96, groups, 1), generator=generator)
    weight = (scale * (codes - 7.25)).flatten(-2)
    found = quantise_int4(weight, name="w", group_size=group_size)
    assert not found.exponents.any()
    assert torch.equal(dequantise(found), weight)


@pytest.mark.parametrize("power", [-90, -20, 20, 90])
def test_the_size_of_the_weights_does_not_matter(power: int) -> None:
    weight = with_outliers(8, 192, low=10, high=100)
    one, other = (quantise_int4(w, name="w") for w in (weight, weight * 2.0**power))
    assert torch.equal(one.codes, other.codes)
    assert torch.equal(one.scale.double() * 2.0**power, other.scale.double())


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 63), (2, 65), (2, 3, 100), (1, 1, 64)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("group_size", [32, 64])
def test_any_shape_and_dtype(shape: tuple[int, ...], dtype: torch.dtype, group_size: int) -> None:
    torch.manual_seed(math.prod(shape))
    weight = torch.randn(shape).to(dtype)
    found = dequantise(quantise_int4(weight, name="w", group_size=group_size), torch.float64)
    assert found.shape == weight.shape
    assert (found - weight).norm() <= 0.12 * weight.double().norm()
    eight = dequantise(quantise_int8(weight, name="w"), torch.float64)
    assert (eight - weight).norm() <= 0.012 * weight.double().norm()


def test_empty_and_lonely_weights() -> None:
    weight = torch.zeros(4, 128)
    assert not int4(weight).any()
    assert not int8(weight).any()
    weight[1, 70] = -3.0
    weight[2, 5] = 1e-30
    for found in (int4(weight), int8(weight)):
        torch.testing.assert_close(found, weight, rtol=0.005, atol=0)


@pytest.mark.parametrize("quantise", [quantise_int4, quantise_int8])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_values_that_are_no_numbers_are_refused(quantise, bad: float) -> None:
    weight = torch.randn(2, 70, 64)
    weight[1, 69, 63] = bad
    with pytest.raises(EngineFault, match=r"layers\.3\.mlp") as caught:
        quantise(weight, name="layers.3.mlp")
    assert caught.value.error.kind is ErrorKind.MODEL_BROKEN


@pytest.mark.parametrize("quantise", [quantise_int4, quantise_int8])
def test_slices_change_nothing(quantise, monkeypatch: pytest.MonkeyPatch) -> None:
    weight = with_outliers(3, 50, 192, low=10, high=100)
    before = weight.clone()
    whole = quantise(weight, name="w")
    monkeypatch.setitem(engine.quant.quantise._SLICE, "cpu", 192 * 7)
    sliced = quantise(weight, name="w")
    assert torch.equal(weight, before)
    assert torch.equal(whole.exponents, sliced.exponents)
    # Sums over more or fewer columns at once may round differently, which can tip a tie.
    apart = output_error(dequantise(whole), dequantise(sliced))
    assert apart < 0.1 * output_error(weight, dequantise(whole))


@pytest.mark.parametrize("quantise", [quantise_int4, quantise_int8])
def test_only_the_quantised_parts_stay(quantise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine.quant.quantise._SLICE, "cpu", 256 * 8)
    weight = torch.randn(4, 96, 256, dtype=torch.bfloat16)
    memory, gone = weight.untyped_storage().data_ptr(), weakref.ref(weight)
    with Allocations() as made:
        tensor = quantise(weight, name="w")
    slice_bytes = 4 * 256 * 8  # in float32
    assert 0 < made.largest_beside(*parts_of(tensor).values()) <= slice_bytes
    del weight, made
    gc.collect()
    assert gone() is None
    parts = parts_of(tensor).values()
    assert all(part.untyped_storage().data_ptr() != memory for part in parts)
    assert sum(part.untyped_storage().nbytes() for part in parts) == total_bytes(tensor.layout)
    assert bits_per_weight(tensor.layout) <= {quantise_int4: 4.6, quantise_int8: 8.5}[quantise]
