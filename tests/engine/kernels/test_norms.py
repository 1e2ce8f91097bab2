"""Norms that quantise, against plain torch and against the layer of the network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.kernels.activations import HALF, Form, Int8Rows, Rows, values
from engine.kernels.norms import (
    FinishWeights,
    Reader,
    add_norm,
    add_norm_plain,
    factor_for,
    finish,
    finish_plain,
    norm,
    norm_plain,
    quantise,
    quantise_plain,
)
from engine.quant.quantise import quantise_int8

EPS = 1e-6
FORMS = [HALF, Form(), Form(group=32), Form(whole=True)]


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(7)
    return lambda *shape: torch.randn(*shape, generator=generator)


def assert_same(found: Rows, wanted: Rows, dtype: torch.dtype) -> None:
    """Equal up to the order of float32 sums, and to codes that a hair's breadth rounds otherwise."""
    if isinstance(wanted, Tensor):
        tolerance = {"rtol": 1.6e-2, "atol": 1e-6} if dtype == torch.bfloat16 else {}
        torch.testing.assert_close(found, wanted, **tolerance)
        return
    assert isinstance(found, Int8Rows)
    torch.testing.assert_close(found.scale, wanted.scale, rtol=1e-5, atol=0)
    apart = (found.codes.int() - wanted.codes.int()).abs()
    assert apart.max() <= 1
    assert apart.sum() <= 1 + apart.numel() // 1000
    group = found.codes.shape[1] // found.sums.shape[1]
    assert torch.equal(found.codes.int().unflatten(1, (-1, group)).sum(-1), found.sums.int())
    assert found.sums.shape == wanted.sums.shape


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(("rows", "size"), [(1, 64), (7, 176), (3, 704)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norm_and_quantise(form: Form, rows: int, size: int, dtype: torch.dtype, draw) -> None:
    x = (draw(rows, size) * 3).to(dtype)
    x[0] = 0  # has no scale
    reader = Reader(factor=draw(size), form=form)
    assert_same(norm(x, reader, EPS), norm_plain(x, reader, EPS), dtype)
    assert_same(quantise(x, reader), quantise_plain(x, reader), dtype)


@pytest.mark.parametrize("form", FORMS[1:], ids=str)
def test_the_error_of_a_code_is_half_a_step_at_most(form: Form, draw) -> None:
    x = draw(40, 192) * 10 ** draw(40, 1)
    rows = quantise(x, Reader(factor=torch.ones(192), form=form))
    assert isinstance(rows, Int8Rows)
    step = rows.scale.repeat_interleave(192 // rows.scale.shape[1], dim=1)
    # A rounding of the quotient itself moves it by 127 · 2^-23 of a step at most.
    assert ((values(rows) - x).abs() <= step * (0.5 + 1e-4)).all()
    assert rows.codes.min() >= -127


def test_a_block_without_size_is_zero(draw) -> None:
    x = draw(2, 128) * 1e-35
    rows = quantise(x, Reader(factor=torch.ones(128), form=Form()))
    assert isinstance(rows, Int8Rows)
    assert not values(rows).any()


def test_a_factor_is_the_norms_weight_with_the_readers_exponents(draw) -> None:
    wild = draw(24, 192)
    wild[:, 5] *= 50
    reader, weight = quantise_int8(wild, name="w"), draw(192)
    assert reader.exponents.any()
    assert torch.equal(factor_for(reader, weight), weight * 2.0 ** reader.exponents.float())
    assert torch.equal(factor_for(reader), 2.0 ** reader.exponents.float())
    assert torch.equal(factor_for(wild), torch.ones(192))
    with pytest.raises(ValueError, match="share"):
        factor_for(quantise_int8(draw(2, 24, 64), name="w"))


@pytest.mark.parametrize("forms", [(Form(), Form(group=32)), (Form(whole=True), HALF)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_add_norm(forms: tuple[Form, Form], dtype: torch.dtype, draw) -> None:
    x, attended = draw(5, 176).to(dtype), (9 * draw(5, 176)).to(dtype)
    dense, sparse = (Reader(factor=draw(176), form=form) for form in forms)
    given = (x, attended, draw(176).to(dtype), EPS, dense, sparse, draw(176))
    found, wanted = add_norm(*given), add_norm_plain(*given)
    assert_same(found.residual, wanted.residual, dtype)
    # The interpreter cuts bfloat16 off instead of rounding it, so what follows starts from there.
    assert_same(found.dense, norm_plain(found.residual, dense, EPS), dtype)
    assert_same(found.sparse, norm_plain(found.residual, sparse, EPS), dtype)
    router = norm_plain(found.residual, Reader(factor=given[-1]), EPS)
    assert_same(found.router, router, dtype)
    assert router.shape == wanted.router.shape


@pytest.mark.parametrize(("top_k", "scalars"), [(1, [0.7]), (3, [0.7]), (3, [0.7, 1, 0.5, -2])])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_finish(top_k: int, scalars: list[float], dtype: torch.dtype, draw) -> None:
    x, dense, pairs = (draw(rows, 176).to(dtype) for rows in (4, 4, 4 * top_k))
    weights = FinishWeights(
        dense=draw(176).to(dtype), sparse=draw(176).to(dtype), both=draw(176).to(dtype),
        scalar=torch.tensor(scalars, dtype=dtype),
    )  # fmt: skip
    share = torch.rand(4, top_k, generator=torch.Generator().manual_seed(1))
    reader = Reader(factor=draw(176), form=Form())
    found, rows = finish(x, dense, pairs, share, weights, EPS, reader)
    wanted, _ = finish_plain(x, dense, pairs, share, weights, EPS, reader)
    assert_same(found, wanted, dtype)
    plain, _ = finish_plain(
        x, dense, pairs, share, replace(weights, scalar=torch.ones(1)), EPS, reader
    )
    by_row = plain.float() * torch.tensor(scalars)[:, None]
    torch.testing.assert_close(wanted.float(), by_row, rtol=1.6e-2, atol=1e-6)
    assert_same(rows, norm_plain(found, reader, EPS), dtype)


def test_rows_that_lie_otherwise_are_refused(draw) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        norm(draw(64, 3).T, Reader(factor=torch.ones(64)), EPS)
