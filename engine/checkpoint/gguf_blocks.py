"""The block formats of GGUF: bytes of a block in, integers with scales out.

A block holds 32 or 256 neighbours of a row. `d` is its float16 scale; the K formats cut a block
into sub-blocks with small integer scales of their own, which `d` multiplies.
Source: the struct definitions in ggml-common.h of llama.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.checkpoint.source import GroupedIntegers, Grouping, Stored


@dataclass(frozen=True, kw_only=True)
class BlockFormat:
    name: str
    weights: int  # of a block
    size: int  # bytes of a block
    grouping: Grouping | None
    decode: Callable[[Tensor], Stored]  # uint8 [blocks, size] -> [blocks, weights]


_Q8_0 = Grouping(group_size=32, low=-128, high=127)
_Q5_0 = Grouping(group_size=32, low=-16, high=15)
_Q4_K = Grouping(group_size=32, low=0, high=15)
_Q5_K = Grouping(group_size=32, low=0, high=31)
_Q6_K = Grouping(group_size=16, low=-32, high=31)


def _half(raw: Tensor, at: int) -> Tensor:
    """The float16 at byte `at` of each block, float32 [blocks, 1]."""
    return raw[:, at : at + 2].contiguous().view(torch.float16).float()


def _nibbles(packed: Tensor, run: int) -> Tensor:
    """uint8 [blocks, n] -> uint8 [blocks, 2n]: of `run` bytes all low halves, then all high."""
    runs = packed.unflatten(1, (-1, run))
    return torch.stack((runs & 15, runs >> 4), dim=2).flatten(1)


def _signed(values: Tensor, offset: int) -> Tensor:
    return values.view(torch.int8) - offset


def _decode_q8_0(raw: Tensor) -> Stored:
    """d, 32 signed bytes."""
    values = raw[:, 2:].contiguous().view(torch.int8)
    return GroupedIntegers(grouping=_Q8_0, values=values, scales=_half(raw, 0))


def _decode_q5_0(raw: Tensor) -> Stored:
    """d, 32 fifth bits in order, 32 low nibbles."""
    bits = torch.arange(8, dtype=torch.uint8)
    fifth = ((raw[:, 2:6, None] >> bits) & 1).flatten(1)
    values = _signed(_nibbles(raw[:, 6:22], 16) | (fifth << 4), 16)
    return GroupedIntegers(grouping=_Q5_0, values=values, scales=_half(raw, 0))


def _scales_and_minimums(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Of the eight sub-blocks, float32 [blocks, 8] each, from d, dmin and 12 bytes of six bits.

    The first four scales and minimums lie in the low six bits of bytes 0-3 and 4-7; of the last
    four, the low nibbles lie in bytes 8-11 and the upper two bits on top of bytes 0-3 and 4-7.
    """
    scale, minimum, mixed = raw[:, 4:8], raw[:, 8:12], raw[:, 12:16]
    scales = torch.cat((scale & 63, (mixed & 15) | ((scale >> 2) & 48)), dim=1)
    minimums = torch.cat((minimum & 63, (mixed >> 4) | ((minimum >> 2) & 48)), dim=1)
    return _half(raw, 0) * scales, _half(raw, 2) * minimums


def _decode_q4_k(raw: Tensor) -> Stored:
    """d, dmin, scales and minimums, 256 nibbles."""
    scales, minimums = _scales_and_minimums(raw)
    values = _nibbles(raw[:, 16:144], 32).view(torch.int8)
    return GroupedIntegers(grouping=_Q4_K, values=values, scales=scales, minimums=minimums)


def _decode_q5_k(raw: Tensor) -> Stored:
    """As Q4_K; bit i of fifth-bit byte j belongs to weight j of sub-block i."""
    scales, minimums = _scales_and_minimums(raw)
    bits = torch.arange(8, dtype=torch.uint8)[:, None]
    fifth = ((raw[:, None, 16:48] >> bits) & 1).flatten(1)
    values = (_nibbles(raw[:, 48:176], 32) | (fifth << 4)).view(torch.int8)
    return GroupedIntegers(grouping=_Q5_K, values=values, scales=scales, minimums=minimums)


def _decode_q6_k(raw: Tensor) -> Stored:
    """256 low nibbles, 256 upper pairs of bits, 16 signed scales, d."""
    pairs = torch.arange(0, 8, 2, dtype=torch.uint8)[:, None]
    upper = ((raw[:, 128:192].unflatten(1, (2, 1, 32)) >> pairs) & 3).flatten(1)
    values = _signed(_nibbles(raw[:, :128], 64) | (upper << 4), 32)
    scales = _half(raw, 208) * raw[:, 192:208].contiguous().view(torch.int8)
    return GroupedIntegers(grouping=_Q6_K, values=values, scales=scales)


def _floats(name: str, dtype: torch.dtype) -> BlockFormat:
    return BlockFormat(
        name=name,
        weights=1,
        size=dtype.itemsize,
        grouping=None,
        decode=lambda raw: raw.view(dtype).float(),
    )


def _blocks(
    name: str, weights: int, size: int, grouping: Grouping, decode: Callable[[Tensor], Stored]
) -> BlockFormat:
    return BlockFormat(name=name, weights=weights, size=size, grouping=grouping, decode=decode)


FORMATS = {  # by ggml's number of the type
    0: _floats("F32", torch.float32),
    1: _floats("F16", torch.float16),
    6: _blocks("Q5_0", 32, 22, _Q5_0, _decode_q5_0),
    8: _blocks("Q8_0", 32, 34, _Q8_0, _decode_q8_0),
    12: _blocks("Q4_K", 256, 144, _Q4_K, _decode_q4_k),
    13: _blocks("Q5_K", 256, 176, _Q5_K, _decode_q5_k),
    14: _blocks("Q6_K", 256, 210, _Q6_K, _decode_q6_k),
    30: _floats("BF16", torch.bfloat16),
}
