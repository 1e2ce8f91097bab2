"""Norms, residuals and the quantising of activations: every row is read once and written once.

A layer takes three passes over its rows: `quantise` behind the attention, `add_norm` between
attention and feed-forward, and `finish` behind that, which norms for the next layer, too. `norm` is
for the first layer. All is float32 between load and store; only the residual is rounded, as it is
kept. A factor is float32 [D]: the norm's weight times 2^exponents of the weight that reads the rows
(`factor_for`), so that exponents cost nothing.
Shape letters: R rows, D hidden size, P as in `activations`, k experts a token. One program is one row.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels.activations import (
    HALF,
    Form,
    Rows,
    empty_rows,
    plain_rows,
    pointers,
    store_blocks,
)
from engine.kernels.portable import cdiv, check_order, constant, jit, power_of_two, tl
from engine.quant.layouts import BLOCK
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Matrix

_WARPS = 4
_BLOCK = constant(BLOCK)


@dataclass(frozen=True, kw_only=True, eq=False)
class Reader:
    """What reads normed rows: its factor (float32 [D]), and the form it wants them in."""

    factor: Tensor
    form: Form = HALF


@dataclass(frozen=True, kw_only=True, eq=False)
class Between:
    """What stands between the attention of a layer and its feed-forward."""

    residual: Tensor  # [R, D], the layer's input and its attention added
    dense: Rows  # [R, P], for the dense MLP
    sparse: Rows  # [R, P], for the experts
    router: Tensor  # [R, P], for the router


def factor_for(reader: Matrix, weight: Tensor | None = None) -> Tensor:
    """A norm's weight [D], or ones, times 2^exponents of the weight that reads its rows.

    Raises ValueError where each expert has exponents of its own: rows serve all of them.
    """
    if isinstance(reader, Tensor):
        powers = torch.ones(reader.shape[-1], device=reader.device)
    elif reader.exponents.ndim == 1:
        powers = powers_of_two(reader.exponents)
    else:
        raise ValueError(f"the experts of a weight {reader.shape} do not share their exponents")
    return powers if weight is None else weight.float() * powers


def norm(x: Tensor, reader: Reader, eps: float) -> Rows:
    """x · (mean(x²) + eps)^-½ · factor of x [R, D] as rows [R, P]."""
    return _rows(x, reader, eps, has_norm=True)


def norm_plain(x: Tensor, reader: Reader, eps: float) -> Rows:
    """`norm` in plain torch."""
    return plain_rows(_normed(x.float(), reader.factor, eps), reader.form, x.dtype)


def quantise(x: Tensor, reader: Reader) -> Rows:
    """x · factor of x [R, D] as rows [R, P]."""
    return _rows(x, reader, 0.0, has_norm=False)


def quantise_plain(x: Tensor, reader: Reader) -> Rows:
    """`quantise` in plain torch."""
    return plain_rows(x.float() * reader.factor, reader.form, x.dtype)


def add_norm(
    x: Tensor, attended: Tensor, weight: Tensor, eps: float, dense: Reader, sparse: Reader,
    router: Tensor,
) -> Between:  # fmt: skip
    """Adds the normed attention to x, both [R, D], and norms the sum for its three readers.

    weight: of the norm behind the attention, [D]. router: the factor of the router's input,
    float32 [D].
    """
    check_order(x, attended, weight, dense.factor, sparse.factor, router)
    rows, size = x.shape
    out = Between(
        residual=torch.empty_like(x),
        dense=empty_rows(dense.form, rows, size, x.dtype, x.device),
        sparse=empty_rows(sparse.form, rows, size, x.dtype, x.device),
        router=x.new_empty((rows, cdiv(size, BLOCK) * BLOCK)),
    )
    _add_norm[(rows,)](
        x, attended, weight, dense.factor, sparse.factor, router, out.residual,
        *pointers(out.dense), *pointers(out.sparse), out.router, eps, size, cdiv(size, BLOCK),
        DENSE=dense.form.code, DENSE_WHOLE=dense.form.whole,
        SPARSE=sparse.form.code, SPARSE_WHOLE=sparse.form.whole,
        BLOCKS=_tile(size), num_warps=_WARPS,
    )  # fmt: skip
    return out


def add_norm_plain(
    x: Tensor, attended: Tensor, weight: Tensor, eps: float, dense: Reader, sparse: Reader,
    router: Tensor,
) -> Between:  # fmt: skip
    """`add_norm` in plain torch."""
    residual = (x.float() + _normed(attended.float(), weight.float(), eps)).to(x.dtype)
    return Between(
        residual=residual,
        dense=norm_plain(residual, dense, eps),
        sparse=norm_plain(residual, sparse, eps),
        router=_padded(_normed(residual.float(), router, eps)).to(x.dtype),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class FinishWeights:
    """The norms behind the feed-forward, [D] each, and the layer's scalar: [1], or [R] by row."""

    dense: Tensor
    sparse: Tensor
    both: Tensor
    scalar: Tensor


def finish(
    x: Tensor, dense: Tensor, pairs: Tensor, share: Tensor, weights: FinishWeights, eps: float,
    reader: Reader,
) -> tuple[Tensor, Rows]:  # fmt: skip
    """The layer's output [R, D], and its rows for the next reader.

    x [R, D]: the residual; dense [R, D]: of the dense MLP; pairs [R k, D]: of each token's experts,
    in their order; share: float32 [R, k].
    """
    check_order(x, dense, pairs, share, reader.factor)
    rows, size = x.shape
    out, following = torch.empty_like(x), empty_rows(reader.form, rows, size, x.dtype, x.device)
    _finish[(rows,)](
        x, dense, pairs, share, weights.dense, weights.sparse, weights.both, weights.scalar,
        int(weights.scalar.shape[0] > 1), reader.factor, out, *pointers(following), eps, size,
        cdiv(size, BLOCK),
        TOP_K=share.shape[1], FORM=reader.form.code, WHOLE=reader.form.whole,
        BLOCKS=_tile(size), num_warps=_WARPS,
    )  # fmt: skip
    return out, following


def finish_plain(
    x: Tensor, dense: Tensor, pairs: Tensor, share: Tensor, weights: FinishWeights, eps: float,
    reader: Reader,
) -> tuple[Tensor, Rows]:  # fmt: skip
    """`finish` in plain torch."""
    sparse = (pairs.float().view(*share.shape, -1) * share[..., None]).sum(dim=1)
    mixed = _normed(dense.float(), weights.dense.float(), eps)
    mixed = mixed + _normed(sparse, weights.sparse.float(), eps)
    mixed = _normed(mixed, weights.both.float(), eps)
    out = ((x.float() + mixed) * weights.scalar.float()[:, None]).to(x.dtype)
    return out, norm_plain(out, reader, eps)


def _padded(x: Tensor) -> Tensor:
    return F.pad(x, (0, -x.shape[1] % BLOCK))


def _normed(x: Tensor, factor: Tensor, eps: float) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], factor, eps)


def _rows(x: Tensor, reader: Reader, eps: float, *, has_norm: bool) -> Rows:
    check_order(x, reader.factor)
    rows, size = x.shape
    out = empty_rows(reader.form, rows, size, x.dtype, x.device)
    _norm[(rows,)](
        x, reader.factor, *pointers(out), eps, size, cdiv(size, BLOCK), HAS_NORM=has_norm,
        FORM=reader.form.code, WHOLE=reader.form.whole, BLOCKS=_tile(size), num_warps=_WARPS,
    )  # fmt: skip
    return out


def _tile(size: int) -> int:
    """Blocks of the tile that holds a row."""
    return power_of_two(cdiv(size, BLOCK))


@jit
def _rstd(y, D, eps):
    """(mean(y²) + eps)^-½ of a row as blocks."""
    return 1.0 / tl.sqrt(tl.sum(tl.sum(y * y, axis=1), axis=0) / D + eps)


@jit
def _load(x, column, D):
    """Values below D as float32, zeros behind."""
    return tl.load(x + column, mask=column < D, other=0.0).to(tl.float32)


@jit
def _emit(
    y, row, count, codes, scale, sums, FORM: tl.constexpr, WHOLE: tl.constexpr, BLOCKS: tl.constexpr
):
    """Writes a row y (float32 [BLOCKS, 64]), of which `count` blocks are real."""
    block = tl.arange(0, BLOCKS)
    if WHOLE:
        scale = scale + row
    store_blocks(y, row * count + block, block < count, codes, scale, sums, FORM, WHOLE)


@jit
def _norm(
    x, factor, codes, scale, sums, eps, D, count,
    HAS_NORM: tl.constexpr, FORM: tl.constexpr, WHOLE: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    column = tl.arange(0, BLOCKS)[:, None] * _BLOCK + tl.arange(0, _BLOCK)[None, :]
    y = _load(x + row * D, column, D)
    if HAS_NORM:
        y *= _rstd(y, D, eps)
    _emit(y * _load(factor, column, D), row, count, codes, scale, sums, FORM, WHOLE, BLOCKS)


@jit
def _add_norm(
    x, attended, weight, dense_factor, sparse_factor, router_factor, residual,
    dense, dense_scale, dense_sums, sparse, sparse_scale, sparse_sums, router, eps, D, count,
    DENSE: tl.constexpr, DENSE_WHOLE: tl.constexpr, SPARSE: tl.constexpr,
    SPARSE_WHOLE: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    column = tl.arange(0, BLOCKS)[:, None] * _BLOCK + tl.arange(0, _BLOCK)[None, :]
    y = _load(attended + row * D, column, D)
    y = _load(x + row * D, column, D) + y * _rstd(y, D, eps) * _load(weight, column, D)
    kept = y.to(residual.dtype.element_ty)
    tl.store(residual + row * D + column, kept, mask=column < D)
    y = kept.to(tl.float32)
    y *= _rstd(y, D, eps)
    for_dense = y * _load(dense_factor, column, D)
    _emit(for_dense, row, count, dense, dense_scale, dense_sums, DENSE, DENSE_WHOLE, BLOCKS)
    for_sparse = y * _load(sparse_factor, column, D)
    _emit(for_sparse, row, count, sparse, sparse_scale, sparse_sums, SPARSE, SPARSE_WHOLE, BLOCKS)
    _emit(y * _load(router_factor, column, D), row, count, router, router, router, 0, False, BLOCKS)


@jit
def _finish(
    x, dense, pairs, share, dense_weight, sparse_weight, both_weight, scalar, each, factor, out,
    codes, scale, sums, eps, D, count,
    TOP_K: tl.constexpr, FORM: tl.constexpr, WHOLE: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    column = tl.arange(0, BLOCKS)[:, None] * _BLOCK + tl.arange(0, _BLOCK)[None, :]
    y = tl.zeros((BLOCKS, _BLOCK), tl.float32)
    for slot in tl.static_range(TOP_K):
        pair = row * TOP_K + slot
        y += tl.load(share + pair) * _load(pairs + pair * D, column, D)
    y *= _rstd(y, D, eps) * _load(sparse_weight, column, D)
    mlp = _load(dense + row * D, column, D)
    y += mlp * _rstd(mlp, D, eps) * _load(dense_weight, column, D)
    y *= _rstd(y, D, eps) * _load(both_weight, column, D)
    y = (y + _load(x + row * D, column, D)) * tl.load(scalar + row * each).to(tl.float32)
    kept = y.to(out.dtype.element_ty)
    tl.store(out + row * D + column, kept, mask=column < D)
    y = kept.to(tl.float32)
    y *= _rstd(y, D, eps) * _load(factor, column, D)
    _emit(y, row, count, codes, scale, sums, FORM, WHOLE, BLOCKS)
