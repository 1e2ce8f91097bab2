"""Saves a run as a moving picture, beside everything else that the window does.

The frames are painted on the GUI thread by the canvas's own painter, one small piece of work
between two events; a thread encodes and writes them.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter

from app.state.recording.packing import RecordingError
from app.state.recording.picture import PictureKind, Rgb, Shot, write_picture
from app.state.recording.run import Playable
from app.ui.canvas.layout import CanvasLayout
from app.ui.canvas.paint import paint_lines
from app.ui.canvas.still import Stillness
from app.ui.theme import Colors, interface_font, reading_font
from app.words import tr

log = logging.getLogger(__name__)

MARGIN = 28  # pixels, as are all sizes here, before `scale`
MAX_HEIGHT = 900  # of a longer text the picture shows the end, where the canvas is
FOOTER = 34
LAST_MS = 2500  # how long the last step stays
WAITING_FRAMES = 3  # painted and not yet encoded
PATIENCE_MS = 5


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """What the user chose. `width` is that of the picture in pixels, divided by `scale`."""

    kind: PictureKind
    width: int = 720
    scale: int = 1
    step_ms: int = 80  # a multiple of 10, because GIF counts in hundredths of a second
    is_still: bool = False


class RunPainter:
    """Paints steps of a run off the screen. GUI thread only. May raise RecordingError.

    A step is first laid out, then painted: two pieces of work, each below 10 ms as a rule.
    """

    def __init__(self, run: Playable, options: PictureOptions, colors: Colors) -> None:
        self._run = run
        self._options = options
        self._colors = colors
        self._layout = CanvasLayout(_grey(reading_font()))
        self._layout.set_width(options.width - 2 * MARGIN)
        self._stillness = Stillness() if options.is_still else None
        self._step = -1
        self._text_height = 1

    @property
    def height(self) -> int:
        """Of the picture, before `scale`."""
        return min(MAX_HEIGHT, 2 * MARGIN + self._text_height + FOOTER - MARGIN // 2)

    def lay_out(self, step: int) -> None:
        draft = self._run.draft(step)
        if self._stillness is not None:
            draft = self._stillness.calm(draft)
        self._layout.show(self._run.settled_before(step), draft)
        self._step = step

    def measure(self) -> None:
        """Makes the picture high enough for the step that is laid out."""
        self._text_height = max(self._text_height, self._layout.height)

    def paint(self) -> QImage:
        """The step that is laid out."""
        scale = self._options.scale
        width, height = self._options.width, self.height
        image = QImage(width * scale, height * scale, QImage.Format.Format_RGBX8888)
        image.setDevicePixelRatio(scale)
        image.fill(QColor(self._colors.window))
        painter = QPainter(image)
        room = QRectF(MARGIN, MARGIN, width - 2 * MARGIN, height - MARGIN - MARGIN // 2 - FOOTER)
        hidden = max(0.0, self._layout.height - room.height())  # above the picture
        painter.save()
        painter.setClipRect(QRectF(0, MARGIN if hidden else 0, width, room.height() + MARGIN))
        painter.translate(room.left(), room.top() - hidden)
        clip = QRectF(0, hidden, room.width(), room.height())
        paint_lines(painter, self._layout.lines(clip), self._colors)
        painter.restore()
        self._paint_footer(painter, QRectF(MARGIN, height - FOOTER, room.width(), FOOTER))
        painter.end()
        return image

    def _paint_footer(self, painter: QPainter, room: QRectF) -> None:
        """A thin line that fills with the steps, and their number."""
        done = (self._step + 1) / len(self._run)
        line = QRectF(room.left(), room.top(), room.width(), 2)
        painter.fillRect(line, QColor(self._colors.border))
        line.setWidth(room.width() * done)
        painter.fillRect(line, QColor(self._colors.accent))
        font = _grey(interface_font())
        font.setPointSizeF(font.pointSizeF() * 0.85)
        painter.setFont(font)
        painter.setPen(QColor(self._colors.muted))
        text = tr("Step {step} of {steps}", step=self._step + 1, steps=len(self._run))
        below = QRectF(room.left(), room.top() + 6, room.width(), QFontMetrics(font).height())
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, text)


class RunExport(QObject):
    """One picture in the making. Keep it until it has ended; it ends with exactly one signal.

    Signals:
        progress_changed(int, int): pieces of work done, and all there are.
        finished(Path)
        failed(str): a plain sentence.
        cancelled()
    """

    progress_changed = Signal(int, int)
    finished = Signal(object)
    failed = Signal(str)
    cancelled = Signal()
    _ended = Signal(object)

    def __init__(self, run: Playable, options: PictureOptions, colors: Colors, path: Path) -> None:
        super().__init__()
        self._options = options
        self._path = path
        self._colors = colors
        self._painter = RunPainter(run, options, colors)
        self._to_measure = list(range(len(run)))
        self._to_paint = list(range(len(run)))
        self._all = 2 * len(run)
        self._is_laid_out = False
        self._stop = threading.Event()
        self._shots: queue.Queue[Shot] = queue.Queue(WAITING_FRAMES)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="redraft-picture")
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._work)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        if not self._to_paint:
            self.failed.emit(tr("This run has no steps."))
            return
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.cancel)
        self._thread.start()
        self._timer.start(0)

    @Slot()
    def cancel(self) -> None:
        """Ends it soon. Nothing is left on the disk."""
        self._stop.set()
        self._timer.stop()

    def wait(self, seconds: float) -> bool:
        """Waits for the thread; for whoever ends the program. False if it did not end."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        """One piece of work of the GUI thread."""
        try:
            wait = self._measure_or_paint()
        except RecordingError as error:
            self._error = error
            self.cancel()
            return
        done = self._all - len(self._to_measure) - len(self._to_paint)
        self.progress_changed.emit(done, self._all)
        if self._to_paint:
            self._timer.start(wait)

    def _measure_or_paint(self) -> int:
        """Returns how long to wait for the next piece, in milliseconds."""
        if self._to_measure:
            self._painter.lay_out(self._to_measure.pop(0))
            self._painter.measure()
        elif self._shots.full():
            return PATIENCE_MS
        elif not self._is_laid_out:
            self._painter.lay_out(self._to_paint[0])
            self._is_laid_out = True
        else:
            image = self._painter.paint()
            self._to_paint.pop(0)
            self._is_laid_out = False
            self._shots.put(
                Shot(
                    width=image.width(),
                    height=image.height(),
                    pixels=bytes(image.constBits()),
                    milliseconds=self._options.step_ms if self._to_paint else LAST_MS,
                )
            )
        return 0

    def _write(self) -> None:
        """On the thread."""
        count = len(self._to_paint)
        colors = [_rgb(each) for each in _inks(self._colors)]
        try:
            write_picture(self._path, self._options.kind, self._arriving(count), count, colors)
        except Exception as error:  # noqa: BLE001  (told to the user by _on_ended)
            self._ended.emit(error)
        else:
            self._ended.emit(None)

    def _arriving(self, count: int) -> Iterator[Shot]:
        for _ in range(count):
            while True:
                if self._stop.is_set():
                    raise _Cancelled
                try:
                    shot = self._shots.get(timeout=0.05)
                except queue.Empty:
                    continue
                yield shot
                break

    @Slot(object)
    def _on_ended(self, error: Exception | None) -> None:
        self._timer.stop()
        self._thread.join()  # it has nothing more to do
        if self._error is not None:
            error = self._error
        if error is None:
            self.finished.emit(self._path)
        elif isinstance(error, _Cancelled):
            self.cancelled.emit()
        else:
            log.error("the picture could not be saved", exc_info=error)
            self.failed.emit(_reason(error))


class _Cancelled(Exception):
    pass


def _reason(error: Exception) -> str:
    if isinstance(error, RecordingError):
        return tr("This recording is damaged. No picture was made.")
    if isinstance(error, OSError):
        return tr(
            "The picture could not be written there ({reason}). Choose another place.",
            reason=error.strerror or type(error).__name__,
        )
    return tr("The picture could not be made. The details are in the log.")


def _grey(font: QFont) -> QFont:
    """Without the colours at the edges of letters that suit one kind of screen only."""
    font.setStyleStrategy(QFont.StyleStrategy.NoSubpixelAntialias)
    return font


def _inks(colors: Colors) -> tuple[str, ...]:
    return (colors.window, colors.text, colors.accent, colors.muted)


def _rgb(color: str) -> Rgb:
    made = QColor(color)
    return (made.red(), made.green(), made.blue())
