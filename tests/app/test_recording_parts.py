"""An answer that was continued is replayed whole: each part behind what had settled before."""

from __future__ import annotations

import base64
import random
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from app.bridge import EngineBridge
from app.state.chat import ChatSession
from app.state.history.keeper import FILE
from app.state.history.library import Library
from app.state.presets import built_in
from app.state.recording.codec import Tape, encode
from app.state.recording.packing import (
    DamagedRecordingError,
    NewerRecordingError,
    RecordingError,
)
from app.state.recording.parts import VERSION, joined, tapes_of
from app.state.recording.picture import PictureKind
from app.state.recording.run import Run
from app.ui.replay.replay import Replay, replay_dialog
from engine.messages import (
    Channel,
    Committed,
    Draft,
    Finished,
    FinishReason,
    LoadRequest,
    TokenState,
)
from engine.service import EngineService
from tests.app.test_chat import in_turn
from tests.app.test_recording import random_recording, rounded, some_pieces
from tests.app.test_replay import a_run, recorded
from tests.app.test_run_export import frames_of, made
from tests.fakes import FakePipeline, draft, no_jobs, usage

NOISE, NEARLY, SURE, SETTLED, PINNED, BEYOND = TokenState

# `a_run` as it was stored before an answer could have several parts.
STORED_EARLIER = base64.b64decode(
    "UkRSVwEBAACSlDidWwAAAHjaY2SAAC4gZgViJiBmBmIWKAaJsUHFQDQjlA2i/fNSFXITUxSSE0sU0vIr9BSKcxNzchQ8"
    "UhWKc1ILSuwVPEv0GJAAIxJmQjKHiYF4wIwFiwOxKBADABxtDHx4nGNgZGJgYGRgZWBlY+dl4AMAAPYAN3icCxYWDjML"
    "q6+vl4jYASQBJK0Ffg=="
)


def second_part() -> list[Draft]:
    """It counts its canvases from 0 again, and in one of them nothing lies before the first step."""
    return [
        draft(1, (" A", " cat", "?"), (SURE, NOISE, NOISE), step=1, confidence=17),
        draft(1, (" A", " hen", "."), (SETTLED, SETTLED, BEYOND), step=2, confidence=255),
        draft(1, (" Why", "?"), (SETTLED,) * 2, canvas=1, step=1, confidence=255),
    ]


def third_part() -> list[Draft]:
    pieces = ("hm", " Because.")
    thinking = draft(1, pieces, (NEARLY, SETTLED), step=1, confidence=34)
    return [replace(thinking, channels=bytes([Channel.THOUGHT, Channel.ANSWER]))]


PARTS = (a_run, second_part, third_part)
TEXTS = ("One small fox. It slept.", " A hen Why?", " Because.")


def in_one_go(parts: list[list[Draft]]) -> Run:
    """What would have been recorded had the answer never been cut off."""
    drafts: list[Draft] = []
    for part in parts:
        canvases = drafts[-1].canvas + 1 if drafts else 0
        drafts += [replace(each, canvas=canvases + each.canvas) for each in part]
    return Run([Tape(encode(recorded(drafts)))])


def stored(parts: list[list[Draft]]) -> bytes:
    data = None
    for part in parts:
        data = joined(data, encode(recorded(part)))
    assert data is not None
    return data


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_are_replayed_as_if_written_in_one_go(count):
    parts = [part() for part in PARTS[:count]]
    run, wanted = Run(tapes_of(stored(parts))), in_one_go(parts)
    assert (len(run), run.starts, run.ends) == (len(wanted), wanted.starts, wanted.ends)
    assert run.has_thoughts == wanted.has_thoughts == (count == 3)
    steps = list(range(len(run)))
    random.Random(count).shuffle(steps)
    for step in steps:
        assert run.moment(step) == wanted.moment(step)
        for channel in Channel:
            assert run.settled_before(step, channel) == wanted.settled_before(step, channel)


@pytest.mark.parametrize("kind", list(PictureKind))
@pytest.mark.parametrize("is_still", [False, True])
def test_the_picture_plays_all_parts(qtbot, tmp_path, kind, is_still):
    parts = [part() for part in PARTS]
    one = made(qtbot, tmp_path / "a", kind, run=Run(tapes_of(stored(parts))), is_still=is_still)
    two = made(qtbot, tmp_path / "b", kind, run=in_one_go(parts), is_still=is_still)
    assert one.read_bytes() == two.read_bytes()
    assert len(frames_of(one)) == sum(map(len, parts))


def test_what_was_stored_earlier_can_be_read_and_continued():
    (tape,) = tapes_of(STORED_EARLIER)
    assert tape.recording() == rounded(recorded(a_run()))
    whole = joined(STORED_EARLIER, encode(recorded(second_part())))
    assert [tape.recording() for tape in tapes_of(whole)] == [
        rounded(recorded(a_run())), rounded(recorded(second_part()))
    ]  # fmt: skip


def test_of_a_canvas_that_was_stopped_only_the_sure_beginning_stands_before_the_next_part():
    """Which is what the engine commits of it."""
    stopped = [
        draft(1, ("One", " small"), (SETTLED,) * 2),
        draft(1, (" fox", " hid", "...", "!"), (SURE, SURE, NEARLY, SURE), canvas=1),
    ]
    nothing = [draft(1, ("What", "?"), (NOISE, SURE))]
    run = Run(tapes_of(stored([stopped, nothing, second_part()])))
    assert [run.settled_before(step) for step in range(4)] == [
        "", "One small", "One small fox hid", "One small fox hid"
    ]  # fmt: skip


def test_what_was_written_in_one_go_is_stored_as_it_always_was():
    assert stored([a_run()]) == STORED_EARLIER


def test_to_put_a_part_behind_the_others_twice_is_the_same_as_once():
    """The history tries again what failed, and cannot always tell how far it had come."""
    data = None
    for part in PARTS:
        later = encode(recorded(part()))
        data = joined(data, later)
        assert joined(data, later) == data
    assert len(tapes_of(data)) == len(PARTS)


def test_parts_take_no_more_than_three_bytes_a_token_and_step():
    """Random from end to end; the dictionary of each part, kept once, is counted apart."""
    recordings = [random_recording(seed, pieces=5_000, tokens=128) for seed in range(4)]
    data = None
    for each in recordings:
        data = joined(data, encode(each))
    tokens = sum(len(frame.states) for each in recordings for frame in each.frames)
    dictionary = encode(replace(recordings[0], pieces=some_pieces(5_000), frames=()))
    assert len(data) - len(recordings) * len(dictionary) <= 3 * tokens


def test_damage_is_always_noticed():
    whole = stored([part() for part in PARTS])
    right = [tape.recording() for tape in tapes_of(whole)]

    def read(data: bytes) -> object:
        try:
            return [tape.recording() for tape in tapes_of(data)]
        except RecordingError:
            return None

    assert read(whole) == right
    assert {read(whole[:size]) is None for size in range(len(whole))} == {True}
    chooser = random.Random(4)
    for at in range(len(whole)):
        data = bytearray(whole)
        data[at] ^= 1 << chooser.randrange(8)
        assert read(bytes(data)) in (None, right)
    with pytest.raises(DamagedRecordingError):
        tapes_of(whole + b"\0")
    with pytest.raises(NewerRecordingError):
        tapes_of(whole[:4] + bytes([VERSION + 1]) + whole[5:])


def test_a_part_is_kept_even_where_the_one_before_is_damaged():
    later = encode(recorded(second_part()))
    whole = stored([a_run(), a_run()[:1]])
    for earlier in (b"", b"film", whole[:20], whole[:-1], None):
        assert joined(earlier, later) == later


def writing(part, text, reason):
    """A model that writes this, recorded step by step."""

    def script(request_id, _request, _cancelled):
        yield Committed(request_id=request_id, canvas=0, channel=Channel.ANSWER, text=text)
        yield replace(recorded(part), request_id=request_id)
        yield Finished(request_id=request_id, reason=reason, usage=usage())

    return script


@pytest.fixture
def open_chat(qtbot, tmp_path):
    """A chat over a real history, as it is after a start; what ran before is ended first."""
    ends = []

    def end():
        while ends:
            assert ends.pop()()

    def start(*scripts):
        end()
        pipeline = FakePipeline(in_turn(*scripts))
        bridge = EngineBridge(EngineService(pipeline.load, no_jobs))
        library = Library(tmp_path, bridge)
        ends.append(lambda: bridge.shutdown() and library.close())
        conversation = None
        if (tmp_path / FILE).exists():
            loaded = []
            library.load("chat", loaded.append)
            library.start()
            qtbot.waitUntil(lambda: bool(loaded))
            conversation = loaded[0].conversation
        else:
            library.start()
        bridge.submit(LoadRequest(model="demo"))
        preset = built_in()[0]
        session = ChatSession(
            bridge, library, chat_id="chat", preset=preset, conversation=conversation, parent=bridge
        )
        return session, library

    yield start
    end()


def recording_of(qtbot, session, library) -> bytes:
    qtbot.waitUntil(lambda: not session.is_busy)
    assert session.path[-1].has_recording
    found = []
    library.recording(session.path[-1].id, found.append)
    qtbot.waitUntil(lambda: bool(found))
    return found[0]


def test_a_continued_answer_is_replayed_whole_also_after_a_restart(qtbot, theme, open_chat):
    cut, end = FinishReason.LENGTH, FinishReason.END
    parts = [part() for part in PARTS]
    session, library = open_chat(writing(parts[0], TEXTS[0], cut), writing(parts[1], TEXTS[1], cut))
    session.send("Tell me of a fox.")
    assert len(tapes_of(recording_of(qtbot, session, library))) == 1
    session.go_on()
    assert len(tapes_of(recording_of(qtbot, session, library))) == 2
    session, library = open_chat(writing(parts[2], TEXTS[2], end))
    session.go_on()
    data = recording_of(qtbot, session, library)
    assert session.path[-1].text == "".join(TEXTS)
    dialog = replay_dialog(data, theme)
    qtbot.addWidget(dialog)
    dialog.show()
    replay = dialog.findChild(Replay)
    canvas = replay.canvases[Channel.ANSWER]
    seen = []
    for _ in range(sum(map(len, parts))):
        seen.append(canvas.shown_text)
        qtbot.keyClick(replay.scrubber, Qt.Key.Key_Right)
    assert seen[:2] == ["One mad cat", "One mad fox."]
    assert seen[5:8] == [
        TEXTS[0] + " A cat?", TEXTS[0] + " A hen", TEXTS[0] + " A hen Why?"
    ]  # fmt: skip
    assert seen[8] == session.path[-1].text
    assert replay.line.startswith("Canvas 5 of 5 · step 1 of 1")


def test_an_answer_that_is_asked_for_once_more_has_the_recording_of_the_second_try(
    qtbot, open_chat
):
    end = FinishReason.END
    session, library = open_chat(
        writing(second_part(), " \n", end), writing(a_run(), TEXTS[0], end)
    )
    session.send("Tell me of a fox.")
    (tape,) = tapes_of(recording_of(qtbot, session, library))
    assert tape.recording().frames == rounded(recorded(a_run())).frames
