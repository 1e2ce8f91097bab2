"""How large the tiles of the products are, by compute capability.

A plain table: searching at run time would cost the first seconds of every start, and its timings
would depend on what else the GPU does. The values follow from the bytes that must be in flight and
from registers; no chip has confirmed them yet. `like` is any tensor on the device.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from engine.kernels.portable import capability, cdiv, power_of_two

# Each expert has about 16 rows of a canvas of 256: a block of 32 holds nearly all of them, so that
# weights are unpacked once. A long chunk of a prompt fills larger blocks.
_FEW, _MANY = 32, 64
_MULTIPROCESSORS = 80  # of the smaller GPUs that this is for


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One program's part of a product: rows x outputs, its warps, and loads on their way ahead."""

    rows: int
    outputs: int
    warps: int
    stages: int


def expert_rows(pairs: int, experts: int) -> int:
    """Rows of a block where so many pairs are spread over so many experts."""
    return _MANY if pairs >= 2 * _MANY * experts else _FEW


def gated_tile(like: Tensor, rows: int) -> Tile:
    """Of an int4 gate and up projection: 64 outputs of each, a block of the next weight's inputs."""
    return Tile(rows=rows, outputs=64, warps=4 if rows <= _FEW else 8, stages=_stages(like))


def product_tile(like: Tensor, rows: int) -> Tile:
    """Of an int4 product."""
    return Tile(rows=rows, outputs=128 if rows <= _FEW else 64, warps=4, stages=_stages(like))


def dense_tile(like: Tensor, rows: int, outputs: int) -> Tile:
    """Of an int8 product: as large as still gives every multiprocessor something to do."""
    if rows > 64 and cdiv(rows, 128) * cdiv(outputs, 128) >= _MULTIPROCESSORS:
        return Tile(rows=128, outputs=128, warps=8, stages=3)
    return Tile(
        rows=min(64, max(16, power_of_two(rows))), outputs=64, warps=4, stages=_stages(like)
    )


def expert8_tile(like: Tensor, rows: int) -> Tile:
    """Of an int8 product of experts: 64 outputs take as many bytes as 128 of four bits."""
    return Tile(rows=rows, outputs=64, warps=4, stages=_stages(like))


def _stages(like: Tensor) -> int:
    """More where a multiprocessor must have more bytes in flight, and has the shared memory."""
    return 5 if 90 <= capability(like) < 110 else 4
