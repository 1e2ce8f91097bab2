"""Products with int8 weights against float64, for rows of 8, 16 and 32 bits."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import engine.kernels.dense
from engine.kernels.activations import HALF, Form, Rows, plain_rows, values
from engine.kernels.dense import (
    gated_product,
    gated_product_plain,
    product,
    product_plain,
)
from engine.kernels.tiles import Tile
from engine.quant.matmul import linear
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int8Tensor
from tests.engine.kernels.checks import same, stand_for
from tests.engine.kernels.weights import int8

KINDS = {
    "int8": (Form(), torch.float32),
    "whole": (Form(whole=True), torch.float32),
    "float32": (HALF, torch.float32),
    "bfloat16": (HALF, torch.bfloat16),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS.keys())
def kind(request: pytest.FixtureRequest) -> tuple[Form, torch.dtype]:
    return request.param


def draw(rows: int, inputs: int) -> Tensor:
    return torch.randn(rows, inputs, generator=torch.Generator().manual_seed(9))


def exact(rows: Rows, weight: Int8Tensor) -> Tensor:
    return values(rows).double()[:, : weight.shape[1]] @ weight.even(torch.float64).T


@pytest.mark.parametrize(
    ("rows", "outputs", "inputs"), [(1, 64, 64), (7, 70, 704), (255, 20, 128), (3, 130, 100)]
)
def test_product(kind, rows: int, outputs: int, inputs: int) -> None:
    weight = int8(outputs, inputs)
    x = plain_rows(draw(rows, inputs), *kind)
    found = product(x, weight, torch.float32)
    same(found, exact(x, weight))
    same(product_plain(x, weight, torch.float32), exact(x, weight))


@pytest.mark.parametrize("form", [Form(), Form(group=32), HALF], ids=str)
@pytest.mark.parametrize(("rows", "width", "inputs"), [(1, 64, 64), (21, 100, 200)])
def test_gated_product(kind, form: Form, rows: int, width: int, inputs: int) -> None:
    weight, exponents = int8(2 * width, inputs), int8(4, width, seed=1).exponents
    x = plain_rows(draw(rows, inputs), *kind)
    gate, up = exact(x, weight).chunk(2, dim=1)
    inner = F.gelu(gate, approximate="tanh") * up * powers_of_two(exponents)
    given = (x, weight, exponents, form, torch.float32)
    stand_for(gated_product(*given), inner, form)
    stand_for(gated_product_plain(*given), inner, form)


def test_it_is_the_plain_path_where_rows_keep_their_bits() -> None:
    weight, x = int8(40, 192), draw(5, 192)
    rows = plain_rows(x * powers_of_two(weight.exponents), HALF, torch.float32)
    same(product(rows, weight, torch.float32), linear(x, weight).double())


def test_what_does_not_fit_is_refused() -> None:
    weight = int8(64, 100)
    with pytest.raises(ValueError, match="do not fit"):
        product(torch.zeros(3, 100), weight, torch.float32)
    x = plain_rows(torch.zeros(3, 100), Form(), torch.float32)
    with pytest.raises(ValueError, match="whole row"):
        gated_product(x, weight, weight.exponents[:32], Form(whole=True), torch.float32)


@pytest.mark.parametrize(("high", "wide"), [(16, 128), (128, 64), (128, 128)])
def test_the_size_of_a_tile_changes_nothing(
    kind, high: int, wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tile = Tile(rows=high, outputs=wide, warps=4, stages=2)
    monkeypatch.setattr(engine.kernels.dense, "dense_tile", lambda *_: tile)
    weight = int8(140, 100)
    x = plain_rows(draw(140, 100), *kind)
    same(product(x, weight, torch.float32), exact(x, weight))
