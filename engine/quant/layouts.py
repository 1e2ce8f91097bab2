"""The bits of quantised weights: the parts of a tensor, their shapes, dtypes and bytes.

Plain arithmetic without torch, so that the memory plan and the file format share it.
A weight is [N, K], N outputs and K inputs, or [E, N, K] for E experts. What the parts mean:

    int4    w[n, k] = 2^exponents[k] · scale[k // group, n] · (code[n, k] - zero[k // group, n] / 16)
    int8    w[n, k] = 2^exponents[k] · scale[n] · code[n, k]

The exponents move a large input channel's size from the weights to the inputs, so that it does not
ruin the scale of its neighbours: inputs are multiplied by 2^exponents before the product, which is
exact in any float. They are all zero where the channels are alike.

The order of the int4 codes is made for a matrix product on int8 tensor cores. K is cut into blocks
of 64, the last one filled up with zeros. `codes` is [K / 64, N, 32]: byte j of a block holds the
code of input j in its low half and of input j + 32 in its high half. Hence
- the codes of any run of outputs in one block are one contiguous piece of memory, whatever tile
  size a kernel chooses, and so are their scales and zeros [K / group, N];
- one AND, or one shift and one AND, unpack four codes a register into int8, with no interleaving:
  the low halves meet inputs 0..31 of the block, the high halves inputs 32..63, and 32 is the K of
  one int8 tensor-core instruction;
- with groups of 32 the low and the high halves are a group each, with groups of 64 they share one.
Codes are unsigned. The zero leaves the product, as Σ a·(q - z/16) = Σ a·q - z/16 · Σ a, and Σ a
over a group of inputs is known when the inputs are quantised. A zero in sixteenths of a step is
one byte and nearly as good as a float. On normal weights the error with zeros is 13 % below that of
a symmetric search, for an eighth of a bit a weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.messages import EngineFault, ErrorKind

BLOCK = 64  # inputs whose codes lie together
ZERO_STEPS = 16  # units of `zero` in one step of the scale
MAX_EXPONENT = 8
_GROUP_SIZES = (32, 64)
_SCALE_DTYPES = ("bfloat16", "float16")
_ITEM_SIZES = {"uint8": 1, "int8": 1, "bfloat16": 2, "float16": 2, "float32": 4}


def item_size(dtype: str) -> int:
    """Bytes of one number of a dtype, as torch names it."""
    return _ITEM_SIZES[dtype]


@dataclass(frozen=True)
class Part:
    """One stored tensor of a quantised tensor."""

    dtype: str  # as torch names it
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * item_size(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Int4Layout:
    """Four bits a weight, a scale and a zero for each group of inputs.

    shape: of the weight, [N, K] or [E, N, K]. shared_input: all experts read the same inputs and
    share one row of exponents. Raises EngineFault for a shape, group size or dtype without a layout.
    """

    shape: tuple[int, ...]
    group_size: int = 64
    scale_dtype: str = "bfloat16"
    shared_input: bool = False

    def __post_init__(self) -> None:
        _check_shape(self.shape)
        if self.group_size not in _GROUP_SIZES:
            raise _unsupported(f"int4 groups of {self.group_size}")
        if self.scale_dtype not in _SCALE_DTYPES:
            raise _unsupported(f"int4 scales of type {self.scale_dtype}")

    @property
    def padded_inputs(self) -> int:
        """K, filled up to whole blocks."""
        return -(-self.shape[-1] // BLOCK) * BLOCK

    @property
    def parts(self) -> dict[str, Part]:
        *experts, outputs, _ = self.shape
        blocks, groups = self.padded_inputs // BLOCK, self.padded_inputs // self.group_size
        return {
            "codes": Part("uint8", (*experts, blocks, outputs, BLOCK // 2)),
            "scale": Part(self.scale_dtype, (*experts, groups, outputs)),
            "zero": Part("uint8", (*experts, groups, outputs)),
            "exponents": Part("int8", exponents_shape(self)),
        }


@dataclass(frozen=True, kw_only=True)
class Int8Layout:
    """Eight bits a weight, one scale for each output row. Fields as in `Int4Layout`."""

    shape: tuple[int, ...]
    shared_input: bool = False

    def __post_init__(self) -> None:
        _check_shape(self.shape)

    @property
    def parts(self) -> dict[str, Part]:
        return {
            "codes": Part("int8", self.shape),
            "scale": Part("float32", self.shape[:-1]),
            "exponents": Part("int8", exponents_shape(self)),
        }


Layout = Int4Layout | Int8Layout


def exponents_shape(layout: Layout) -> tuple[int, ...]:
    """[K], or [E, K] where each expert has inputs of its own."""
    *experts, _, inputs = layout.shape
    return (inputs,) if layout.shared_input else (*experts, inputs)


def total_bytes(layout: Layout) -> int:
    """Bytes of all parts."""
    return sum(part.nbytes for part in layout.parts.values())


def bits_per_weight(layout: Layout) -> float:
    """Bits of all parts over the weights they stand for; filling counts as cost."""
    return 8 * total_bytes(layout) / math.prod(layout.shape)


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise _unsupported(f"quantised tensors of the shape {shape}")


def _unsupported(what: str) -> EngineFault:
    return EngineFault(
        ErrorKind.MODEL_UNSUPPORTED,
        f"Redraft cannot run this model: it does not support {what}.",
        "Choose another build of the model, or update Redraft.",
    )
