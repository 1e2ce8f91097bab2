"""When results of kernels count as right."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.activations import Form, Int8Rows, Rows, values


def same(found: Tensor, wanted: Tensor) -> None:
    """Up to float32 sums of K products, whose error grows with the sum of magnitudes, and to the
    rounding of the result to its dtype."""
    size = wanted.abs().max().item()
    rtol = 1e-4 if found.dtype == torch.float32 else 2**-7
    torch.testing.assert_close(found.double() / size, wanted.double() / size, rtol=rtol, atol=1e-5)


def stand_for(rows: Rows, wanted: Tensor, form: Form) -> None:
    """rows [R, P] are `wanted` [R, K]: to half a step where quantised; the filling is zero."""
    width = wanted.shape[1]
    assert not values(rows)[:, width:].any()
    if not isinstance(rows, Int8Rows):
        same(rows[:, :width], wanted)
        return
    step = rows.scale.repeat_interleave(64, dim=1)[:, :width]
    bound = 0.501 * step + 1e-4 * wanted.abs() + 1e-5 * wanted.abs().max()
    assert ((values(rows)[:, :width] - wanted).abs() <= bound).all()
    groups = rows.codes.int().unflatten(1, (-1, form.group)).sum(dim=-1)
    assert torch.equal(groups, rows.sums.int())
