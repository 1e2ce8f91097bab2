"""Random tensors in the sizes of a model, for the trials of kernels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.kernels.activations import Form, Rows, plain_rows
from engine.kernels.kv import LayerCache, quantise
from engine.kernels.norms import Reader
from engine.quant.layouts import Int4Layout, Int8Layout
from engine.quant.tensors import Int4Tensor, Int8Tensor

EXPERTS = 8


@dataclass(frozen=True)
class Draw:
    """Random tensors of a model's sizes on a device."""

    config: ModelConfig
    device: torch.device
    dtype: torch.dtype
    cache_bits: int

    def normal(self, *shape: int) -> Tensor:
        seed = sum(size * 31**axis for axis, size in enumerate(shape))  # no two alike
        generator = torch.Generator(self.device).manual_seed(seed)
        return torch.randn(shape, generator=generator, device=self.device)

    def x(self, *shape: int) -> Tensor:
        return self.normal(*shape).to(self.dtype)

    def factor(self) -> Reader:
        return Reader(factor=1 + 0.1 * self.normal(self.config.hidden_size))

    def rows(self, inputs: int) -> Rows:
        return plain_rows(self.normal(self.config.canvas_length, inputs), Form(), self.dtype)

    def cache(self, heads: int, places: int, size: int) -> LayerCache:
        keys, values = self.x(heads, places, size), self.x(heads, places + 1, size)[:, 1:]
        if self.cache_bits == 16:
            return LayerCache(keys=keys, values=values.contiguous())
        (keys, key_scale), (values, value_scale) = quantise(keys), quantise(values)
        return LayerCache(keys=keys, values=values, key_scale=key_scale, value_scale=value_scale)

    def experts(self, bits: int, *shape: int, shared: bool) -> Int4Tensor | Int8Tensor:
        """EXPERTS matrices of that shape; shared: by all experts, their inputs."""
        make = self.int4 if bits == 4 else self.int8
        return make(EXPERTS, *shape, shared=shared)

    def int8(self, *shape: int, shared: bool = False) -> Int8Tensor:
        layout = Int8Layout(shape=shape, shared_input=shared)
        return Int8Tensor(
            layout=layout,
            codes=(40 * self.normal(*shape)).clamp(-127, 127).to(torch.int8),
            scale=torch.full(shape[:-1], 0.025 / shape[-1] ** 0.5, device=self.device),
            exponents=torch.zeros(
                layout.parts["exponents"].shape, dtype=torch.int8, device=self.device
            ),
        )

    def int4(self, *shape: int, shared: bool) -> Int4Tensor:
        layout = Int4Layout(shape=shape, shared_input=shared)
        parts = layout.parts
        codes = torch.randint(256, parts["codes"].shape, device=self.device, dtype=torch.uint8)
        return Int4Tensor(
            layout=layout,
            codes=codes,
            scale=torch.full(
                parts["scale"].shape, 0.2 / shape[-1] ** 0.5,
                dtype=getattr(torch, parts["scale"].dtype), device=self.device,
            ),
            zero=torch.full(parts["zero"].shape, 120, dtype=torch.uint8, device=self.device),
            exponents=torch.zeros(
                parts["exponents"].shape, dtype=torch.int8, device=self.device
            ),
        )  # fmt: skip
