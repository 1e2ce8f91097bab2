"""Grouped products with int4 weights against float64, for rows of 8, 16 and 32 bits."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.activations import HALF, Form, Rows, plain_rows, values
from engine.kernels.experts import (
    gated_product,
    gated_product_plain,
    product,
    product_plain,
)
from engine.kernels.routing import schedule, whole
from engine.quant.matmul import grouped_linear
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int4Tensor
from tests.engine.kernels.checks import same, stand_for
from tests.engine.kernels.weights import int4

CPU = torch.device("cpu")
FORMS = {"int8": Form(), "int8-32": Form(group=32), "half": HALF}


def rows_for(weight: Int4Tensor, count: int, form: Form, dtype: torch.dtype) -> Rows:
    """Random rows in a form, without the exponents: a product is the same whoever put them in."""
    x = torch.randn(count, weight.shape[-1], generator=torch.Generator().manual_seed(9))
    return plain_rows(x, form, dtype)


def exact(rows: Rows, weight: Int4Tensor, experts: Tensor) -> Tensor:
    """The product in float64."""
    x, even = values(rows).double()[:, : weight.shape[-1]], weight.even(torch.float64)
    return torch.stack([even[e] @ row for e, row in zip(experts.tolist(), x, strict=True)])


@pytest.mark.parametrize("group", [32, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
@pytest.mark.parametrize(("rows", "outputs", "inputs"), [(1, 130, 64), (7, 20, 704), (67, 64, 176)])
def test_product(group: int, dtype: torch.dtype, rows: int, outputs: int, inputs: int) -> None:
    weight = int4(3, outputs, inputs, group=group)
    form = Form(group=group) if dtype == torch.int8 else HALF
    x = rows_for(weight, rows, form, dtype)
    experts = torch.arange(rows, dtype=torch.int32)[:, None] % 2 * 2  # the second one has no rows
    made = schedule(experts, 3, 32)
    found = product(x, weight, made, torch.float32)
    same(found, exact(x, weight, experts.flatten()))
    same(
        product_plain(x, weight, experts.flatten(), torch.float32),
        exact(x, weight, experts.flatten()),
    )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize(("tokens", "width", "owner"), [(1, 64, None), (7, 192, None), (49, 80, 2)])
def test_gated_product(form: Form, tokens: int, width: int, owner: int | None) -> None:
    weight, behind = int4(4, 2 * width, 128), int4(width, width, seed=1).exponents
    exponents = torch.stack([behind, behind.flip(0), 0 * behind, 3 - behind])
    x = rows_for(weight, tokens, Form(), torch.float32)
    experts = torch.rand(tokens, 4, generator=torch.Generator().manual_seed(2)).topk(2).indices
    if owner is not None:
        experts = torch.full((tokens, 1), owner)
    experts, top_k = experts.to(torch.int32), experts.shape[1]
    made = schedule(experts, 4, 32)
    found = gated_product(x, weight, made, top_k, exponents, form, torch.float32)
    wanted = gated_product_plain(x, weight, experts, exponents, form, torch.float32)
    sums = exact(
        plain_rows(values(x).repeat_interleave(top_k, 0), HALF, torch.float32),
        weight,
        experts.flatten(),
    )
    gate, up = sums.chunk(2, dim=1)
    inner = F.gelu(gate, approximate="tanh") * up
    inner *= powers_of_two(exponents)[experts.flatten().long()]
    stand_for(found, inner, form)
    stand_for(wanted, inner, form)


def test_a_weight_without_experts() -> None:
    weight = int4(70, 192)
    x = rows_for(weight, 21, Form(), torch.float32)
    found = product(x, weight, whole(21, 32, CPU), torch.float32)
    same(found, values(x).double() @ weight.even(torch.float64).T)


def test_it_is_the_plain_path_where_rows_keep_their_bits() -> None:
    """With exponents in the rows, as the layer's `grouped_linear` has it."""
    weight, owners = int4(3, 40, 192), torch.tensor([0] * 5 + [2] * 4, dtype=torch.int32)
    x = torch.randn(9, 192, generator=torch.Generator().manual_seed(1))
    wanted = grouped_linear(x, weight, torch.tensor([5, 5, 9], dtype=torch.int32))
    rows = plain_rows(x * powers_of_two(weight.exponents), HALF, torch.float32)
    made = schedule(owners[:, None], 3, 32)
    same(product(rows, weight, made, torch.float32), wanted.double())


def test_scales_in_float16() -> None:
    weight = int4(1, 16, 64, scale_dtype="float16")
    x = rows_for(weight, 3, Form(), torch.float32)
    found = product(x, weight, whole(3, 32, CPU), torch.float32)
    same(found, exact(x, weight, torch.zeros(3, dtype=torch.int32)))


def test_rows_for_another_weight_are_refused() -> None:
    weight = int4(1, 16, 128, group=32)
    x = rows_for(weight, 3, Form(group=64), torch.float32)
    with pytest.raises(ValueError, match="quantised for another weight"):
        product(x, weight, whole(3, 32, CPU), torch.float32)
    with pytest.raises(ValueError, match="too small"):
        product(x, weight, whole(3, 16, CPU), torch.float32)
    with pytest.raises(ValueError, match="128 columns"):
        product(torch.zeros(3, 100), weight, whole(3, 32, CPU), torch.float32)
