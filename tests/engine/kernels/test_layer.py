"""All kernels of a layer behind its attention, one after the other, against the network's own layer."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from engine.kernels.activations import HALF, Form
from engine.model.layer import finish_layer
from engine.quant.quantise import quantise_int4
from tests.engine.kernels.layer import EPS, Sizes, finish_by_kernels, random_layer

SIZES = Sizes(hidden=192, dense=160, experts=8, width=80, top_k=2)


@pytest.mark.parametrize(("form", "group"), [("int8", 64), ("int8", 32), ("half", 64)])
def test_a_layer(form: str, group: int) -> None:
    weights = random_layer(SIZES, make=partial(quantise_int4, group_size=group))
    assert weights.down.exponents.any()
    assert weights.experts_down.exponents.any()
    generator = torch.Generator().manual_seed(1)
    x, attended = torch.randn(2, 11, 192, generator=generator)
    scalar = weights.decoder_scalar
    wanted = finish_layer(weights, x[None], attended[None], scalar, SIZES.top_k, EPS)[0]
    rows = Form(group=group) if form == "int8" else HALF
    found = finish_by_kernels(weights, x, attended, scalar, SIZES.top_k, rows)
    if form == "half":  # the same sums in another order
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
        return
    assert torch.cosine_similarity(found, wanted, dim=1).min() >= 0.999
    # Of what the layer adds alone, as its input would hide an error.
    both = torch.stack([found, wanted]) / scalar - x
    assert torch.cosine_similarity(*both, dim=1).min() >= 0.999
