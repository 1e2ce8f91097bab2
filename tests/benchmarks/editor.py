"""How the editor bears long documents: `python -m tests.benchmarks.editor`.

`open` is the time until a file of 10 MB can be edited, and the longest stall of the window
meanwhile; `busy_median_s` is the processor time that takes, of all threads. `parts` are the stalls of a session in a document of 200,000 lines with the demo model:
typing, scrolling, finding, filling a gap in place, accepting, undoing, saving. As in `stalls.py`,
`stall_ms` is by the clock and `busy_ms` the processor time of the window's thread in that stretch.
Targets: 1 s and 50 ms.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.__main__ import Running
from app.state.editor.changes import Range
from app.state.editor.document import Document
from app.state.editor.edit import Phase
from app.state.editor.gaps import Length
from app.ui.editor.document_view import DocumentView
from app.ui.places import EDITOR
from tests.benchmarks.record import record
from tests.benchmarks.session import live, start, wait
from tests.benchmarks.stalls import Watchdog

TARGET_OPEN_S = 1.0
TARGET_MS = 50
LINES = 200_000
REPEATS = 5
SENTENCE = "Mara put the [[...]] on the table and went to the harbour.\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="demo")
    options = parser.parse_args()
    qt = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        running = start(qt, Path(folder), options.model)
        running.window.places.show_place(EDITOR)
        live(500)
        opening = opened(running, Path(folder))
        dog = Watchdog()
        frames: list[float] = []
        for name, part in parts(running, Path(folder), frames):
            dog.begin(name)
            part()
            live(200)
        dog.begin("")
        running.shut_down()
    found = {
        name: {"stall_ms": round(stall, 1), "busy_ms": round(busy, 1)}
        for name, (stall, busy) in dog.worst.items()
        if name
    }
    record(
        "editor",
        {
            "target_open_s": TARGET_OPEN_S,
            "target_ms": TARGET_MS,
            "open": opening,
            "worst_stall_ms": max(each["stall_ms"] for each in found.values()),
            "worst_busy_ms": max(each["busy_ms"] for each in found.values()),
            "overlay_frames_per_second": round(rate(frames), 1),
            "parts": found,
        },
    )


def opened(running: Running, folder: Path) -> dict[str, float]:
    """Opens files of 10 MB, plain text and code, one after the other."""
    pane, dog = running.window.editor, Watchdog()
    times: dict[str, list[float]] = {"txt": [], "py": []}
    work: list[float] = []  # processor time of all threads
    for run in range(REPEATS):
        for suffix, line in (
            ("txt", "A line of 50 letters, which is what people write.\n"),
            ("py", "value = max(value, 12)  # the larger one of the two\n"),
        ):
            path = folder / f"long{run}.{suffix}"
            path.write_text(line * (10_000_000 // len(line)), encoding="utf-8")
            dog.begin(f"{suffix} {run}")
            began, busy = time.monotonic(), time.process_time()
            pane.documents.open(path)
            wait(lambda path=path: has(pane.document, path))
            times[suffix].append(time.monotonic() - began)
            work.append(time.process_time() - busy)
            live(300)
            dog.begin("")
            pane.documents.remove(pane.document)
            live(100)
    return {
        "txt_median_s": round(statistics.median(times["txt"]), 2),
        "py_median_s": round(statistics.median(times["py"]), 2),
        "busy_median_s": round(statistics.median(work), 2),
        "slowest_s": round(max(times["txt"] + times["py"]), 2),
        "stall_ms": round(max(stall for stall, _ in dog.worst.values()), 1),
        "busy_ms": round(max(busy for _, busy in dog.worst.values()), 1),
    }


def has(document: Document | None, path: Path) -> bool:
    return document is not None and document.path == path and document.is_filled


def rate(frames: list[float]) -> float:
    """Pictures a second while a canvas ran."""
    return (len(frames) - 1) / (frames[-1] - frames[0]) if len(frames) > 1 else 0.0


def parts(
    running: Running, folder: Path, frames: list[float]
) -> list[tuple[str, Callable[[], object]]]:
    """What is done, in order."""
    path = folder / "lines.md"
    path.write_text(SENTENCE * LINES, encoding="utf-8")
    pane = running.window.editor
    pane.documents.open(path)
    wait(lambda: has(pane.document, path))
    live(500)
    view = pane.view
    assert view is not None
    middle = SENTENCE.index("[[") + len(SENTENCE) * (LINES // 2)
    show = view.editing.overlay._show_frame

    def counting() -> None:
        frames.append(time.monotonic())
        show()

    view.editing.overlay._timer.timeout.disconnect()
    view.editing.overlay._timer.timeout.connect(counting)

    def type_there() -> None:
        view.editor.select(Range(start=middle - 20, end=middle - 20))
        live(100)
        for letter in "Some words typed here. ":
            QTest.keyClick(view.editor, letter)
            live(5)
        QTest.keyClick(view.editor, Qt.Key.Key_Return)

    def scroll() -> None:
        bar = view.editor.verticalScrollBar()
        for step in range(120):
            bar.setValue(bar.value() + (7 if step % 2 else 1500))
            live(8)

    def find() -> None:
        view.find_bar.open()
        view.find_bar.query.setText("harbour")
        live(1500)
        for _ in range(5):
            view.find_bar.step(1)
            live(40)
        view.find_bar.query.setText("nowhere to be found")
        live(1500)
        view.find_bar.close_bar()

    def fill() -> None:
        end = view.document.units
        view.editor.select(Range(start=end - len(SENTENCE) * 3, end=end))
        view.gaps.look(view.editor.selection)
        view.gaps.confirm()
        for number in range(len(view.gaps.gaps)):
            view.gaps.set_length(number, Length.SHORT)
        view.editing.fill()
        wait(lambda: view.session.phase is not Phase.RUNNING)

    def save() -> None:
        pane.save()
        wait(lambda: not view.document.is_modified)

    return [
        ("type in the middle", type_there),
        ("scroll", scroll),
        ("find", find),
        ("fill three gaps in place", fill),
        ("choose a change", lambda: view.editing.step_hunk(1)),
        ("accept", view.editing.accept),
        ("undo", view.editor.undo),
        ("save", save),
        ("wrap no lines", lambda: running.settings.change(wrap_lines=False)),
        ("wrap lines", lambda: running.settings.change(wrap_lines=True)),
        ("another look", lambda: switch(view, running)),
    ]


def switch(view: DocumentView, running: Running) -> None:
    from app.settings import Scheme

    running.settings.change(scheme=Scheme.DARK)


if __name__ == "__main__":
    main()
