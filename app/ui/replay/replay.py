"""A run seen again, step by step: the canvas of the chat, fed from a recording."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.state.editor.store import EditRecord
from app.state.recording.edit_run import EditRun
from app.state.recording.packing import NewerRecordingError, RecordingError
from app.state.recording.parts import tapes_of
from app.state.recording.run import Moment, Playable, Run
from app.ui.canvas.canvas import Canvas
from app.ui.canvas.legend import Legend
from app.ui.replay.picture import PictureDialog
from app.ui.replay.player import SPEEDS, Player
from app.ui.replay.scrubber import Scrubber
from app.ui.theme import TEXT_WIDTH, Theme
from app.ui.widgets import flat_button, plain_label
from app.words import tr
from engine.messages import Channel, TokenState

MARGIN = 24  # pixels
ICON = 20


class Replay(QWidget):
    """Shows any step of a run, and plays them. Space plays and pauses; the arrow keys step."""

    def __init__(
        self, run: Playable, theme: Theme, *, is_still: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._run = run
        self._theme = theme
        self._is_still = is_still
        self.player = Player(len(run), self)
        self.scrubber = Scrubber(theme, len(run), run.starts)
        self.canvases = {
            channel: Canvas(theme, channel=channel)
            for channel in Channel
            if channel is Channel.ANSWER or run.has_thoughts
        }
        self._content = self._build_content()
        self._page = _scrolling(self._content)
        self._line = plain_label(muted=True)
        self._legend = Legend(theme, has_given=run.has_given)
        self._play = self._button(self.player.toggle)
        self._back = self._button(lambda: self._step_by(-1))
        self._forward = self._button(lambda: self._step_by(1))
        self._lay_out()
        self._connect()
        self._set_icons()
        self.set_still(is_still)
        self._show(0)
        self.setFocusProxy(self.scrubber)

    @property
    def line(self) -> str:
        """What it says about the step that it shows."""
        return self._line.text()

    def set_still(self, is_still: bool) -> None:
        """Whether nothing may flicker, as on the chat's canvas."""
        self._is_still = is_still
        for canvas in self.canvases.values():
            canvas.set_still(is_still)
        self._legend.set_still(is_still)

    def save_picture(self) -> PictureDialog:
        """Opens the dialog that saves the run as a picture."""
        self.player.pause()
        dialog = PictureDialog(self._run, self._theme, is_still=self._is_still, parent=self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
        return dialog

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:  # a button that has the focus takes it for itself
            self.player.toggle()
        else:
            super().keyPressEvent(event)

    def _connect(self) -> None:
        self.player.moved.connect(self._show)
        self.player.playing_changed.connect(self._set_icons)
        self.scrubber.valueChanged.connect(self.player.go_to)
        self.scrubber.sliderPressed.connect(self.player.pause)
        self._theme.changed.connect(self._set_icons)
        for canvas in self.canvases.values():
            canvas.laid_out.connect(self._follow)
        # the page learns only later that the canvas has grown
        self._page.verticalScrollBar().rangeChanged.connect(self._follow)
        keys: tuple[tuple[Qt.Key, Callable[[], None]], ...] = (
            (Qt.Key.Key_Left, lambda: self._step_by(-1)),
            (Qt.Key.Key_Right, lambda: self._step_by(1)),
            (Qt.Key.Key_Home, lambda: self._go_to(0)),
            (Qt.Key.Key_End, lambda: self._go_to(len(self._run) - 1)),
        )
        for key, act in keys:
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)

    def _step_by(self, steps: int) -> None:
        self._go_to(self.player.step + steps)

    def _go_to(self, step: int) -> None:
        self.player.pause()
        self.player.go_to(step)

    def _show(self, step: int) -> None:
        self.scrubber.setValue(step)
        if not len(self._run):
            self._line.setText(tr("This run has no steps."))
            return
        try:
            moment = self._run.moment(step)
            for channel, canvas in self.canvases.items():
                canvas.show_step(self._run.settled_before(step, channel), moment.draft)
        except RecordingError:
            self.player.pause()
            self._line.setText(tr("This part of the recording is damaged and cannot be shown."))
            return
        if not self.player.is_playing:  # who looks for a step need not wait for it
            for canvas in self.canvases.values():
                canvas.show_now()
        self._line.setText(line_of(moment))

    def _follow(self, *_range: int) -> None:
        """Keeps the end of the text in view, where the canvas is."""
        canvas = self.canvases[Channel.ANSWER]
        if not canvas.shown_text and Channel.THOUGHT in self.canvases:
            canvas = self.canvases[Channel.THOUGHT]
        bottom = canvas.mapTo(self._content, QPoint()).y() + canvas.text_height + MARGIN
        self._page.verticalScrollBar().setValue(bottom - self._page.viewport().height())

    def _set_icons(self) -> None:
        is_playing = self.player.is_playing
        for button, icon, name in (
            (
                self._play,
                "pause" if is_playing else "play",
                tr("Pause") if is_playing else tr("Play"),
            ),
            (self._back, "back", tr("One step back")),
            (self._forward, "forward", tr("One step forward")),
        ):
            size = round(ICON * self._theme.scale)
            button.setIcon(self._theme.icon(f"replay-{icon}", self._theme.colors.text, size))
            button.setIconSize(QSize(size, size))
            button.setAccessibleName(name)
            button.setToolTip(name)

    def _button(self, act: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(act)
        return button

    def _build_content(self) -> QWidget:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(8)
        for channel, canvas in self.canvases.items():
            if len(self.canvases) > 1:
                is_thought = channel is Channel.THOUGHT
                heading = plain_label(tr("Thought") if is_thought else tr("Answer"), muted=True)
                layout.addWidget(heading)
            canvas.setMaximumWidth(TEXT_WIDTH)
            layout.addWidget(canvas)
            layout.addSpacing(8)
        layout.addStretch(1)
        return content

    def _build_speeds(self) -> tuple[QLabel, QComboBox]:
        box = QComboBox()
        for speed in SPEEDS:
            box.addItem(f"{speed:g}x", speed)
        box.setCurrentIndex(SPEEDS.index(1.0))
        box.setAccessibleName(tr("Speed"))
        box.currentIndexChanged.connect(lambda index: self.player.set_speed(SPEEDS[index]))
        label = plain_label(tr("Speed"), muted=True, wrap=False)
        label.setBuddy(box)
        return label, box

    def _lay_out(self) -> None:
        about = plain_label(tr("A replay of the steps that were really run."), muted=True)
        top = QHBoxLayout()
        top.setContentsMargins(MARGIN, 14, MARGIN, 0)
        top.addWidget(about, 1)
        top.addWidget(self._legend)
        row = QHBoxLayout()
        row.setSpacing(6)
        for button in (self._back, self._play, self._forward):
            row.addWidget(button)
        row.addSpacing(12)
        for widget in self._build_speeds():
            row.addWidget(widget)
        row.addStretch(1)
        save = flat_button(tr("Save as picture…"))
        save.clicked.connect(self.save_picture)
        save.setEnabled(len(self._run) > 0)
        row.addWidget(save)
        bottom = QVBoxLayout()
        bottom.setContentsMargins(MARGIN, 0, MARGIN, 16)
        bottom.setSpacing(8)
        bottom.addWidget(self._line)
        bottom.addWidget(self.scrubber)
        bottom.addLayout(row)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(top)
        layout.addWidget(self._page, 1)
        layout.addLayout(bottom)


def line_of(moment: Moment) -> str:
    """What there is to say about one step."""
    draft = moment.draft
    is_thinking = any(
        channel == Channel.THOUGHT and state != TokenState.BEYOND_END
        for channel, state in zip(draft.channels, draft.states, strict=True)
    )
    line = tr(
        "Canvas {canvas} of {canvases} · step {step} of {steps} · {sure} of {tokens} tokens sure · "
        "mean confidence {percent} %",
        canvas=moment.canvas,
        canvases=moment.canvases,
        step=draft.step,
        steps=moment.steps,
        sure=moment.sure,
        tokens=moment.tokens,
        percent=round(100 * moment.confidence),
    )
    return f"{line} · {tr('thinking')}" if is_thinking else line


def replay_dialog(
    data: bytes,
    theme: Theme,
    *,
    is_still: bool = False,
    edit: EditRecord | None = None,
    parent: QWidget | None = None,
) -> QDialog:
    """A window of its own that shows a stored recording, or says why it cannot. Never raises.

    `edit` is the one that was recorded; None for an answer.
    """
    dialog = QDialog(parent)
    dialog.setWindowTitle(tr("Replay"))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(0, 0, 0, 0)
    try:
        content: QWidget = Replay(_run(data, edit), theme, is_still=is_still)
        dialog.resize(TEXT_WIDTH + 2 * MARGIN + 24, 620)
    except NewerRecordingError:
        content = _apology(
            tr("A newer version of Redraft made this recording. Update Redraft to watch it.")
        )
    except RecordingError:
        content = _apology(
            tr("This recording is damaged and cannot be shown. The answer itself is not affected.")
        )
    layout.addWidget(content)
    content.setFocus()
    return dialog


def _run(data: bytes, edit: EditRecord | None) -> Playable:
    tapes = tapes_of(data)
    if edit is None:
        return Run(tapes)
    return EditRun(tapes[0], candidate=edit.candidate, originals=edit.before, around=edit.around)


def _apology(text: str) -> QWidget:
    label = plain_label(text)
    label.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
    label.setMinimumWidth(360)
    return label


def _scrolling(content: QWidget) -> QScrollArea:
    page = QScrollArea()
    page.setFrameShape(QFrame.Shape.NoFrame)
    page.setWidgetResizable(True)
    page.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    page.setWidget(content)
    return page
