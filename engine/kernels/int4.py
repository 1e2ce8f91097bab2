"""A step of a product with int4 weights: one block of 64 inputs, as `quant.layouts` has them.

The low halves of a block's bytes meet inputs 0..31, the high halves inputs 32..63. The weights are never
scaled: whole numbers go into the dot, and its result is multiplied by the group's scale.

    int8 rows      acc += a_scale · w_scale · (Σ a·q - z/16 · Σ a)     int8 tensor cores
    16-bit rows    acc += w_scale / 16 · Σ a·(16 q - z)                exact in bfloat16, too
"""

from __future__ import annotations

from engine.kernels.portable import constant, dot, jit, nibbles, tl
from engine.quant.layouts import BLOCK, ZERO_STEPS

_BLOCK = constant(BLOCK)
_HALF = constant(BLOCK // 2)
_ZERO_STEPS = constant(float(ZERO_STEPS))


@jit
def inputs(x, scale, sums, row, there, block, blocks, GROUP: tl.constexpr, INT8: tl.constexpr):
    """Both halves of a block of inputs of the rows, their scale, and a sixteenth of both groups' sums."""
    half = tl.arange(0, _HALF)
    at = row * blocks + block
    low = tl.load(x + (at * _BLOCK)[:, None] + half[None, :], mask=there[:, None], other=0)
    high = tl.load(x + (at * _BLOCK + _HALF)[:, None] + half[None, :], mask=there[:, None], other=0)
    factor = tl.zeros(row.shape, tl.float32)
    first = factor
    second = factor
    if INT8:
        factor = tl.load(scale + at, mask=there, other=0.0)
        groups: tl.constexpr = _BLOCK // GROUP
        first = tl.load(sums + at * groups, mask=there, other=0).to(tl.float32)
        second = tl.load(sums + at * groups + groups - 1, mask=there, other=0).to(tl.float32)
        first *= 1.0 / _ZERO_STEPS
        second *= 1.0 / _ZERO_STEPS
    return low, high, factor, first, second


@jit
def _group(scale, zero, group, output, there, N):
    """Scale and zero of a group for some outputs; the zero in sixteenths."""
    scale += group * N
    zero += group * N
    return (
        tl.load(scale + output, mask=there, other=0.0).to(tl.float32),
        tl.load(zero + output, mask=there, other=0).to(tl.float32),
    )


@jit
def accumulate(
    acc, low, high, factor, first, second, codes, scale, zero, output, there, block, N,
    GROUP: tl.constexpr, INT8: tl.constexpr,
):  # fmt: skip
    """acc [rows, outputs] with the product of one block of inputs added."""
    half = tl.arange(0, _HALF)
    codes += block * N * _HALF
    at = (output * _HALF)[:, None] + half[None, :]
    packed = tl.load(codes + at, mask=there[:, None], other=0)
    if GROUP == 64:
        s0, z0 = _group(scale, zero, block, output, there, N)
        s1, z1 = s0, z0
    else:
        s0, z0 = _group(scale, zero, 2 * block, output, there, N)
        s1, z1 = _group(scale, zero, 2 * block + 1, output, there, N)
    if INT8:
        none = tl.zeros(acc.shape, tl.int32)
        q0, q1 = nibbles(packed)
        q0 = tl.trans(q0)
        q1 = tl.trans(q1)
    else:
        none = tl.zeros(acc.shape, tl.float32)
        q0 = (packed & 15).to(tl.float32) * _ZERO_STEPS - z0[:, None]
        q1 = (packed >> 4).to(tl.float32) * _ZERO_STEPS - z1[:, None]
        q0 = tl.trans(q0.to(low.dtype))
        q1 = tl.trans(q1.to(low.dtype))
    part = dot(low, q0, none)
    if GROUP == 64:
        part = dot(high, q1, part).to(tl.float32)
        if INT8:
            part -= first[:, None] * z0[None, :]
        part *= s0[None, :]
    else:
        rest = dot(high, q1, none).to(tl.float32)
        part = part.to(tl.float32)
        if INT8:
            part -= first[:, None] * z0[None, :]
            rest -= second[:, None] * z1[None, :]
        part = part * s0[None, :] + rest * s1[None, :]
    if INT8:
        part *= factor[:, None]
    else:
        part *= 1.0 / _ZERO_STEPS
    return acc + part


@jit
def matrix(codes, scale, zero, expert, blocks, N, GROUP: tl.constexpr):
    """The parts of an expert's matrix."""
    skipped = expert.to(tl.int64) * blocks * N
    groups: tl.constexpr = _BLOCK // GROUP
    return codes + skipped * _HALF, scale + skipped * groups, zero + skipped * groups
