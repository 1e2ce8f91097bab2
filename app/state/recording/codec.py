"""A run on disk: the recording of all its denoising steps, as bytes for the history, and back.

    magic, version, CRC     12 bytes
    head                    deflated: the dictionary of pieces, a table of the frames, one of the groups
    groups                  of up to 32 frames, each on its own, so that any step is near at hand

A group holds its tokens as planes of bytes: the index into the dictionary as one, two, three or
four planes (as few as the dictionary allows), then one byte with state, channel and confidence.
An index plane is XORed with the one of the step before, so that what stands still becomes zeros.
With up to 65,536 pieces a token thus never takes more than 3 bytes, and mostly far less.

Pieces, indices, states and channels come back as they were. The confidence keeps its upper 4 bits,
which is more than the canvas tells apart.
"""

from __future__ import annotations

import array
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from app.state.recording.packing import (
    DamagedRecordingError,
    Reader,
    inflate,
    numbers_of,
    seal,
    texts_as_bytes,
    unseal,
    words_of,
)
from engine.messages import Channel, Frame, Recording, TokenState

VERSION = 1
GROUP = 32  # frames
MAX_TOKENS = 1 << 16  # of one frame
_COUNTS = struct.Struct("<QIII")  # request, pieces, frames, groups
_COLUMNS = 5  # of a frame: canvas, step, span, candidate, tokens

_STATE_BITS = bytes((value << 5) & 0xFF for value in range(256))
_CHANNEL_BITS = bytes((value & 1) << 4 for value in range(256))
_CONFIDENCE_BITS = bytes(value >> 4 for value in range(256))
_STATE = bytes(value >> 5 for value in range(256))
_CHANNEL = bytes(value >> 4 & 1 for value in range(256))
_CONFIDENCE = bytes((value & 15) * 17 for value in range(256))  # 0 stays 0, 255 stays 255


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a frame belongs. `canvas` counts from 0, `step` from 1."""

    canvas: int
    step: int
    span: int
    candidate: int
    tokens: int

    @property
    def track(self) -> tuple[int, int, int, int]:
        """Frames of one track follow each other step by step, at the same positions."""
        return (self.canvas, self.span, self.candidate, self.tokens)


def encode(recording: Recording) -> bytes:
    """The recording as bytes. May take some ten milliseconds: not on the GUI thread.

    Raises ValueError where a frame is not one: entries that do not match, or unknown values.
    """
    planes = _planes_needed(len(recording.pieces))
    places = [_place(frame) for frame in recording.frames]
    streams: list[bytes] = []
    for start in range(0, len(places), GROUP):
        frames, there = recording.frames[start : start + GROUP], places[start : start + GROUP]
        streams += _encode_group(frames, there, planes)
    head = b"".join(
        (
            _COUNTS.pack(recording.request_id, len(recording.pieces), len(places), len(streams)),
            texts_as_bytes(recording.pieces),
            words_of(place.canvas for place in places),
            words_of(place.step for place in places),
            words_of(place.span for place in places),
            words_of(place.candidate for place in places),
            words_of(place.tokens for place in places),
            words_of(len(stream) for stream in streams),
        )
    )
    return b"".join((seal(head, VERSION, planes), *streams))


class Tape:
    """A stored recording. Opening it reads the head only; a frame inflates the group it is in.

    Raises RecordingError, here and in `frame`. Not to be used from two threads at once.
    """

    def __init__(self, data: bytes) -> None:
        head, planes, body = unseal(data, VERSION)
        reader = Reader(head)
        self.request_id, pieces, frames, streams = _COUNTS.unpack(reader.take(_COUNTS.size))
        self.pieces: tuple[str, ...] = reader.texts(pieces)
        columns = [reader.words(frames) for _ in range(_COLUMNS)]
        self.places: tuple[Place, ...] = tuple(
            Place(canvas=canvas, step=step, span=span, candidate=candidate, tokens=tokens)
            for canvas, step, span, candidate, tokens in zip(*columns, strict=True)
        )
        lengths = reader.words(streams)
        groups = -(-frames // GROUP)
        if (
            streams != 2 * groups
            or sum(lengths) != len(data) - body
            or planes != _planes_needed(pieces)
            or max(columns[-1], default=0) > MAX_TOKENS
        ):
            raise DamagedRecordingError("the tables do not fit the data")
        self._data = data
        self._planes = planes
        self._ends = [body]
        for length in lengths:
            self._ends.append(self._ends[-1] + length)
        self._group: tuple[int, list[Frame]] = (-1, [])

    def __len__(self) -> int:
        return len(self.places)

    def frame(self, number: int) -> Frame:
        """The frame of that number, which counts from 0 to `len(self) - 1`."""
        if not 0 <= number < len(self.places):
            raise IndexError(number)
        group, rest = divmod(number, GROUP)
        if self._group[0] != group:
            self._group = (group, self._read_group(group))
        return self._group[1][rest]

    def recording(self) -> Recording:
        """All of it, as the engine gave it."""
        frames = tuple(self.frame(number) for number in range(len(self)))
        return Recording(request_id=self.request_id, pieces=self.pieces, frames=frames)

    def _read_group(self, group: int) -> list[Frame]:
        places = self.places[group * GROUP : (group + 1) * GROUP]
        total = sum(place.tokens for place in places)
        indices, packed = (
            inflate(self._data[self._ends[at] : self._ends[at + 1]], size)
            for at, size in ((2 * group, total * self._planes), (2 * group + 1, total))
        )
        if max(packed, default=0) >= (max(TokenState) + 1) << 5:
            raise DamagedRecordingError("an unknown state")
        frames: list[Frame] = []
        last: dict[tuple[int, int, int, int], bytes] = {}
        at = 0
        for place in places:
            end = at + place.tokens
            planes = indices[at * self._planes : end * self._planes]
            planes = _xor(planes, last.get(place.track))
            last[place.track] = planes
            frames.append(self._frame(place, planes, packed[at:end]))
            at = end
        return frames

    def _frame(self, place: Place, planes: bytes, packed: bytes) -> Frame:
        indices = _join(planes, self._planes)
        if indices and max(numbers_of(indices)) >= len(self.pieces):
            raise DamagedRecordingError("a piece that is not in the dictionary")
        return Frame(
            canvas=place.canvas,
            step=place.step,
            indices=indices,
            confidence=packed.translate(_CONFIDENCE),
            states=packed.translate(_STATE),
            channels=packed.translate(_CHANNEL),
            span=place.span,
            candidate=place.candidate,
        )


def indices_of(frame: Frame) -> array.array[int]:
    """The indices of a frame as numbers."""
    return numbers_of(frame.indices)


def _planes_needed(pieces: int) -> int:
    return max(1, (max(pieces - 1, 0).bit_length() + 7) // 8)


def _place(frame: Frame) -> Place:
    tokens = len(frame.states)
    sizes = (len(frame.indices), 4 * len(frame.confidence), 4 * len(frame.channels))
    if any(size != 4 * tokens for size in sizes) or tokens > MAX_TOKENS:
        raise ValueError("a frame whose entries do not match")
    if max(frame.states, default=0) > max(TokenState) or max(frame.channels, default=0) > max(
        Channel
    ):
        raise ValueError("a frame with an unknown state or channel")
    return Place(
        canvas=frame.canvas,
        step=frame.step,
        span=frame.span,
        candidate=frame.candidate,
        tokens=tokens,
    )


def _encode_group(frames: Sequence[Frame], places: Sequence[Place], planes: int) -> list[bytes]:
    """Two streams, indices and the rest, because they are nothing alike."""
    last: dict[tuple[int, int, int, int], bytes] = {}
    indices: list[bytes] = []
    packed: list[bytes] = []
    for frame, place in zip(frames, places, strict=True):
        now = b"".join(frame.indices[plane::4] for plane in range(planes))
        indices.append(_xor(now, last.get(place.track)))
        last[place.track] = now
        states = frame.states.translate(_STATE_BITS)
        channels = frame.channels.translate(_CHANNEL_BITS)
        packed.append(_xor(_xor(states, channels), frame.confidence.translate(_CONFIDENCE_BITS)))
    return [zlib.compress(b"".join(part), 6) for part in (indices, packed)]


def _xor(one: bytes, other: bytes | None) -> bytes:
    if other is None:
        return one
    number = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return number.to_bytes(len(one), "little")


def _join(planes: bytes, count: int) -> bytes:
    """Planes of bytes as little-endian uint32 each."""
    tokens = len(planes) // count
    joined = bytearray(4 * tokens)
    for plane in range(count):
        joined[plane::4] = planes[plane * tokens : (plane + 1) * tokens]
    return bytes(joined)
