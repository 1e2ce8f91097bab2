"""Weights with outliers, and other ways to quantise them. All in float32."""

from __future__ import annotations

import torch
from torch import Tensor


def with_outliers(*shape: int, low: float, high: float, seed: int = 0) -> Tensor:
    """Normal weights [.., N, K]; one input channel in 64 is `low` to `high` times as large."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=generator) * 0.02
    channels = torch.randperm(shape[-1], generator=generator)[: -(-shape[-1] // 64)]
    factor = low + (high - low) * torch.rand(len(channels), generator=generator)
    weight[..., channels] *= factor
    return weight


def output_error(weight: Tensor, found: Tensor, seed: int = 1) -> float:
    """‖x·(w - found)ᵀ‖ / ‖x·wᵀ‖ for normal inputs, over all matrices [.., N, K]."""
    x = torch.randn(512, weight.shape[-1], generator=torch.Generator().manual_seed(seed))
    return float((x @ (weight - found).mT).norm() / (x @ weight.mT).norm())


def symmetric(weight: Tensor, group_size: int = 64) -> Tensor:
    """Round to nearest, 15 levels around zero that reach the largest weight of each group."""
    groups = weight.unflatten(-1, (-1, group_size))
    scale = groups.abs().amax(dim=-1, keepdim=True) / 7
    return ((groups / scale).round() * scale).flatten(-2)


def asymmetric(weight: Tensor, group_size: int = 64) -> Tensor:
    """Round to nearest, 16 levels from the smallest to the largest weight of each group."""
    groups = weight.unflatten(-1, (-1, group_size))
    low, high = groups.amin(dim=-1, keepdim=True), groups.amax(dim=-1, keepdim=True)
    scale = (high - low) / 15
    return (((groups - low) / scale).round() * scale + low).flatten(-2)


def half_quadratic(weight: Tensor, group_size: int = 64) -> Tensor:
    """HQQ: the zero of each group by half-quadratic splitting of an l_0.7 norm, scale from the span.

    Badri and Shaji, "Half-Quadratic Quantization of Large Machine Learning Models", 2023, with the
    published constants. The zero is a float here, as HQQ keeps it.
    """
    groups = weight.unflatten(-1, (-1, group_size))
    low, high = groups.amin(dim=-1, keepdim=True), groups.amax(dim=-1, keepdim=True)
    scale = (high - low) / 15
    zero, beta, least, best = -low / scale, 10.0, float("inf"), groups
    for _ in range(20):
        codes = (groups / scale + zero).round().clamp(0, 15)
        found = (codes - zero) * scale
        error = float((groups - found).abs().mean())
        if error >= least:
            break
        least, best = error, found
        gap = groups - found
        shrunk = gap.sign() * (gap.abs() - gap.abs().clamp_min(1e-12) ** (0.7 - 1) / beta).relu()
        zero = (codes - (groups - shrunk) / scale).mean(dim=-1, keepdim=True)
        beta *= 1.01
    return best.flatten(-2)
