"""Long work in slices: the window lives in between, and nothing holds up the others."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from app.ui.rich.slices import SLICE_SECONDS, Slices

STEP = SLICE_SECONDS / 2


class Bench:
    """Notes every step that is done, and the turns of the event loop between them."""

    def __init__(self) -> None:
        self.root = QObject()
        self.slices = Slices(self.root)
        self.done: list[str] = []
        self._timer = QTimer(self.root, interval=0)
        self._timer.timeout.connect(lambda: self.done.append("turn"))
        self._timer.start()

    @property
    def steps(self) -> list[str]:
        return [each for each in self.done if each != "turn"]

    def work(self, name: str, steps: int, *, fails: bool = False) -> Iterator[None]:
        for _ in range(steps):
            end = time.perf_counter() + STEP
            while time.perf_counter() < end:
                pass
            self.done.append(name)
            yield
        if fails:
            raise ValueError(name)


@pytest.fixture
def bench(qapp) -> Bench:
    return Bench()


def test_all_together_have_one_slice_a_turn(qtbot, bench: Bench):
    owners = [QObject(bench.root) for _ in range(10)]
    for number, owner in enumerate(owners):
        bench.slices.put(owner, bench.work(str(number), 3))
    assert bench.steps == []  # nothing is urgent
    qtbot.waitUntil(lambda: len(bench.steps) == 30)
    assert bench.steps == [str(number) for number in range(10) for _ in range(3)]
    turns = "".join("|" if each == "turn" else "." for each in bench.done).split("|")
    assert max(len(turn) for turn in turns) <= SLICE_SECONDS / STEP + 1


def test_what_is_urgent_begins_at_once_and_rests_too(qtbot, bench: Bench):
    bench.slices.put(bench.root, bench.work("a", 6), is_urgent=True)
    assert 1 <= len(bench.steps) <= SLICE_SECONDS / STEP + 1
    qtbot.waitUntil(lambda: bench.steps == ["a"] * 6)


def test_work_ends_with_its_owner_and_where_it_is_dropped_or_replaced(qtbot, bench: Bench):
    gone, dropped, other, last = (QObject(bench.root) for _ in range(4))
    bench.slices.put(gone, bench.work("gone", 2))
    bench.slices.put(dropped, bench.work("dropped", 2))
    bench.slices.put(other, bench.work("old", 2))
    bench.slices.put(last, bench.work("last", 2))
    bench.slices.put(other, bench.work("new", 2))
    bench.slices.drop(dropped)
    gone.deleteLater()
    QApplication.sendPostedEvents(gone, QEvent.Type.DeferredDelete)
    qtbot.waitUntil(lambda: bench.steps.count("last") == 2)
    assert bench.steps == ["new", "new", "last", "last"]


def test_work_that_fails_holds_up_nobody(qtbot, bench: Bench):
    one, other = QObject(bench.root), QObject(bench.root)
    with qtbot.capture_exceptions() as caught:
        bench.slices.put(one, bench.work("one", 1, fails=True))
        bench.slices.put(other, bench.work("other", 2))
        qtbot.waitUntil(lambda: bench.steps == ["one", "other", "other"])
    assert [kind for kind, *_ in caught] == [ValueError]


def test_work_may_ask_for_other_work(qtbot, bench: Bench):
    def again() -> Iterator[None]:
        yield from bench.work("first", 1)
        bench.slices.put(bench.root, bench.work("second", 1))

    bench.slices.put(bench.root, again())
    qtbot.waitUntil(lambda: bench.steps == ["first", "second"])
