"""Scales by error search: what makes a quantised tensor's output closest to the plain one's.

The inputs of a matrix are not known here, so all count alike: the output error is then the sum of
squared weight errors. Shape letters: G groups of g inputs each, R rows (outputs), K inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.quant.layouts import MAX_EXPONENT, ZERO_STEPS

# A channel r times the typical size keeps r^(1/4) of it in the weights. On channels of x10 to x100
# powers near 3/4 had the least error of those from 0.4 to 1, for int4 and for int8.
_MOVED = 0.75
# Starting points of the search: the step as a share of the one that spans the group, and where the
# real zero falls between two levels. With all eight the error is within 2 % of a search over 200.
_SHRINKS = (1.0, 0.92)
_PHASES = (0.0, 0.25, 0.5, 0.75)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The levels of each group: level c is scale · (c - zero / 16)."""

    scale: Tensor  # bfloat16 [G, R]
    zero: Tensor  # uint8 [G, R]

    def nearest(self, groups: Tensor) -> Tensor:
        """The code of the level nearest to each weight; float32 [G, g, R] -> uint8 [G, g, R]."""
        scale, zero = self.scale.float(), self.zero.float() / ZERO_STEPS
        return _round(groups / scale[:, None], zero[:, None]).to(torch.uint8)


def channel_exponents(size: Tensor) -> Tensor:
    """Exponents, int8 [..., K], that even out input channels of mean magnitude `size` [..., K].

    The idea, to scale the inputs instead of the weights, is that of SmoothQuant (arXiv 2211.10438)
    and AWQ (arXiv 2306.00978), here without sample data and with powers of two only.
    """
    typical = size.where(size > 0, torch.nan).nanmedian(dim=-1, keepdim=True).values
    exponents = (_MOVED * (size / typical).log2()).round().clamp(-MAX_EXPONENT, MAX_EXPONENT)
    return exponents.where(size > 0, 0.0).to(torch.int8)


def search_grid(groups: Tensor, importance: Tensor) -> Grid:
    """The grid of 16 levels with the least squared error of each group, among those tried.

    groups: float32 [G, g, R]. importance: float32 [G, g], what a squared error at an input costs.
    Each start rounds the weights to codes, then fits scale and zero to those codes by weighted least
    squares; what counts is the error with both as they are stored.
    """
    low = groups.amin(dim=1, keepdim=True).clamp_max(0)
    span = groups.amax(dim=1, keepdim=True).clamp_min(0) - low
    # In units of the span no square over- or underflows, whatever the size of the weights.
    span = span.where(span > 0, 1.0)
    groups, centre = groups / span, -15 * low / span
    share = importance / importance.sum(dim=1, keepdim=True).clamp_min(1e-30)
    share = share[:, None]  # [G, 1, g]: a product with it is a weighted mean over the group
    mean = share @ groups
    # Memory for every start at once: fresh memory costs a CPU more than the arithmetic.
    codes, centred, product = (torch.empty_like(groups) for _ in range(3))
    best = torch.full_like(span, torch.inf)
    best_scale, best_zero = torch.ones_like(span), torch.zeros_like(span)
    for shrink in _SHRINKS:
        for phase in _PHASES:
            torch.mul(groups, 15 / shrink, out=codes)
            _round(codes, (centre - phase).round() + phase)
            # The line scale · (code - zero) that comes closest to the groups.
            code_mean = share @ codes
            torch.sub(codes, code_mean, out=centred)
            covariance = share @ torch.mul(centred, groups, out=product)
            scale = covariance / (share @ centred.square_())
            # A group of equal codes has no variance and says nothing of the scale.
            scale = scale.where(scale > 0, shrink / 15)
            zero = _stored_zero(code_mean - mean / scale)
            scale = _stored(scale * span).float() / span
            error = share @ codes.sub_(zero).mul_(scale).sub_(groups).square_()
            is_better = error < best
            best = error.where(is_better, best)
            best_scale = scale.where(is_better, best_scale)
            best_zero = zero.where(is_better, best_zero)
    return Grid(
        scale=_stored(best_scale * span)[:, 0],
        zero=(best_zero * ZERO_STEPS)[:, 0].to(torch.uint8),
    )


def absmax_scale(rows: Tensor) -> Tensor:
    """The int8 scale that just reaches each row's largest weight; float32 [R, K] -> [R].

    With 256 levels a search of smaller scales gained nothing on normal weights and about 4 %
    on weights with long tails, once the channels were evened out.
    """
    scale = rows.abs().amax(dim=-1) / 127
    return scale.where(scale > 0, 1.0)


def _round(steps: Tensor, zero: Tensor) -> Tensor:
    """The nearest codes; overwrites `steps`, the weights in units of the scale."""
    return steps.add_(zero).round_().clamp_(0, 15)


def _stored(scale: Tensor) -> Tensor:
    # bfloat16 has the range of the weights; its coarser steps cost nothing, as the codes follow them.
    limits = torch.finfo(torch.bfloat16)
    return scale.clamp(limits.tiny, limits.max).bfloat16()


def _stored_zero(zero: Tensor) -> Tensor:
    return (zero * ZERO_STEPS).round().clamp(0, 15 * ZERO_STEPS) / ZERO_STEPS
