"""Quantised tensors: the parts of a layout as torch tensors, checked, and what they stand for.

A value is computed in float32 and rounded once to the dtype asked for; for int4 every step before
that is exact. Shape letters: E experts, N outputs, K inputs, P inputs filled up to whole blocks, G groups of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from engine.messages import EngineFault, ErrorKind
from engine.quant.layouts import MAX_EXPONENT, ZERO_STEPS, Int4Layout, Int8Layout, Layout
from engine.quant.pack import powers_of_two, unpack


@dataclass(frozen=True, kw_only=True, eq=False)
class Int4Tensor:
    layout: Int4Layout
    codes: Tensor  # uint8 [(E,) P / 64, N, 32], see engine.quant.layouts
    scale: Tensor  # bfloat16 or float16 [(E,) G, N]
    zero: Tensor  # uint8 [(E,) G, N], sixteenths of a step
    exponents: Tensor  # int8 [(E,) K]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    def rows(self, index: slice | Tensor) -> Int4Tensor:
        """The outputs `index`, a slice or int64 [R], of a matrix or of each expert's."""
        codes, scale, zero = (
            self.codes[..., index, :],
            self.scale[..., index],
            self.zero[..., index],
        )
        return replace(self._shaped(scale), codes=codes, scale=scale, zero=zero)

    def experts(self, index: int | slice) -> Int4Tensor:
        """One matrix of [E, N, K], or some of them, sharing their memory."""
        codes, scale, zero = self.codes[index], self.scale[index], self.zero[index]
        exponents = self.exponents if self.layout.shared_input else self.exponents[index]
        return replace(
            self._shaped(scale), codes=codes, scale=scale, zero=zero, exponents=exponents
        )

    def even(self, dtype: torch.dtype) -> Tensor:
        """The weights without their exponents as plain numbers, [(E,) N, K]."""
        groups = unpack(self.codes).unflatten(-1, (-1, self.layout.group_size))
        zero = (self.zero / ZERO_STEPS).transpose(-1, -2)[..., None]
        steps = (groups - zero).mul_(self.scale.float().transpose(-1, -2)[..., None])
        values: Tensor = steps.flatten(-2)[..., : self.shape[-1]]
        return values.to(dtype)

    def _shaped(self, scale: Tensor) -> Int4Tensor:
        return replace(self, layout=_layout_of(self.layout, scale.shape[:-2], scale.shape[-1]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Int8Tensor:
    layout: Int8Layout
    codes: Tensor  # int8 [(E,) N, K]
    scale: Tensor  # float32 [(E,) N]
    exponents: Tensor  # int8 [(E,) K]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    def rows(self, index: slice | Tensor) -> Int8Tensor:
        """The outputs `index`, a slice or int64 [R], of a matrix or of each expert's."""
        codes, scale = self.codes[..., index, :], self.scale[..., index]
        return replace(self._shaped(scale), codes=codes, scale=scale)

    def experts(self, index: int | slice) -> Int8Tensor:
        """One matrix of [E, N, K], or some of them, sharing their memory."""
        codes, scale = self.codes[index], self.scale[index]
        exponents = self.exponents if self.layout.shared_input else self.exponents[index]
        return replace(self._shaped(scale), codes=codes, scale=scale, exponents=exponents)

    def even(self, dtype: torch.dtype) -> Tensor:
        """The weights without their exponents as plain numbers, [(E,) N, K]."""
        return self.codes.float().mul_(self.scale[..., None]).to(dtype)

    def _shaped(self, scale: Tensor) -> Int8Tensor:
        return replace(self, layout=_layout_of(self.layout, scale.shape[:-1], scale.shape[-1]))


QuantisedTensor = Int4Tensor | Int8Tensor
Matrix = Tensor | QuantisedTensor
L = TypeVar("L", Int4Layout, Int8Layout)


def _layout_of(layout: L, experts: Sequence[int], outputs: int) -> L:
    """The layout of some experts or outputs of a tensor. No experts: a single matrix."""
    shape = (*experts, outputs, layout.shape[-1])
    return replace(layout, shape=shape, shared_input=layout.shared_input and bool(experts))


def parts_of(tensor: QuantisedTensor) -> dict[str, Tensor]:
    """The stored tensors by name, as `Layout.parts` lists them."""
    return {name: getattr(tensor, name) for name in tensor.layout.parts}


def empty_parts(layout: Layout, device: torch.device) -> dict[str, Tensor]:
    """Memory for the parts of a quantised tensor, not yet filled."""
    return {
        name: torch.empty(part.shape, dtype=getattr(torch, part.dtype), device=device)
        for name, part in layout.parts.items()
    }


def from_parts(layout: Layout, parts: Mapping[str, Tensor], name: str) -> QuantisedTensor:
    """A quantised tensor from parts that were read. They are used as they are, not copied.

    name: of the tensor, for people. Raises EngineFault when a part is missing, left over, of another
    shape or dtype, or when a scale is NaN or infinite or an exponent too large.
    """
    expected = layout.parts
    if parts.keys() != expected.keys():
        raise _broken(name, f"it has the parts {sorted(parts)} instead of {sorted(expected)}")
    for key, part in expected.items():
        found = parts[key]
        if tuple(found.shape) != part.shape or found.dtype != getattr(torch, part.dtype):
            raise _broken(
                name,
                f"its {key} are {found.dtype} {tuple(found.shape)}"
                f" instead of {part.dtype} {part.shape}",
            )
    if not torch.isfinite(parts["scale"]).all():
        raise _broken(name, "a scale is no number")
    if (parts["exponents"].int().abs() > MAX_EXPONENT).any():
        raise _broken(name, f"an exponent is beyond {MAX_EXPONENT}")
    if isinstance(layout, Int4Layout):
        return Int4Tensor(layout=layout, **parts)
    return Int8Tensor(layout=layout, **parts)


def dequantise(tensor: QuantisedTensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """The whole tensor as plain numbers, in the weight's shape; expert by expert, to save memory."""
    if len(tensor.shape) == 2:
        return (tensor.even(torch.float32) * powers_of_two(tensor.exponents)).to(dtype)
    out = torch.empty(tensor.shape, dtype=dtype, device=tensor.codes.device)
    for index, matrix in enumerate(out):
        matrix.copy_(dequantise(tensor.experts(index), dtype))
    return out


def _broken(name: str, why: str) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_BROKEN,
        f"The model is damaged: {name} cannot be used, {why}.",
        "Prepare or download the model again.",
    )
