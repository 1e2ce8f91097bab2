"""How long the window does not answer while it is used: `python -m tests.benchmarks.stalls`.

The real application with the demo model, driven through a session with keys and the mouse: typing,
pasting, answers, stopping, scrolling a chat of 2,000 messages, switching chats, searching, variants,
palette, settings, panel, another look, larger sizes, resizing. A timer of 2 ms notes when it comes
late: that is a stall. `stall_ms` is by the clock, `busy_ms` the processor time of the window's thread in the
same stretch: what it comes to on a PC that does nothing else. Target: 50 ms.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from app.__main__ import Running
from app.settings import Scheme
from tests.benchmarks.record import record
from tests.benchmarks.session import live, long_chat, start, wait

TARGET_MS = 50
TICK_MS = 2


class Watchdog:
    """Notes the longest time between two ticks, for each part of the session."""

    def __init__(self) -> None:
        self.worst: dict[str, tuple[float, float]] = {}
        self._part = ""
        self._last = time.monotonic(), time.thread_time()
        self._timer = QTimer(interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def begin(self, part: str) -> None:
        self._tick()
        self._part = part
        self.worst[part] = (0.0, 0.0)

    def _tick(self) -> None:
        now = time.monotonic(), time.thread_time()
        late = 1e3 * (now[0] - self._last[0]) - TICK_MS
        busy = 1e3 * (now[1] - self._last[1])
        self._last = now
        if self._part:
            stall, most = self.worst[self._part]
            self.worst[self._part] = (max(stall, late), max(most, busy))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    options = parser.parse_args()
    qt = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        long_chat(Path(folder), 2000)
        running = start(qt, Path(folder), options.model)
        wait(lambda: len(running.session.path) == 2000)
        live(500)
        dog = Watchdog()
        for name, part in parts(running):
            dog.begin(name)
            part()
            live(150)
        dog.begin("")
        running.shut_down()
    found = {
        name: {"stall_ms": round(stall, 1), "busy_ms": round(busy, 1)}
        for name, (stall, busy) in dog.worst.items()
        if name
    }
    record(
        "stalls",
        {
            "target_ms": TARGET_MS,
            "worst_stall_ms": max(each["stall_ms"] for each in found.values()),
            "worst_busy_ms": max(each["busy_ms"] for each in found.values()),
            "parts": found,
        },
    )


def parts(running: Running) -> list[tuple[str, Callable[[], object]]]:  # noqa: C901
    """What is done, in order. Every part ends with the window at rest."""
    window, chats = running.window, running.chats
    field = window.composer.findChild(QPlainTextEdit)
    bar = window.chat.verticalScrollBar()

    def say(text: str) -> None:
        for letter in text:
            QTest.keyClick(field, letter)
            live(3)
        QTest.keyClick(field, Qt.Key.Key_Return)
        wait(lambda: running.session.is_busy)

    def answer() -> None:
        say("Tell me a story about Mara and a silver lamp.")
        wait(lambda: not running.session.is_busy)

    def stop() -> None:
        say("Tell me a story. Make it long.")
        live(700)
        QTest.keyClick(field, Qt.Key.Key_Escape)
        wait(lambda: not running.session.is_busy)

    def scroll() -> None:
        for _ in range(150):
            bar.setValue(bar.value() - 400)
            live(8)
        for _ in range(80):
            bar.setValue(bar.value() + 900)
            live(8)

    def paste() -> None:
        data = QMimeData()
        data.setText("word " * 200_000)
        field.insertFromMimeData(data)
        live(100)
        window.composer.clear()

    def switch() -> None:
        ids = [summary.id for summary in chats.summaries]
        for chat_id in (*ids[-1:], *ids[:1]) * 3:
            chats.open(chat_id)
            wait(lambda chat_id=chat_id: running.session.chat_id == chat_id)
            live(60)

    def search() -> None:
        search_field = window.chat_list.findChild(type(window.chat_list._field))
        for letter in "word12":
            QTest.keyClick(search_field, letter)
            live(40)
        live(200)
        view = window.chat_list.view
        place = view.visualRect(view.model().index(0, 0)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place))
        live(300)
        search_field.clear()

    def again() -> None:
        window.answer_again()
        wait(lambda: running.session.is_busy)
        wait(lambda: not running.session.is_busy)
        first = running.session.conversation.variants(running.session.path[-1].id)[0]
        running.session.show_variant(first)

    def resize() -> None:
        for width in range(1180, 700, -24):
            window.resize(width, 800)
            live(10)

    def new_chat() -> None:
        window.new_chat()
        answer()

    def open_long() -> None:
        chats.open("long")
        wait(lambda: running.session.chat_id == "long")

    return [
        ("begin a new chat and read an answer", new_chat),
        ("stop an answer", stop),
        ("answer again and show the other variant", again),
        ("open a long chat", open_long),
        ("scroll through a long chat", scroll),
        ("paste a megabyte", paste),
        ("switch between chats", switch),
        ("search and open a hit", search),
        (
            "open the command palette",
            lambda: (window.open_palette(), live(200), window.palette_dialog.close()),
        ),
        (
            "open the settings",
            lambda: (window.dialogs.settings(), live(300), window.dialogs.settings().close()),
        ),
        ("open the panel", window.toggle_panel),
        ("another look", lambda: running.settings.change(scheme=Scheme.DARK)),
        ("a larger text", lambda: running.settings.change(reading_points=15.0)),
        ("a larger interface", lambda: running.settings.change(interface_percent=125)),
        ("resize the window", resize),
    ]


if __name__ == "__main__":
    main()
