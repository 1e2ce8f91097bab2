"""Grouped products with int8 weights against float64, for rows of 8, 16 and 32 bits."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.generate import steps
from engine.graph import Graphs
from engine.kernels.activations import HALF, Form, Rows, plain_rows, values
from engine.kernels.experts import gated_product_plain, product_plain
from engine.kernels.experts8 import gated_product, product
from engine.kernels.routing import schedule
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int8Tensor
from tests.engine.kernels.checks import same, stand_for
from tests.engine.kernels.network import config, fused, random_model
from tests.engine.kernels.test_graph import PROMPT, FakeGraphs, agree, exact
from tests.engine.kernels.weights import int8

FORMS = {"int8": Form(), "int8-32": Form(group=32), "half": HALF}


def rows_for(weight: Int8Tensor, count: int, form: Form, dtype: torch.dtype) -> Rows:
    x = torch.randn(count, weight.shape[-1], generator=torch.Generator().manual_seed(9))
    return plain_rows(x, form, dtype)


def product_in_float64(rows: Tensor, weight: Int8Tensor, experts: Tensor) -> Tensor:
    x, even = rows.double()[:, : weight.shape[-1]], weight.even(torch.float64)
    return torch.stack([even[e] @ row for e, row in zip(experts.tolist(), x, strict=True)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
@pytest.mark.parametrize(
    ("rows", "outputs", "inputs"), [(1, 130, 64), (7, 20, 704), (255, 64, 176)]
)
def test_product(dtype: torch.dtype, rows: int, outputs: int, inputs: int) -> None:
    weight = int8(3, outputs, inputs)
    x = rows_for(weight, rows, Form() if dtype == torch.int8 else HALF, dtype)
    experts = torch.arange(rows, dtype=torch.int32)[:, None] % 2 * 2  # the second one has no rows
    found = product(x, weight, schedule(experts, 3, 32), torch.float32)
    wanted = product_in_float64(values(x), weight, experts.flatten())
    same(found, wanted)
    same(product_plain(x, weight, experts.flatten(), torch.float32), wanted)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize(("tokens", "width", "owner"), [(1, 64, None), (7, 192, None), (49, 80, 2)])
def test_gated_product(form: Form, tokens: int, width: int, owner: int | None) -> None:
    """Experts with no rows, and one with all of them."""
    weight, behind = int8(4, 2 * width, 128), int8(1, width, width).exponents
    exponents = torch.stack([behind, behind.flip(0), 0 * behind, 3 - behind])
    x = rows_for(weight, tokens, Form(), torch.float32)
    experts = torch.rand(tokens, 4, generator=torch.Generator().manual_seed(2)).topk(2).indices
    if owner is not None:
        experts = torch.full((tokens, 1), owner)
    experts, top_k = experts.to(torch.int32), experts.shape[1]
    made = schedule(experts, 4, 32)
    found = gated_product(x, weight, made, top_k, exponents, form, torch.float32)
    rows = values(x).repeat_interleave(top_k, 0)
    gate, up = product_in_float64(rows, weight, experts.flatten()).chunk(2, dim=1)
    inner = F.gelu(gate, approximate="tanh") * up
    inner *= powers_of_two(exponents)[experts.flatten().long()]
    stand_for(found, inner, form)
    wanted = gated_product_plain(x, weight, experts, exponents, form, torch.float32)
    stand_for(wanted, inner, form)


def test_rows_of_another_form_are_refused() -> None:
    weight = int8(2, 20, 128)
    made = schedule(torch.zeros(3, 1, dtype=torch.int32), 2, 32)
    for x in (
        rows_for(weight, 3, Form(whole=True), torch.float32),
        rows_for(weight, 3, HALF, torch.float32)[:, :64],
    ):
        with pytest.raises(ValueError, match="rows"):
            product(x, weight, made, torch.float32)


def test_a_step_with_such_experts_is_captured_and_the_plain_one() -> None:
    model, fake = random_model(config(True), "int8"), FakeGraphs()
    options = {
        "max_new_tokens": 5, "seed": 3, "noise": "counter", "pins": torch.full((5,), -1),
        "sampling": {"entropy_bound": 3.0, "max_denoising_steps": 3, "stop_ids": ()},
    }  # fmt: skip
    own = fused(model, ("vocabulary", "experts"), bits=16)
    found = steps(own, PROMPT, graphs=exact(fake.capture), **options)
    assert agree(found, steps(model, PROMPT, graphs=Graphs(), **options)) == 3
    # The first step reads the prompt, too, and the second one compiles: neither is a graph.
    assert (fake.captured, fake.replayed) == (1, 1)
