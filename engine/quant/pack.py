"""Codes and exponents in bits, in plain torch: the specification that kernels must agree with."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.quant.layouts import BLOCK


def pack(codes: Tensor) -> Tensor:
    """uint8 codes 0..15 [..., N, K], K in whole blocks of 64 -> bytes [..., K / 64, N, 32]."""
    low, high = codes.unflatten(-1, (-1, 2, BLOCK // 2)).unbind(-2)  # each [..., N, K / 64, 32]
    packed: Tensor = low | high << 4
    return packed.transpose(-3, -2).contiguous()


def unpack(packed: Tensor) -> Tensor:
    """Bytes [..., K / 64, N, 32] -> uint8 codes 0..15 [..., N, K]. The inverse of `pack`."""
    halves = torch.stack((packed & 15, packed >> 4), dim=-2)  # [..., K / 64, N, 2, 32]
    return halves.transpose(-4, -3).flatten(-3)


def powers_of_two(exponents: Tensor) -> Tensor:
    """2^exponents in float32 for int8 exponents, exact on every device, unlike exp2 or pow."""
    return ((exponents.int() + 127) << 23).view(torch.float32)
