"""Products with quantised weights against float64, and against whole numbers as kernels use them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import engine.quant.matmul
from engine.quant.layouts import Int4Layout
from engine.quant.matmul import grouped_linear, linear
from engine.quant.quantise import quantise_int4, quantise_int8
from engine.quant.tensors import QuantisedTensor, dequantise
from tests.engine.quant.allocations import Allocations
from tests.engine.quant.yardsticks import with_outliers


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 9, 192, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("quantise", [quantise_int4, quantise_int8])
@pytest.mark.parametrize("slice_weights", [1, 192 * 10, 1 << 22])
def test_linear(quantise, slice_weights: int, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.quant.matmul, "_SLICE", slice_weights)
    weight: QuantisedTensor = quantise(with_outliers(37, 192, low=10, high=100), name="w")
    found = linear(x, weight)
    expected = x.double() @ dequantise(weight, torch.float64).T
    assert found.shape == (2, 9, 37)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)
    assert linear(x.bfloat16(), weight).dtype == torch.bfloat16


@pytest.mark.parametrize("quantise", [quantise_int4, quantise_int8])
@pytest.mark.parametrize("shared_input", [False, True])
@pytest.mark.parametrize("ends", [[4, 4, 11, 18], [0, 0, 0, 18], [18, 18, 18, 18]])
def test_grouped_linear(quantise, shared_input: bool, ends: list[int], x: Tensor) -> None:
    plain = with_outliers(4, 20, 192, low=10, high=100)
    weight: QuantisedTensor = quantise(plain, name="w", shared_input=shared_input)
    rows, values = x.flatten(0, 1), dequantise(weight, torch.float64)
    found = grouped_linear(rows, weight, torch.tensor(ends, dtype=torch.int32))
    for row, result in enumerate(found):
        expert = next(e for e, end in enumerate(ends) if row < end)
        expected = values[expert] @ rows[row].double()
        torch.testing.assert_close(result.double(), expected, rtol=1e-5, atol=1e-4)


def test_no_plain_copy_of_the_weights_exists(x: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.quant.matmul, "_SLICE", 192 * 8)
    weight = quantise_int4(with_outliers(2, 400, 192, low=1, high=1), name="w")
    with Allocations() as made:
        out = grouped_linear(x[0, :2], weight, torch.tensor([1, 2]))
    assert 0 < made.largest_beside(out) <= 4 * 192 * 8


def test_whole_numbers_and_one_factor_a_group() -> None:
    """The product as a kernel computes it: int8 halves of a block, and the zero by a sum of inputs."""
    weight = quantise_int4(with_outliers(24, 192, low=10, high=100), name="w")
    assert isinstance(weight.layout, Int4Layout)
    a = torch.randint(-127, 128, (5, 192), generator=torch.Generator().manual_seed(1)).int()
    found = torch.zeros(5, 24, dtype=torch.float64)
    for block in range(3):
        inputs = a[:, 64 * block : 64 * block + 64]
        low, high = weight.codes[block] & 15, weight.codes[block] >> 4  # [24, 32]
        product = inputs[:, :32] @ low.int().T + inputs[:, 32:] @ high.int().T
        whole = 16 * product - inputs.sum(dim=1, keepdim=True) * weight.zero[block].int()
        found += whole.double() * weight.scale[block].double() / 16
    even = dequantise(weight, torch.float64) / 2.0 ** weight.exponents.double()
    torch.testing.assert_close(found, a.double() @ even.T, rtol=1e-12, atol=1e-12)
