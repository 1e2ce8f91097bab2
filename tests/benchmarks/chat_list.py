"""How long the window is held up by a list of 10,000 chats: `python -m tests.benchmarks.chat_list`.

The real list over a real history on the disk, without a model. Each figure is the processor time of
the window's thread for one thing a user does, with the painting that follows; the median and the
worst of several. `until_listed_ms` is by the clock, from the start to the whole list on the screen.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.settings import Scheme
from app.state.conversation import Message
from app.state.history.history import History
from app.state.history.keeper import FILE
from app.state.history.library import Library
from app.state.history.rows import ChatSummary
from app.ui.chat.list import ChatList
from app.ui.theme import Theme
from engine.messages import Role
from tests.benchmarks.record import record

RUNS = 15


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--chats", type=int, default=10_000)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    qt = QApplication([])
    chats = ChatList(Theme(qt, Scheme.LIGHT))
    chats.resize(250, 800)
    chats.show()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), options.chats)
        library = Library(Path(folder))
        lists: list[tuple[ChatSummary, ...]] = []
        library.chats_changed.connect(lists.append)
        library.chats_changed.connect(chats.show_chats)
        chats.search_requested.connect(lambda query: library.search(query, chats.show_hits))
        began = time.perf_counter()
        library.start()
        while not lists:
            qt.processEvents()
        qt.processEvents()
        until_listed = 1e3 * (time.perf_counter() - began)
        figures = {name: timed(what) for name, what in things(chats, lists[0]).items()}
        library.close()
    record(
        "chat_list",
        {"chats": options.chats, "until_listed_ms": round(until_listed), "busy_ms": figures},
    )


def build(folder: Path, count: int) -> None:
    history = History.open(folder / FILE)
    history._db.execute("BEGIN IMMEDIATE")
    for number in range(count):
        text = f"Question {number} about a fox, a lantern and the river by the old mill"
        message = Message(id=f"m{number}", parent=None, role=Role.USER, text=text)
        history.save(f"{number:032x}", [message], message.id)
    history._db.execute("COMMIT")
    history.close()


def things(chats: ChatList, known: tuple[ChatSummary, ...]) -> dict[str, Callable[[int], object]]:
    """What a user does, or an answer does to the list; each is called with the number of the run."""
    field, view = chats._field, chats.view

    def letters(run: int) -> None:
        field.clear()
        QTest.keyClicks(field, "lantern"[: 1 + run % 7])

    def search(_run: int) -> None:
        field.setText("x")
        chats.show_hits(())
        field.clear()

    # as the history's thread hands them over: none of them is the same object as before
    grown = [
        (replace(known[0], updated=float(run)), *(replace(each) for each in known[1:]))
        for run in range(RUNS)
    ]
    return {
        "an answer grows": lambda run: chats.show_chats(grown[run]),
        "a chat moves to the top": lambda run: chats.show_chats(
            (known[run + 1], *known[: run + 1], *known[run + 2 :])
        ),
        "a chat begins to be answered": lambda run: chats.show_busy(frozenset({known[run].id})),
        "another chat is shown": lambda run: chats.show_current(known[run * 600].id),
        "a page down": lambda _run: QTest.keyClick(view, Qt.Key.Key_PageDown),
        "to the end or the start": lambda run: QTest.keyClick(
            view, Qt.Key.Key_End if run % 2 else Qt.Key.Key_Home
        ),
        "letters are typed": letters,
        "a search begins, finds nothing and ends": search,
    }


def timed(what: Callable[[int], object]) -> dict[str, float]:
    """Milliseconds of this thread's own time."""
    times = []
    for run in range(RUNS):
        began = time.thread_time()
        what(run)
        QApplication.processEvents()
        times.append(1e3 * (time.thread_time() - began))
    return {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)}


if __name__ == "__main__":
    main()
