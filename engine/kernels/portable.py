"""Triton where there is one: the only file that imports it.

The kernels take `jit`, `constant`, `dot` and `tl` from here, so that every module of the engine can be
imported on a machine without Triton; there the decorator leaves a function as it is and `tl` is None,
and nobody may launch it. Triton is imported where a GPU wants it or an interpreter was asked for
(TRITON_INTERPRET=1, which must be set before anything imports Triton), never for the CPU path.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.kernels.compiler import has_compiler, needs_none, stand_in

_DRIVER = "triton.backends.nvidia.driver"
_OLDEST_CAPABILITY = (8, 0)  # int8 and bfloat16 tensor cores


def _import() -> tuple[Any, Any, str]:
    """triton, triton.language, and why there are none."""
    if os.environ.get("TRITON_INTERPRET") != "1" and not torch.cuda.is_available():
        return None, None, "there is no GPU"
    try:
        found = importlib.import_module("triton"), importlib.import_module("triton.language"), ""
        stand_in(importlib.import_module(_DRIVER))
        return found
    except (ImportError, OSError, RuntimeError) as error:  # missing, or broken by a half update
        return None, None, f"Triton cannot be imported ({error})"


triton, tl, _missing = _import()
INTERPRETED: bool = triton is not None and bool(triton.knobs.runtime.interpret)


def why_not(device: torch.device) -> str | None:
    """Why kernels cannot run on tensors of a device, in plain words; None where they can."""
    if triton is None:
        return _missing
    if INTERPRETED:
        return _interpreter_fault()
    if device.type != "cuda":
        return "there is no GPU"
    if torch.cuda.get_device_capability(device) < _OLDEST_CAPABILITY:
        return "this GPU is too old for them"
    return None


def lacks_compiler() -> bool:
    """Whether Triton wants a C compiler here and has none. On Windows it brings its own."""
    if triton is None or os.name == "nt" or has_compiler():
        return False
    return not needs_none(importlib.import_module(_DRIVER))


def capability(x: Tensor) -> int:
    """The compute capability of the device of x as one number, 89 for 8.9; 0 where it is no GPU."""
    if x.device.type != "cuda":
        return 0
    major, minor = torch.cuda.get_device_capability(x.device)
    return 10 * major + minor


def _interpreter_fault() -> str | None:
    version = tuple(int(part) for part in triton.__version__.split(".")[:2])
    numpy = tuple(int(part) for part in np.__version__.split(".")[:2])
    if version < (3, 7) and numpy >= (2, 4):
        return f"the interpreter of Triton {triton.__version__} crashes with numpy {np.__version__}"
    return None


def jit(function: Any) -> Any:
    """`triton.jit`, or the function itself without Triton."""
    return function if triton is None else triton.jit(function)


def constant(value: Any) -> Any:
    """A number or truth that kernels may read from their module."""
    return value if triton is None else tl.constexpr(value)


def check_order(*tensors: torch.Tensor) -> None:
    """Raises ValueError unless all are contiguous: kernels read memory, not strides."""
    if not all(tensor.is_contiguous() for tensor in tensors):
        raise ValueError("a kernel reads contiguous tensors")


def cdiv(a: int, b: int) -> int:
    """a / b rounded up."""
    return -(-a // b)


def power_of_two(n: int) -> int:
    """The smallest power of two that is not below n >= 1; tiles have such sizes."""
    return 1 << (n - 1).bit_length()


_IS_INTERPRETED = constant(INTERPRETED)


@jit
def nibbles(packed):
    """The low and the high halves of bytes (uint8 of any shape), as int8.

    The compiler takes bytes one by one; by hand it is three instructions for eight halves.
    """
    if _IS_INTERPRETED:
        low = (packed & 15).to(tl.int8)
        high = (packed >> 4).to(tl.int8)
    else:
        low, high = tl.inline_asm_elementwise(
            "{ .reg .b32 t; shr.b32 t, $2, 4; and.b32 $0, $2, 0x0F0F0F0F; and.b32 $1, t, 0x0F0F0F0F; }",
            "=r,=r,r", [packed], dtype=(tl.int8, tl.int8), is_pure=True, pack=4,
        )  # fmt: skip
    return low, high


@jit
def dot(a, b, acc):
    """acc + a · b of tiles [M, K] and [K, N]; acc int32 for int8, else float32, full precision.

    The interpreter multiplies bfloat16 as if its bits were integers, so there it goes by float32.
    """
    if _IS_INTERPRETED and a.dtype == tl.bfloat16:
        a = a.to(tl.float32)
        b = b.to(tl.float32)
    return tl.dot(a, b, acc, input_precision="ieee", out_dtype=acc.dtype)


@jit
def as_float(x, kind):
    """x in the float dtype `kind`; int8 by way of float32, the interpreter's bfloat16 of it is garbage."""
    if x.dtype == tl.int8:
        x = x.to(tl.float32)
    return x.to(kind)
