"""A run as a picture: read back with Pillow, compared with what the canvas paints."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QRegion
from PySide6.QtWidgets import QComboBox, QLabel, QProgressBar, QPushButton, QWidget

from app.state.recording.codec import Tape, encode
from app.state.recording.picture import PictureKind, Shot, gif_palette, write_picture
from app.state.recording.run import Run
from app.ui.replay.picture import PictureDialog
from app.ui.replay.run_export import LAST_MS, MARGIN, PictureOptions, RunExport
from app.ui.text_view import TextView
from app.ui.theme import DARK, LIGHT
from tests.app.test_replay import a_run, recorded, run_of
from tests.fakes import draft

KINDS = list(PictureKind)
WIDTH = 360
SETTLED_TEXT = "One small fox. It slept."


def made(qtbot, path: Path, kind: PictureKind, *, colors=LIGHT, run=None, **options) -> Path:
    chosen = PictureOptions(kind=kind, **{"width": WIDTH, **options})
    export = RunExport(run or run_of(a_run()), chosen, colors, path)
    with qtbot.waitSignal(export.finished, timeout=20_000):
        export.start()
    assert not export.is_running
    return path


def frames_of(path: Path) -> list[tuple[np.ndarray, int]]:
    """Each frame as rows of red, green, blue, and how long it stays, in milliseconds."""
    with Image.open(path) as picture:
        found = []
        for number in range(picture.n_frames):
            picture.seek(number)
            picture.load()
            found.append((np.asarray(picture.convert("RGB"), int), picture.info["duration"]))
        return found


def duration_of_webp(path: Path) -> list[int]:
    """From the file itself: every ANMF chunk has it, behind twelve bytes of place and size."""
    data = path.read_bytes()
    found, at = [], 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"ANMF":
            found.append(int.from_bytes(data[at + 20 : at + 23], "little"))
        at += 8 + size + size % 2
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_is_a_frame_and_the_last_one_stays(qtbot, tmp_path, kind):
    path = made(qtbot, tmp_path / "run", kind, step_ms=80)
    frames = frames_of(path)
    assert len(frames) == 5
    durations = [each for _, each in frames] if kind is PictureKind.GIF else duration_of_webp(path)
    assert durations == [80, 80, 80, 80, LAST_MS]
    with Image.open(path) as picture:
        assert picture.format == kind.name
        assert picture.info["loop"] == 0
        assert picture.width == WIDTH
    paper = QColor(LIGHT.window)
    for frame, _ in frames:  # right to the last bit, or the picture shows on a page
        assert tuple(frame[0, 0]) == (paper.red(), paper.green(), paper.blue())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_the_last_frame_is_the_settled_text(qtbot, theme, tmp_path, kind, colors):
    """Painted a second time by the widget that shows settled answers."""
    path = made(qtbot, tmp_path / "run", kind, colors=colors)
    last = frames_of(path)[-1][0]
    view = TextView(SETTLED_TEXT, "Answer")
    font = view.document().defaultFont()
    font.setStyleStrategy(font.StyleStrategy.NoSubpixelAntialias)
    view.document().setDefaultFont(font)
    palette = view.palette()
    palette.setColor(palette.ColorRole.Text, QColor(colors.text))
    view.setPalette(palette)
    qtbot.addWidget(view)
    view.resize(WIDTH - 2 * MARGIN, 10)
    view.show()
    image = QImage(view.width(), view.height(), QImage.Format.Format_RGBX8888)
    image.fill(QColor(colors.window))
    view.render(image, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    wanted = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
    wanted = wanted[:, : image.width(), :3].astype(int)
    found = last[MARGIN : MARGIN + image.height(), MARGIN : MARGIN + image.width()]
    assert np.abs(wanted - wanted[0, -1]).max() > 100  # there is text
    assert np.abs(found - wanted).max() <= (6 if kind is PictureKind.GIF else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scaled_picture_is_sharp_and_has_the_same_layout(qtbot, tmp_path, kind):
    small = frames_of(made(qtbot, tmp_path / "a", kind))
    large = frames_of(made(qtbot, tmp_path / "b", kind, scale=2))
    assert len(small) == len(large)
    for (one, _), (two, _) in zip(small, large, strict=True):
        assert two.shape == (2 * one.shape[0], 2 * one.shape[1], 3)
        bands = one.shape[0] // 4
        drawn = one[: 4 * bands].reshape(bands, -1).mean(axis=1)
        finer = two[: 8 * bands].reshape(bands, -1).mean(axis=1)
        assert np.abs(drawn - finer).max() < 6  # ink in the same places
    blown = np.repeat(np.repeat(small[-1][0], 2, axis=0), 2, axis=1)
    assert np.abs(blown - large[-1][0]).max() > 60


def test_all_frames_are_as_high_as_the_highest_step(qtbot, tmp_path):
    drafts = [draft(1, (" word",) * count, step=step) for step, count in ((1, 5), (2, 90), (3, 8))]
    frames = frames_of(made(qtbot, tmp_path / "x", PictureKind.GIF, run=run_of(drafts)))
    heights = {frame.shape[0] for frame, _ in frames}
    assert len(heights) == 1
    alone = frames_of(made(qtbot, tmp_path / "y", PictureKind.GIF, run=run_of(drafts[1:2])))
    assert heights == {alone[0][0].shape[0]}


@pytest.mark.parametrize("kind", KINDS)
def test_steps_that_look_alike_lose_no_time(qtbot, tmp_path, kind):
    """An encoder may join equal frames, but not shorten the picture."""
    shots = [
        Shot(width=20, height=10, pixels=bytes([level] * 800), milliseconds=40)
        for level in (9, 9, 200, 200, 200, 9)
    ]
    path = tmp_path / "run"
    write_picture(path, kind, shots, len(shots), [(0, 0, 0), (255, 255, 255)])
    frames = frames_of(path)
    total = sum([each for _, each in frames] if kind is PictureKind.GIF else duration_of_webp(path))
    assert total == 240
    assert {int(frame[0, 0, 0]) > 100 for frame, _ in frames} == {False, True}


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_the_palette_has_a_shade_for_every_strength_of_ink(colors):
    """No text pixel, however veiled and however smooth its edge, is off by more than 2 of 255."""

    def rgb(name: str) -> np.ndarray:
        color = QColor(name)
        return np.array([color.red(), color.green(), color.blue()])

    inks = [colors.window, colors.text, colors.accent, colors.muted]
    entries = np.frombuffer(
        gif_palette([tuple(map(int, rgb(ink))) for ink in inks]), np.uint8
    ).reshape(-1, 3)[:255]
    paper, ink = rgb(colors.window), rgb(colors.text)
    for strength in np.linspace(0, 1, 1001):
        wanted = paper + (ink - paper) * strength
        assert np.abs(entries - wanted).max(axis=1).min() <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_cancelling_leaves_nothing(qtbot, tmp_path, kind):
    path = tmp_path / "run"
    path.write_text("what was there before")
    drafts = [each for _ in range(30) for each in a_run()]
    export = RunExport(run_of(drafts), PictureOptions(kind=kind), LIGHT, path)
    progress = []
    export.progress_changed.connect(lambda done, total: progress.append((done, total)))
    with qtbot.waitSignal(export.cancelled):
        export.start()
        qtbot.waitUntil(lambda: len(progress) > 3)
        export.cancel()
    assert export.wait(5)
    assert progress[-1][0] < progress[-1][1]
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "what was there before"


def test_progress_runs_from_the_start_to_the_end(qtbot, tmp_path):
    export = RunExport(run_of(a_run()), PictureOptions(kind=PictureKind.GIF), LIGHT, tmp_path / "x")
    progress = []
    export.progress_changed.connect(lambda done, total: progress.append((done, total)))
    with qtbot.waitSignal(export.finished):
        export.start()
    assert progress[-1] == (10, 10)
    assert [done for done, _ in progress] == sorted(done for done, _ in progress)


def test_a_place_that_cannot_be_written_is_said_in_words(qtbot, tmp_path):
    path = tmp_path / "missing" / "run.gif"
    export = RunExport(run_of(a_run()), PictureOptions(kind=PictureKind.GIF), LIGHT, path)
    with qtbot.waitSignal(export.failed) as failed:
        export.start()
    assert "Choose another place" in failed.args[0]
    assert export.wait(5)


def test_a_damaged_recording_ends_in_words(qtbot, tmp_path):
    run = run_of(a_run())
    (tape,) = run._tapes
    tape._data = tape._data[:-4] + b"\x00" * 4
    tape._group = (-1, [])
    path = tmp_path / "x.gif"
    export = RunExport(run, PictureOptions(kind=PictureKind.GIF), LIGHT, path)
    with qtbot.waitSignal(export.failed) as failed:
        export.start()
    assert "damaged" in failed.args[0]
    assert not path.exists()


def test_the_encoding_is_off_the_gui_thread(qtbot, tmp_path, monkeypatch):
    seen = []

    def write(path, kind, shots, count, colors) -> None:
        seen.append(threading.current_thread())
        assert len(list(shots)) == count == 5

    monkeypatch.setattr("app.ui.replay.run_export.write_picture", write)
    made(qtbot, tmp_path / "run", PictureKind.GIF)
    assert seen != [threading.main_thread()]
    assert len(seen) == 1


def test_still_pictures_show_only_what_is_sure(qtbot, tmp_path):
    moving = frames_of(made(qtbot, tmp_path / "a", PictureKind.WEBP))
    still = frames_of(made(qtbot, tmp_path / "b", PictureKind.WEBP, is_still=True))
    assert np.abs(moving[0][0] - still[0][0]).max() > 50
    assert np.abs(moving[-1][0] - still[-1][0]).max() == 0


# --- the dialog


@pytest.fixture
def dialog(qtbot, theme) -> PictureDialog:
    widget = PictureDialog(run_of(a_run()), theme)
    qtbot.addWidget(widget)
    widget.show()
    return widget


def test_the_dialog_makes_what_was_chosen(qtbot, dialog, tmp_path):
    kind, size, speed = dialog.findChildren(QComboBox)
    kind.setCurrentIndex(1)
    size.setCurrentIndex(0)
    speed.setCurrentIndex(2)
    assert dialog.options == PictureOptions(kind=PictureKind.WEBP, width=480, scale=1, step_ms=40)
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.save_to(tmp_path / "run.webp")
        assert dialog.findChild(QProgressBar).isVisible()
        assert not kind.isEnabled()
    with Image.open(tmp_path / "run.webp") as picture:
        assert (picture.format, picture.n_frames, picture.width) == ("WEBP", 5, 480)


def test_it_says_how_long_the_picture_is(dialog):
    speed = dialog.findChildren(QComboBox)[2]
    words = []
    for index in range(3):
        speed.setCurrentIndex(index)
        words.append("".join(label.text() for label in dialog.findChildren(QLabel)))
    assert all("5 steps" in each for each in words)


def test_cancel_while_it_is_made(qtbot, theme, tmp_path):
    dialog = PictureDialog(run_of([each for _ in range(40) for each in a_run()]), theme)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.save_to(tmp_path / "run.gif")
    export = dialog._export
    cancel = next(each for each in dialog.findChildren(QPushButton) if each.text() == "Cancel")
    with qtbot.waitSignal(dialog.rejected):
        qtbot.mouseClick(cancel, Qt.MouseButton.LeftButton)
    assert not export.is_running
    assert list(tmp_path.iterdir()) == []


def test_closing_it_cancels_first(qtbot, theme, tmp_path):
    dialog = PictureDialog(run_of([each for _ in range(40) for each in a_run()]), theme)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.save_to(tmp_path / "run.gif")
    with qtbot.waitSignal(dialog.rejected):
        dialog.close()
    assert not dialog.isVisible()
    assert list(tmp_path.iterdir()) == []


def test_after_a_failure_another_place_can_be_chosen(qtbot, dialog, tmp_path):
    dialog.save_to(tmp_path / "missing" / "run.gif")
    labels = dialog.findChildren(QLabel)
    qtbot.waitUntil(lambda: any("Choose another place" in each.text() for each in labels))
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.save_to(tmp_path / "run.gif")
    assert (tmp_path / "run.gif").exists()


def test_a_recording_from_the_history_makes_the_same_picture(qtbot, tmp_path):
    again = Run([Tape(encode(Tape(encode(recorded(a_run()))).recording()))])
    one = made(qtbot, tmp_path / "a", PictureKind.GIF)
    two = made(qtbot, tmp_path / "b", PictureKind.GIF, run=again)
    assert one.read_bytes() == two.read_bytes()
