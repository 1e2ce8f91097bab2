"""A run on disk comes back as it was, is small, and when damaged says so."""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import replace

import pytest

from app.state.recording.codec import GROUP, Tape, encode, indices_of
from app.state.recording.packing import (
    DamagedRecordingError,
    NewerRecordingError,
    RecordingError,
)
from app.ui.canvas.layout import draft_text
from engine.messages import Frame, Recording, TokenState
from tests.fakes import draft

ODD_PIECES = (
    "",
    " ",
    "\n",
    "e\u0301",
    "\U0001f468\u200d\U0001f469",
    "\ud800",
    "\x00",
    "ह",
    "a" * 300,
)


def random_frame(
    chooser: random.Random, *, pieces: int, tokens: int, canvas: int = 0, step: int = 1, **more
) -> Frame:
    indices = [chooser.randrange(pieces) for _ in range(tokens)]
    return Frame(
        canvas=canvas,
        step=step,
        indices=struct.pack(f"<{tokens}I", *indices),
        confidence=chooser.randbytes(tokens),
        states=bytes(chooser.choices(range(6), k=tokens)),
        channels=bytes(chooser.choices(range(2), k=tokens)),
        **more,
    )


def random_recording(
    seed: int, *, pieces: int, tokens: int = 64, canvases: int = 3, steps: int = 48
) -> Recording:
    chooser = random.Random(seed)
    frames = tuple(
        random_frame(chooser, pieces=pieces, tokens=tokens, canvas=canvas, step=step)
        for canvas in range(canvases)
        for step in range(1, steps + 1)
    )
    return Recording(request_id=7, pieces=some_pieces(pieces), frames=frames)


def some_pieces(count: int) -> tuple[str, ...]:
    return (*ODD_PIECES, *(f" p{number}" for number in range(count)))[:count]


def rounded(recording: Recording) -> Recording:
    """With the confidence that 4 bits can hold, worked out number by number."""
    return replace(
        recording,
        frames=tuple(
            replace(frame, confidence=bytes(value // 16 * 255 // 15 for value in frame.confidence))
            for frame in recording.frames
        ),
    )


@pytest.mark.parametrize("pieces", [1, 2, 256, 257, 65_536, 65_537, 200_000])
def test_what_comes_back_is_what_was_recorded(pieces):
    recording = random_recording(pieces, pieces=pieces, tokens=40)
    assert Tape(encode(recording)).recording() == rounded(recording)


def test_an_empty_recording_and_an_empty_frame():
    nothing = Recording(request_id=0, pieces=(), frames=())
    assert Tape(encode(nothing)).recording() == nothing
    frame = Frame(canvas=0, step=1, indices=b"", confidence=b"", states=b"", channels=b"")
    hollow = Recording(request_id=1, pieces=("x",), frames=(frame,) * 3)
    assert Tape(encode(hollow)).recording() == hollow


def test_frames_of_several_candidates_spans_and_sizes_come_in_any_order():
    chooser = random.Random(3)
    frames = tuple(
        random_frame(
            chooser,
            pieces=500,
            tokens=chooser.choice((1, 7, 64)),
            canvas=chooser.randrange(3),
            step=chooser.randrange(1, 49),
            span=chooser.randrange(2),
            candidate=chooser.randrange(4),
        )
        for _ in range(3 * GROUP + 5)
    )
    recording = Recording(request_id=2**40, pieces=some_pieces(500), frames=frames)
    tape = Tape(encode(recording))
    wanted = rounded(recording).frames
    for number in [*range(len(frames)), *chooser.choices(range(len(frames)), k=200)]:
        assert tape.frame(number) == wanted[number]
    for outside in (-1, len(frames)):
        with pytest.raises(IndexError):
            tape.frame(outside)


def test_the_indices_name_the_pieces():
    recording = random_recording(4, pieces=300)
    for frame in Tape(encode(recording)).recording().frames[:5]:
        count = len(frame.indices) // 4
        assert list(indices_of(frame)) == list(struct.unpack(f"<{count}I", frame.indices))


@pytest.mark.parametrize("pieces", [60, 256, 5_000, 65_536])
def test_the_worst_frames_take_three_bytes_a_token_at_most(pieces):
    """Random from end to end, which no model is. The dictionary, kept once, is counted apart."""
    recording = random_recording(1, pieces=pieces, tokens=128)
    tokens = sum(len(frame.states) for frame in recording.frames)
    dictionary = encode(replace(recording, frames=()))
    assert len(encode(recording)) - len(dictionary) <= 3 * tokens


def test_a_run_in_which_most_stands_still_takes_far_less():
    chooser = random.Random(8)
    frame = random_frame(chooser, pieces=400, tokens=256)
    frames = []
    for step in range(1, 49):
        indices = bytearray(frame.indices)
        for _ in range(12):
            place = 4 * chooser.randrange(256)
            indices[place : place + 4] = struct.pack("<I", chooser.randrange(400))
        frame = replace(frame, indices=bytes(indices), step=step)
        frames.append(frame)
    recording = Recording(request_id=1, pieces=some_pieces(400), frames=tuple(frames))
    plain = sum(3 * len(frame.states) for frame in frames)
    assert len(encode(recording)) < plain / 5


def test_a_replay_looks_as_the_run_did():
    """No confidence that a byte can hold is painted differently after it was stored."""
    pieces = ("x",) * 256
    for state in TokenState:
        seen = replace(draft(1, pieces, (state,) * 256), confidence=bytes(range(256)))
        frame = Frame(
            canvas=0,
            step=1,
            indices=bytes(4 * 256),
            confidence=seen.confidence,
            states=seen.states,
            channels=seen.channels,
        )
        stored = Tape(encode(Recording(request_id=1, pieces=("x",), frames=(frame,)))).frame(0)
        assert draft_text(replace(seen, confidence=stored.confidence)) == draft_text(seen)


def test_what_is_no_frame_is_refused():
    good = random_frame(random.Random(1), pieces=3, tokens=4)
    for broken in (
        replace(good, states=b"\x00"),
        replace(good, states=b"\x06" * 4),
        replace(good, channels=b"\x02" * 4),
        replace(good, confidence=b""),
        replace(good, step=2**32),
    ):
        with pytest.raises(ValueError, match=r"a (frame|number)"):
            encode(Recording(request_id=1, pieces=("a", "b", "c"), frames=(broken,)))


def test_a_later_version_is_told_from_damage():
    data = bytearray(encode(random_recording(5, pieces=20)))
    data[4] += 1
    with pytest.raises(NewerRecordingError):
        Tape(bytes(data))
    data[4] -= 1
    data[0] ^= 1
    with pytest.raises(DamagedRecordingError):
        Tape(bytes(data))


def read_all(data: bytes) -> Recording | None:
    """The recording, or None where a RecordingError said no. Anything else fails the test."""
    try:
        return Tape(data).recording()
    except RecordingError:
        return None


def test_damage_is_always_noticed():
    recording = random_recording(6, pieces=70, tokens=16, canvases=2)
    whole = encode(recording)
    right = read_all(whole)
    assert right is not None
    chooser = random.Random(12)
    for _ in range(400):
        data = bytearray(whole)
        match chooser.randrange(4):
            case 0:
                del data[chooser.randrange(len(data)) :]
            case 1:
                data[chooser.randrange(len(data))] ^= 1 << chooser.randrange(8)
            case 2:
                at = chooser.randrange(len(data))
                data[at : at + chooser.randrange(1, 9)] = chooser.randbytes(chooser.randrange(12))
            case 3:
                data += chooser.randbytes(chooser.randrange(1, 30))
        assert read_all(bytes(data)) in (None, right)
    for size in (0, 1, 3, 11, 15, 16, 17, 500):
        assert read_all(chooser.randbytes(size)) is None
        assert read_all(whole[:12] + chooser.randbytes(size)) is None


def test_a_forged_head_cannot_crash_or_fill_the_memory():
    """The checksum is right, the numbers are not."""
    recording = random_recording(9, pieces=30, tokens=16, canvases=1)
    whole = encode(recording)
    length = struct.unpack_from("<I", whole, 12)[0]
    head, body = zlib.decompress(whole[16 : 16 + length]), whole[16 + length :]
    chooser = random.Random(13)
    refused = 0
    for _ in range(400):
        forged = bytearray(head)
        for _ in range(chooser.randrange(1, 4)):
            at = chooser.randrange(len(forged))
            forged[at] = chooser.choice((0, 1, 127, 255, chooser.randrange(256)))
        packed = zlib.compress(bytes(forged))
        start = struct.pack("<4sBBHI", b"RDRW", 1, whole[5], 0, zlib.crc32(packed))
        refused += read_all(start + struct.pack("<I", len(packed)) + packed + body) is None
    assert refused > 100
