"""A replay shows the steps that were run, each of them, and says what it is."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QComboBox, QLabel, QScrollArea, QToolButton

from app.state.recording.codec import Tape, encode
from app.state.recording.parts import VERSION
from app.state.recording.run import Run
from app.ui.replay.player import SPEEDS, STEPS_PER_SECOND, Player
from app.ui.replay.replay import Replay, replay_dialog
from app.ui.replay.scrubber import Scrubber
from engine.messages import Channel, Draft, Frame, Recording, TokenState
from tests.fakes import draft

NOISE, NEARLY, SURE, SETTLED, PINNED, BEYOND = TokenState
FIRST, SECOND = ("One", " small", " fox."), (" It", " slept", ".")


def a_run() -> list[Draft]:
    """Two canvases of three and two steps."""
    return [
        draft(1, ("One", " mad", " cat"), (SURE, NOISE, NOISE), step=1, confidence=51),
        draft(1, ("One", " mad", " fox."), (SURE, NEARLY, SURE), step=2, confidence=102),
        draft(1, FIRST, (SETTLED,) * 3, step=3, confidence=255),
        draft(1, (" He", " slept", "?"), (NOISE, SURE, BEYOND), canvas=1, step=1),
        draft(1, SECOND, (SETTLED,) * 3, canvas=1, step=2, confidence=255),
    ]


def recorded(drafts: list[Draft]) -> Recording:
    """As the engine's recorder does it."""
    pieces: dict[str, int] = {}
    frames = []
    for each in drafts:
        indices = [pieces.setdefault(piece, len(pieces)) for piece in each.pieces]
        frames.append(
            Frame(
                canvas=each.canvas,
                step=each.step,
                indices=b"".join(index.to_bytes(4, "little") for index in indices),
                confidence=each.confidence,
                states=each.states,
                channels=each.channels,
                span=each.span,
                candidate=each.candidate,
            )
        )
    return Recording(request_id=1, pieces=tuple(pieces), frames=tuple(frames))


def run_of(drafts: list[Draft], **which: int) -> Run:
    return Run([Tape(encode(recorded(drafts)))], **which)


@pytest.fixture
def replay(qtbot, theme) -> Replay:
    widget = Replay(run_of(a_run()), theme)
    qtbot.addWidget(widget)
    widget.resize(700, 400)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def text(replay: Replay) -> str:
    return replay.canvases[Channel.ANSWER].shown_text


def test_every_draft_comes_back():
    drafts, run = a_run(), run_of(a_run())
    assert len(run) == len(drafts)
    assert (run.starts, run.ends) == ((0, 3), (2, 4))
    for step, wanted in enumerate(drafts):
        found = run.draft(step)
        assert (found.pieces, found.states, found.channels) == (
            wanted.pieces,
            wanted.states,
            wanted.channels,
        )
        assert (found.canvas, found.step) == (wanted.canvas, wanted.step)


def test_what_had_settled_is_the_text_of_the_canvases_before():
    assert [run_of(a_run()).settled_before(step) for step in (4, 0, 3, 2)] == [
        "One small fox.", "", "One small fox.", "",
    ]  # fmt: skip


def test_what_lay_behind_the_end_never_settles():
    drafts = [
        draft(1, ("Yes.", " junk"), (SETTLED, BEYOND), step=1),
        draft(1, ("More",), (SURE,), canvas=1),
    ]
    assert run_of(drafts).settled_before(1) == "Yes."


def test_a_candidate_is_a_run_of_its_own():
    drafts = [
        draft(1, (f"{candidate}{step}",), (SURE,), step=step, candidate=candidate)
        for step in (1, 2, 3)
        for candidate in (0, 1)
    ]
    for candidate in (0, 1):
        run = run_of(drafts, candidate=candidate)
        assert [run.draft(step).pieces for step in range(3)] == [
            (f"{candidate}{step}",) for step in (1, 2, 3)
        ]
    assert len(run_of(drafts, candidate=2)) == 0


def test_the_numbers_of_a_step():
    """Counted by hand."""
    moment = run_of(a_run()).moment(1)
    assert (moment.canvas, moment.canvases, moment.steps) == (1, 2, 3)
    assert (moment.sure, moment.tokens) == (2, 3)
    assert moment.confidence == pytest.approx(0.4)
    moment = run_of(a_run()).moment(3)
    assert (moment.canvas, moment.sure, moment.tokens) == (2, 1, 2)


def test_it_begins_at_the_first_step_and_says_that_it_is_a_replay(replay):
    assert text(replay) == "One mad cat"
    words = "\n".join(label.text() for label in replay.findChildren(QLabel))
    assert "replay" in words.lower()
    assert "live" not in words.lower()
    assert replay.line == "Canvas 1 of 2 · step 1 of 3 · 1 of 3 tokens sure · mean confidence 20 %"


def test_the_keys(qtbot, replay):
    """Whichever control has the focus."""
    shown = ["One mad cat", "One mad fox.", "One small fox.", "One small fox. He slept",
             "One small fox. It slept."]  # fmt: skip
    controls = [replay.scrubber, *replay.findChildren(QToolButton)]
    for control in controls:
        control.setFocus()
        for key, step in (
            (Qt.Key.Key_Home, 0), (Qt.Key.Key_Right, 1), (Qt.Key.Key_Right, 2),
            (Qt.Key.Key_Left, 1), (Qt.Key.Key_End, 4), (Qt.Key.Key_Right, 4),
            (Qt.Key.Key_Left, 3), (Qt.Key.Key_Home, 0), (Qt.Key.Key_Left, 0),
        ):  # fmt: skip
            qtbot.keyClick(control, key)
            assert replay.player.step == replay.scrubber.value() == step
            assert text(replay) == shown[step]


def test_space_plays_to_the_end_and_again(qtbot, replay):
    seen = []
    replay.player.moved.connect(seen.append)
    replay.player.set_speed(4)
    for wanted in ([1, 2, 3, 4], [0, 1, 2, 3, 4]):
        seen.clear()
        replay.scrubber.setFocus()
        qtbot.keyClick(replay.scrubber, Qt.Key.Key_Space)
        assert replay.player.is_playing
        qtbot.waitUntil(lambda: not replay.player.is_playing)
        assert seen == wanted
        qtbot.waitUntil(lambda: text(replay) == "One small fox. It slept.")


def test_the_buttons(qtbot, replay):
    buttons = {each.accessibleName(): each for each in replay.findChildren(QToolButton)}
    assert all(buttons), "every button has a name"
    qtbot.mouseClick(buttons["One step forward"], Qt.MouseButton.LeftButton)
    assert replay.player.step == 1
    qtbot.mouseClick(buttons["One step back"], Qt.MouseButton.LeftButton)
    assert replay.player.step == 0
    qtbot.mouseClick(buttons["Play"], Qt.MouseButton.LeftButton)
    assert replay.player.is_playing
    assert buttons["Play"].accessibleName() == "Pause"
    qtbot.mouseClick(buttons["Play"], Qt.MouseButton.LeftButton)
    assert not replay.player.is_playing


def test_each_speed_is_that_much_faster(qtbot, replay):
    box = replay.findChild(QComboBox)
    for index, speed in enumerate(SPEEDS):
        box.setCurrentIndex(index)
        assert box.currentText() == f"{speed:g}x"
        seconds = replay.player._timer.interval() / 1000
        assert seconds == pytest.approx(1 / (STEPS_PER_SECOND * speed), rel=0.05)


def test_a_player_stays_in_its_run(qtbot):
    for steps in (0, 1, 7):
        player = Player(steps)
        seen = []
        player.moved.connect(seen.append)
        chooser = random.Random(steps)
        for _ in range(50):
            player.go_to(chooser.randrange(-5, 12))
        assert all(0 <= step < steps for step in seen)
        assert steps < 2 or seen
        player.play()
        player.pause()


def test_a_click_goes_to_the_step_under_it(qtbot, replay):
    scrubber = replay.scrubber
    for step in (3, 0, 4, 2):
        place = QPoint(round(scrubber.place_of(step)), scrubber.height() // 2)
        qtbot.mouseClick(scrubber, Qt.MouseButton.LeftButton, pos=place)
        assert replay.player.step == step


def test_the_mark_of_a_canvas_is_painted_where_it_begins(qtbot, theme):
    with_mark, without = Scrubber(theme, 40, (0, 25)), Scrubber(theme, 40, (0,))
    for each in (with_mark, without):
        qtbot.addWidget(each)
        each.resize(400, 28)
    one, other = with_mark.grab().toImage(), without.grab().toImage()
    differing = {
        x for x in range(400) for y in range(28) if one.pixel(x, y) != other.pixel(x, y)
    }  # fmt: skip
    assert differing
    assert min(differing) < with_mark.place_of(24.5) < max(differing)
    assert max(differing) - min(differing) < 10


def test_thoughts_stand_apart_and_are_named(qtbot, theme):
    pieces = ("hm", "Yes")
    thinking = draft(1, pieces, (SETTLED, SETTLED))
    channels = bytes([Channel.THOUGHT, Channel.ANSWER])
    run = run_of([Draft(**{**vars(thinking), "channels": channels})])
    replay = Replay(run, theme)
    qtbot.addWidget(replay)
    replay.show()
    assert [each.shown_text for each in replay.canvases.values()] == ["hm", "Yes"]
    labels = [label.text() for label in replay.findChildren(QLabel)]
    assert labels.index("Thought") < labels.index("Answer")
    assert replay.line.endswith("thinking")


def test_still_mode_only_when_asked(qtbot, theme):
    for is_still, wanted in ((False, "One mad cat"), (True, "One • •")):
        replay = Replay(run_of(a_run()), theme, is_still=is_still)
        qtbot.addWidget(replay)
        replay.show()
        assert text(replay) == wanted


def test_the_end_of_a_long_run_is_in_view(qtbot, theme):
    drafts = [
        draft(1, (" word",) * 200, (SETTLED,) * 200, canvas=canvas, step=1) for canvas in range(4)
    ]
    replay = Replay(run_of(drafts), theme)
    qtbot.addWidget(replay)
    replay.resize(500, 400)
    replay.show()
    qtbot.waitExposed(replay)
    page, canvas = replay.findChild(QScrollArea), replay.canvases[Channel.ANSWER]
    for key in (Qt.Key.Key_End, Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_End):
        qtbot.keyClick(replay.scrubber, key)
        qtbot.waitUntil(
            lambda: (
                0
                < canvas.mapTo(page.viewport(), QPoint(0, canvas.text_height)).y()
                <= page.viewport().height()
            )
        )


def test_what_cannot_be_read_is_said_in_words(qtbot, theme):
    data = encode(recorded(a_run()))
    newer = bytearray(data)
    newer[4] = VERSION + 1
    for bad, word in ((b"", "damaged"), (data[:-3], "damaged"), (bytes(newer), "newer")):
        dialog = replay_dialog(bad, theme)
        dialog.show()
        assert word in "".join(label.text() for label in dialog.findChildren(QLabel))
        dialog.close()
    dialog = replay_dialog(data, theme)
    dialog.show()
    assert dialog.findChild(Replay) is not None
    assert "Replay" in dialog.windowTitle()
    dialog.close()


def test_a_damaged_middle_stops_the_replay_and_says_so(qtbot, theme):
    run = run_of(a_run())
    replay = Replay(run, theme)
    qtbot.addWidget(replay)
    replay.show()
    (tape,) = run._tapes
    tape._data = tape._data[:-4] + b"\x00" * 4
    tape._group = (-1, [])
    replay.player.play()
    qtbot.waitUntil(lambda: not replay.player.is_playing)
    assert "damaged" in replay.line


def test_a_run_without_steps(qtbot, theme):
    replay = Replay(run_of([]), theme)
    qtbot.addWidget(replay)
    replay.show()
    qtbot.keyClick(replay.scrubber, Qt.Key.Key_Space)
    qtbot.keyClick(replay.scrubber, Qt.Key.Key_End)
    assert not replay.player.is_playing
    assert "no steps" in replay.line
