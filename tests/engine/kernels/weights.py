"""Random weights in our layouts: any code, scale, zero and exponents, also such as no search finds."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.quant.layouts import Int4Layout, Int8Layout
from engine.quant.tensors import Int4Tensor, Int8Tensor


def int4(
    *shape: int, group: int = 64, seed: int = 0, scale_dtype: str = "bfloat16", device: str = "cpu"
) -> Int4Tensor:
    """A weight [N, K], or [E, N, K] whose experts share their exponents."""
    generator = torch.Generator(device).manual_seed(seed)
    layout = Int4Layout(shape=shape, group_size=group, scale_dtype=scale_dtype, shared_input=True)
    parts = layout.parts

    def bytes_of(name: str) -> Tensor:
        return torch.randint(
            256, parts[name].shape, generator=generator, dtype=torch.uint8, device=device
        )

    scale = torch.rand(parts["scale"].shape, generator=generator, device=device) * 0.02 + 0.001
    return Int4Tensor(
        layout=layout,
        codes=bytes_of("codes"),
        scale=scale.to(getattr(torch, scale_dtype)),
        zero=bytes_of("zero"),
        exponents=_exponents(parts["exponents"].shape, generator),
    )


def int8(*shape: int, seed: int = 0, device: str = "cpu") -> Int8Tensor:
    """A weight [N, K], or [E, N, K] whose experts share their exponents."""
    generator = torch.Generator(device).manual_seed(seed)
    return Int8Tensor(
        layout=Int8Layout(shape=shape, shared_input=len(shape) == 3),
        codes=torch.randint(-127, 128, shape, generator=generator, dtype=torch.int8, device=device),
        scale=torch.rand(shape[:-1], generator=generator, device=device) * 0.002 + 1e-4,
        exponents=_exponents(shape[-1:], generator),
    )


def _exponents(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Most are zero, as those that a search finds."""
    device = generator.device
    raised = torch.rand(shape, generator=generator, device=device) < 0.1
    drawn = torch.randint(-8, 9, shape, generator=generator, dtype=torch.int8, device=device)
    return torch.where(raised, drawn, torch.zeros_like(drawn))
