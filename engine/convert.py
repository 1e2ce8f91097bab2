"""A tensor of a checkpoint becomes one of the network: taken over as it is where that is possible,
quantised where it is not.

It is read a few rows or one expert at a time, so that hardly more than the result is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.checkpoint.source import GroupedIntegers, SourceTensor
from engine.config import ModelConfig
from engine.model.fields import Field, fields
from engine.quant.layouts import ZERO_STEPS, Int4Layout, Int8Layout, Layout
from engine.quant.pack import pack
from engine.quant.quantise import Read, quantise
from engine.quant.scheme import Role, Scheme, Way, layout_of
from engine.quant.tensors import Matrix, empty_parts, from_parts

Sources = Mapping[str, SourceTensor]
Advance = Callable[[int], None]

_PIECE = 1 << 24  # weights read at a time
_SCALE_DTYPES = (("bfloat16", torch.bfloat16), ("float16", torch.float16))
_LOWEST = -8  # the integer that code 0 stands for


@dataclass(frozen=True, kw_only=True)
class Converted:
    matrix: Matrix
    is_exact: bool  # every number is the checkpoint's own


def fit(scheme: Scheme, config: ModelConfig, sources: Sources) -> Scheme:
    """The scheme with the checkpoint's own way for every role that it stores in no more bits.

    What is quantised already is not quantised again, if it can be taken over as it is.
    """
    own: dict[Role, list[Way | None]] = {}
    for field in (field for blob in fields(config).values() for field in blob):
        if scheme.way(field.role) is not None:
            ways = [_own_way(sources[name]) for name, _ in field.sources]
            own.setdefault(field.role, []).extend(ways)
    changes: dict[str, Way] = {}
    for role, ways in own.items():
        shared, wanted = _shared(ways), scheme.way(role)
        if shared is not None and wanted is not None and shared.bits <= wanted.bits:
            changes[role.value] = shared
    return replace(scheme, **changes)


def _shared(ways: list[Way | None]) -> Way | None:
    """The way that holds what all of them hold: that with the smallest groups."""
    known = [way for way in ways if way is not None]
    finest = min(known, key=lambda way: way.group_size, default=None)
    return finest if all(_holds_all(finest, way) for way in ways) else None


def _holds_all(way: Way | None, own: Way | None) -> bool:
    """Whether tensors stored in their own way can be taken over in another."""
    if way is None or own is None:
        return False
    if way.bits == own.bits == 8:
        return True
    is_finer = own.group_size % way.group_size == 0
    return way.bits == own.bits and is_finer and way.scale_dtype == own.scale_dtype


def convert(
    field: Field,
    sources: Sources,
    way: Way | None,
    *,
    plain_dtype: torch.dtype,
    device: torch.device,
    advance: Advance | None = None,
) -> Converted:
    """One field of the network.

    way: None leaves it as plain numbers of `plain_dtype`. advance(bytes) is called with what has
    been read of the checkpoint, in all `SourceTensor.size` of the field's sources; it may raise.
    Raises EngineFault when the checkpoint is damaged.
    """
    pieces = [sources[name] for name, _ in field.sources]
    advance = advance or (lambda _size: None)
    if way is None:
        return _plain(field, pieces, plain_dtype, device, advance)
    layout = layout_of(field.shape, way, shared_input=field.shared_input)
    if all(_holds_all(way, _own_way(piece)) for piece in pieces):
        return _take_over(field, pieces, layout, device, advance)
    read = _reader(pieces, advance)
    matrix = quantise(read, layout, name=field.sources[0][0], device=device)
    return Converted(matrix=matrix, is_exact=False)


def fill(out: Tensor, piece: SourceTensor, advance: Advance) -> bool:
    """Writes a tensor of the checkpoint to `out`, in its dtype; whether that holds every number."""
    is_exact = True
    for rows in _runs(piece):
        found = piece.read(rows.start, rows.stop)
        target = out[rows]
        target.copy_(found)
        is_exact = is_exact and torch.equal(target.to("cpu", torch.float32), found)
        advance(_size(piece, rows))
    return is_exact


def _plain(
    field: Field,
    pieces: list[SourceTensor],
    dtype: torch.dtype,
    device: torch.device,
    advance: Advance,
) -> Converted:
    out = torch.empty(field.shape, dtype=dtype, device=device)
    parts = out.split([piece.shape[0] for piece in pieces])
    exact = [fill(part, piece, advance) for part, piece in zip(parts, pieces, strict=True)]
    return Converted(matrix=out, is_exact=all(exact))


def _take_over(
    field: Field,
    pieces: list[SourceTensor],
    layout: Layout,
    device: torch.device,
    advance: Advance,
) -> Converted:
    """The checkpoint's own integers and scales, in the order of the layout."""
    parts = empty_parts(layout, device)
    parts["exponents"].zero_()
    is_exact, start = True, 0
    for piece in pieces:
        for rows in _runs(piece):
            stored = piece.read_stored(rows.start, rows.stop)
            assert isinstance(stored, GroupedIntegers)
            found = _parts(stored, layout)
            is_exact = is_exact and _holds(parts["scale"].dtype, found["scale"])
            stop = start + rows.stop - rows.start
            for name, part in found.items():
                # A run of experts, or of outputs, which the groups of four bits come before.
                is_second = isinstance(layout, Int4Layout) and len(layout.shape) == 2
                target = parts[name][:, start:stop] if is_second else parts[name][start:stop]
                target.copy_(part)
            start = stop
            advance(_size(piece, rows))
    tensor = from_parts(layout, parts, field.sources[0][0])
    return Converted(matrix=tensor, is_exact=is_exact)


def _parts(stored: GroupedIntegers, layout: Layout) -> dict[str, Tensor]:
    """Codes, scales and zeros of some outputs or experts, shaped as in the layout."""
    if isinstance(layout, Int8Layout):
        return {"codes": stored.values, "scale": stored.scales.squeeze(-1)}
    filling = layout.padded_inputs - layout.shape[-1]
    codes = F.pad((stored.values - _LOWEST).to(torch.uint8), (0, filling))
    zero = torch.zeros_like(stored.scales) if stored.zero_points is None else stored.zero_points
    repeats = stored.grouping.group_size // layout.group_size

    def spread(groups: Tensor) -> Tensor:
        """[..., N, groups of the checkpoint] -> [..., groups of the layout, N]"""
        finer = groups.repeat_interleave(repeats, dim=-1)
        return F.pad(finer, (0, filling // layout.group_size)).transpose(-1, -2)

    return {
        "codes": pack(codes),
        "scale": spread(stored.scales),
        "zero": spread((zero.int() - _LOWEST) * ZERO_STEPS),
    }


def _own_way(piece: SourceTensor) -> Way | None:
    """The way of storing that takes a tensor over as it is, from a look at its first rows."""
    if piece.grouping is None:
        return None
    grouping, first = piece.grouping, piece.read_stored(0, 1)
    assert isinstance(first, GroupedIntegers)
    if first.minimums is not None:
        return None
    if grouping.low >= _LOWEST and grouping.high < -_LOWEST and grouping.group_size % 32 == 0:
        dtype = next((name for name, dtype in _SCALE_DTYPES if _holds(dtype, first.scales)), None)
        size = 64 if grouping.group_size % 64 == 0 else 32
        return None if dtype is None else Way(bits=4, group_size=size, scale_dtype=dtype)
    is_byte = grouping.low >= -128 and grouping.high <= 127
    is_plain = first.zero_points is None and grouping.group_size == piece.shape[-1]
    return Way(bits=8) if is_byte and is_plain else None


def _holds(dtype: torch.dtype, numbers: Tensor) -> bool:
    return torch.equal(numbers.to(dtype).float(), numbers)


def _reader(pieces: list[SourceTensor], advance: Advance) -> Read:
    """Rows of the joined pieces, or of an expert; an expert is read from the disk once a pass."""
    passes = 2  # `quantise` reads everything twice
    if len(pieces[0].shape) == 3:
        (piece,) = pieces
        held: dict[int, Tensor] = {}

        def rows_of_expert(expert: int | None, rows: slice) -> Tensor:
            assert expert is not None
            if expert not in held:
                held.clear()
                held[expert] = piece.read(expert, expert + 1)[0]
                advance(piece.size // piece.shape[0] // passes)
            return held[expert][rows]

        return rows_of_expert

    def rows_of_matrix(_expert: int | None, rows: slice) -> Tensor:
        found, start = [], 0
        for piece in pieces:
            first, last = max(rows.start - start, 0), min(rows.stop - start, piece.shape[0])
            if first < last:
                found.append(piece.read(first, last))
                advance(_size(piece, slice(first, last)) // passes)
            start += piece.shape[0]
        return found[0] if len(found) == 1 else torch.cat(found)

    return rows_of_matrix


def _runs(piece: SourceTensor) -> Iterator[slice]:
    """Runs of rows, or of experts, of about `_PIECE` weights."""
    step = max(1, _PIECE // math.prod(piece.shape[1:]))
    for start in range(0, piece.shape[0], step):
        yield slice(start, min(start + step, piece.shape[0]))


def _size(piece: SourceTensor, rows: slice) -> int:
    """Bytes on disk, about."""
    size: int = piece.size * (rows.stop - rows.start) // piece.shape[0]
    return size
