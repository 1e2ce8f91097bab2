"""How long the window stands still for a chat of 5,000 exchanges: python -m tests.benchmarks.long_chat"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.__main__ import Look, Running, build
from app.paths import Paths
from app.settings import Scheme, SettingsStore
from app.state.autosave import Writer
from app.ui.chat.view import ChatView
from app.ui.theme import Theme
from engine.messages import LoadRequest
from tests.app.talks import long_talk, settle, show
from tests.benchmarks.record import record
from tests.fakes import FakePipeline, answering, no_jobs

EXCHANGES = 5000
SCROLLS = 60


def timed(work: Callable[[], object], *, settles: bool = True) -> float:
    """Milliseconds, with all events that follow where it `settles`."""
    began = time.perf_counter()
    work()
    if settles:
        settle()
    return 1000 * (time.perf_counter() - began)


def _open(chat: ChatView, running: Running) -> None:
    """Until the end of the chat is painted; what stands above it comes afterwards."""
    chat.show_chat(running.session)
    QApplication.sendPostedEvents()
    chat.repaint()


def main() -> None:
    qt = QApplication([])
    folder = Path(tempfile.mkdtemp())
    paths = Paths(data=folder / "data", logs=folder / "logs")
    paths.create()
    writer = Writer()
    settings = SettingsStore(paths.settings, writer)
    look = Look(settings=settings, writer=writer, theme=Theme(qt, Scheme.LIGHT))
    running = build(
        paths, LoadRequest(model="demo"), look, FakePipeline(answering("Yes.")).load, no_jobs
    )
    running.window.show()
    settle()
    show(running, long_talk(EXCHANGES))
    chat = running.window.chat
    first = [timed(lambda: _open(chat, running), settles=False) for _ in range(5)]
    settle()
    opening = [timed(lambda: chat.show_chat(running.session)) for _ in range(5)]
    bar = chat.verticalScrollBar()
    up = [timed(lambda: bar.setValue(bar.value() - 400)) for _ in range(SCROLLS)]
    jump = [timed(lambda n=n: chat.scroll_to_message(f"a{n}")) for n in (10, 2500, 4000)]
    tab = timed(lambda: running.window.focusNextPrevChild(True))
    record(
        "long_chat",
        {
            "exchanges": EXCHANGES,
            "first_view_ms": round(statistics.median(first), 1),
            "open_ms": round(statistics.median(opening), 1),
            "scroll_median_ms": round(statistics.median(up), 1),
            "scroll_worst_ms": round(max(up), 1),
            "jump_worst_ms": round(max(jump), 1),
            "tab_ms": round(tab, 1),
            "widgets_of_exchanges": len(chat.exchanges),
        },
    )
    running.shut_down()


if __name__ == "__main__":
    main()
