"""Quantised tensors: the parts of a layout as torch tensors, checked, and what they stand for.

A value is computed in float32 and rounded once to the dtype asked for; for int4 every step before
that is exact. Shape letters: E experts, N outputs, K inputs, P inputs filled up to whole blocks, G groups of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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

    def expert(self, index: int) -> Int4Tensor:
        """One matrix [N, K] of [E, N, K], sharing its memory."""
        return Int4Tensor(
            layout=replace(self.layout, shape=self.layout.shape[1:], shared_input=False),
            codes=self.codes[index],
            scale=self.scale[index],
            zero=self.zero[index],
            exponents=self.exponents if self.layout.shared_input else self.exponents[index],
        )

    def rows(self, index: slice | Tensor, dtype: torch.dtype) -> Tensor:
        """The rows `index` of a matrix, a slice or int64 [R], as plain numbers [R, K]."""
        groups = unpack(self.codes[:, index]).unflatten(-1, (-1, self.layout.group_size))
        steps = groups.float() - self.zero[:, index].float().T[..., None] / ZERO_STEPS
        padded = (steps * self.scale[:, index].float().T[..., None]).flatten(-2)
        values: Tensor = padded[:, : self.layout.shape[-1]] * powers_of_two(self.exponents)
        return values.to(dtype)


@dataclass(frozen=True, kw_only=True, eq=False)
class Int8Tensor:
    layout: Int8Layout
    codes: Tensor  # int8 [(E,) N, K]
    scale: Tensor  # float32 [(E,) N]
    exponents: Tensor  # int8 [(E,) K]

    def expert(self, index: int) -> Int8Tensor:
        """One matrix [N, K] of [E, N, K], sharing its memory."""
        return Int8Tensor(
            layout=replace(self.layout, shape=self.layout.shape[1:], shared_input=False),
            codes=self.codes[index],
            scale=self.scale[index],
            exponents=self.exponents if self.layout.shared_input else self.exponents[index],
        )

    def rows(self, index: slice | Tensor, dtype: torch.dtype) -> Tensor:
        """The rows `index` of a matrix, a slice or int64 [R], as plain numbers [R, K]."""
        steps = self.codes[index].float() * self.scale[index, None]
        return (steps * powers_of_two(self.exponents)).to(dtype)


QuantisedTensor = Int4Tensor | Int8Tensor


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
    """The whole tensor as plain numbers, in the weight's shape."""
    if len(tensor.layout.shape) == 2:
        return tensor.rows(slice(None), dtype)
    out = torch.empty(tensor.layout.shape, dtype=dtype, device=tensor.codes.device)
    for index, matrix in enumerate(out):
        matrix.copy_(tensor.expert(index).rows(slice(None), dtype))
    return out


def _broken(name: str, why: str) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_BROKEN,
        f"The model is damaged: {name} cannot be used, {why}.",
        "Prepare or download the model again.",
    )
