"""What every source format gives: the network's tensors, read slice by slice.

A tensor is stored either as floating-point numbers or as integers in groups that share a scale.
Both can be read as float32; the integers also as they are, so that a layout which can hold them
takes them over without rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.messages import EngineFault, ErrorKind


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Which integers a tensor is made of: `low` to `high`, `group_size` neighbours to a scale."""

    group_size: int  # along the last axis
    low: int
    high: int


@dataclass(frozen=True, kw_only=True)
class GroupedIntegers:
    """weight = (value - zero_point) * scale - minimum, in float32, group by group."""

    grouping: Grouping
    values: Tensor  # int8 [..., N]
    scales: Tensor  # float32 [..., N / group_size]
    zero_points: Tensor | None = None  # int8, shaped as the scales
    minimums: Tensor | None = None  # float32, shaped as the scales

    def dequantize(self) -> Tensor:
        """The weights, float32 [..., N]."""
        shape = (*self.scales.shape, self.grouping.group_size)
        weights = self.values.reshape(shape).float()
        if self.zero_points is not None:
            weights -= self.zero_points.unsqueeze(-1)
        weights *= self.scales.unsqueeze(-1)
        if self.minimums is not None:
            weights -= self.minimums.unsqueeze(-1)
        return weights.flatten(-2)

    def change(self, what: Callable[[Tensor], Tensor]) -> GroupedIntegers:
        """The same numbers in another shape: `what` may move any axis but the last."""
        return GroupedIntegers(
            grouping=self.grouping,
            values=what(self.values),
            scales=what(self.scales),
            zero_points=None if self.zero_points is None else what(self.zero_points),
            minimums=None if self.minimums is None else what(self.minimums),
        )


Stored = Tensor | GroupedIntegers


@dataclass(frozen=True, kw_only=True)
class SourceTensor:
    """One tensor of the network in a source checkpoint; nothing of it is read until asked for."""

    name: str  # the network's own
    shape: tuple[int, ...]  # of the weights, not of what is stored
    file: Path
    stored_as: str  # the format's word, such as "Q4_K" or "BF16"
    size: int  # bytes on disk
    grouping: Grouping | None  # None: stored as floating-point numbers
    load: Callable[[int, int], Stored]  # rows start to stop along the first axis

    def read_stored(self, start: int = 0, stop: int | None = None) -> Stored:
        """Rows `start` to `stop` of the first axis as they are stored.

        GroupedIntegers where `grouping` is given, else float32 [stop - start, *shape[1:]].
        Raises EngineFault where the file is damaged, IndexError for rows that do not exist.
        """
        stop = self.shape[0] if stop is None else stop
        if not 0 <= start < stop <= self.shape[0]:
            raise IndexError(f"{self.name} has no rows {start} to {stop}")
        return self.load(start, stop)

    def read(self, start: int = 0, stop: int | None = None) -> Tensor:
        """Rows `start` to `stop` of the first axis as float32 [stop - start, *shape[1:]]."""
        stored = self.read_stored(start, stop)
        return stored.dequantize() if isinstance(stored, GroupedIntegers) else stored


def checked(file: Path, name: str, stored: Stored) -> Stored:
    """`stored`, if its weights are finite numbers; raises EngineFault if not."""
    if isinstance(stored, GroupedIntegers):
        # A scale so large that a product with an eight-bit integer overflows is as bad as infinity.
        numbers = {"scales": stored.scales.abs().amax() * 256}
        if stored.minimums is not None:
            numbers["minimums"] = stored.minimums.abs().amax() * 256
    else:
        # One NaN or infinity makes the sum NaN or infinite; much cheaper than looking at each.
        numbers = {"values": stored.sum(dtype=torch.float64)}
    for what, number in numbers.items():
        if not torch.isfinite(number):
            raise EngineFault(
                ErrorKind.MODEL_BROKEN,
                f"The model is damaged: {name} holds values that are no numbers.",
                "Download the model again.",
                f"{file}: the {what} of {name}",
            )
    return stored


def fuse_experts(
    folder: Path, tensors: dict[str, SourceTensor], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Joins in `tensors` the experts that were stored one by one, as the network has them.

    `...experts.{e}.{gate,up,down}_proj.weight` become `...experts.gate_up_proj` [E, 2I, D], gate
    rows first, and `...experts.down_proj` [E, D, I]. Raises EngineFault for an expert missing.
    """
    joints = {"experts.gate_up_proj": ("gate", "up"), "experts.down_proj": ("down",)}
    for name, shape in expected.items():
        for ending, parts in joints.items():
            prefix = name.removesuffix(ending)
            if name in tensors or prefix == name:
                continue
            names = [
                [f"{prefix}experts.{expert}.{part}_proj.weight" for part in parts]
                for expert in range(shape[0])
            ]
            missing = [piece for row in names for piece in row if piece not in tensors]
            if missing:
                raise mismatch(folder, f"it lacks the tensor {missing[0]}", len(missing))
            tensors[name] = _fuse(name, [[tensors.pop(piece) for piece in row] for row in names])


def match(
    path: Path, tensors: Mapping[str, SourceTensor], expected: Mapping[str, tuple[int, ...]]
) -> None:
    """Accounts for every tensor. Raises EngineFault for one missing, left over or misshapen."""
    missing = sorted(expected.keys() - tensors.keys())
    if missing:
        raise mismatch(path, f"it lacks the tensor {missing[0]}", len(missing))
    left_over = sorted(tensors.keys() - expected.keys())
    if left_over:
        raise mismatch(path, f"it has an unknown tensor {left_over[0]}", len(left_over))
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            found = tensors[name]
            raise mismatch(found.file, f"{name} has the shape {found.shape} instead of {shape}")


def mismatch(path: Path, what: str, count: int = 1) -> EngineFault:
    """A checkpoint, in a file or folder, whose tensors are not those of its own configuration."""
    others = f" ({count - 1} more like it)" if count > 1 else ""
    return EngineFault(
        ErrorKind.MODEL_UNSUPPORTED,
        f"This model does not fit its own description: {what}{others}.",
        "Choose a DiffusionGemma model, or download this one again.",
        str(path),
    )


def _fuse(name: str, experts: list[list[SourceTensor]]) -> SourceTensor:
    first = experts[0][0]
    for piece in (piece for expert in experts for piece in expert):
        if (piece.shape, piece.stored_as, piece.grouping) != (
            first.shape,
            first.stored_as,
            first.grouping,
        ):
            raise mismatch(piece.file, f"{piece.name} is stored unlike {first.name}")

    def load(start: int, stop: int) -> Stored:
        rows = [
            _joined([piece.read_stored() for piece in expert], torch.cat)
            for expert in experts[start:stop]
        ]
        return _joined(rows, torch.stack)

    return SourceTensor(
        name=name,
        shape=(len(experts), len(experts[0]) * first.shape[0], *first.shape[1:]),
        file=first.file,
        stored_as=first.stored_as,
        size=sum(piece.size for expert in experts for piece in expert),
        grouping=first.grouping,
        load=load,
    )


def _joined(pieces: Sequence[Stored], join: Callable[[list[Tensor]], Tensor]) -> Stored:
    """All pieces are stored alike, which `_fuse` has checked."""
    groups = [piece for piece in pieces if isinstance(piece, GroupedIntegers)]
    if not groups:
        return join([piece for piece in pieces if isinstance(piece, Tensor)])

    def side(parts: list[Tensor | None]) -> Tensor | None:
        present = [part for part in parts if part is not None]
        return join(present) if present else None

    return GroupedIntegers(
        grouping=groups[0].grouping,
        values=join([group.values for group in groups]),
        scales=join([group.scales for group in groups]),
        zero_points=side([group.zero_points for group in groups]),
        minimums=side([group.minimums for group in groups]),
    )
