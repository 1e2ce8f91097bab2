"""The place that shows how the engine is set up, in a whole window, around the real set-up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QWidget

from app.layers import Flavour, Layers
from app.state.setup.making import Progress, Stage
from app.state.setup.setup import LayerState, Step
from app.ui.places import CHAT
from app.ui.setup.page import SetupPage
from app.ui.setup.place import add_setup
from app.ui.setup.row import Row
from tests.app import setup_rig


@pytest.fixture(autouse=True)
def own_search_path(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("REDRAFT_WHEELS", raising=False)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    (tmp_path / "index").mkdir()
    return setup_rig.wheel(tmp_path / "index")


@pytest.fixture
def index(wheel: Path):
    with setup_rig.index_of(wheel.parent) as one:
        yield one


@pytest.fixture
def layers(tmp_path: Path, index, wheel: Path) -> Layers:
    return setup_rig.layers(
        tmp_path, setup_rig.installation(tmp_path / "program", index.address, wheel)
    )


@pytest.fixture
def driver(tmp_path: Path, monkeypatch):
    """The driver's tool of this PC says this."""

    def put(answer: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    put("exit 9")
    return put


@pytest.fixture
def begin(start, theme, layers, paths, driver):
    """A window with the set-up in it; `start` is called before it is painted."""
    begun = []

    def begin_one():
        running = start()
        begun.append(add_setup(running.window, theme, layers, paths.logs))
        begun[-1].start()
        (page,) = running.window.places.findChildren(SetupPage)
        return running, begun[-1], page

    yield begin_one
    for each in begun:
        each.close()


def words(part: QWidget) -> str:
    return " ".join(each.text() for each in part.findChildren(QLabel) if each.isVisible())


def button(part: QWidget, text: str) -> QPushButton:
    (found,) = [each for each in part.findChildren(QPushButton) if each.text() == text]
    return found


def can_press(part: QWidget, text: str) -> bool:
    return any(b.text() == text and b.isVisible() for b in part.findChildren(QPushButton))


def test_it_is_shown_first_and_left_when_the_engine_is_there(qtbot, begin, index):
    index.go_on.clear()
    running, setup, page = begin()
    assert page.isVisible()
    assert index.asked.wait(60)
    qtbot.waitUntil(lambda: can_press(page, "Stop"))
    assert "being set up" in words(page)
    index.go_on.set()
    qtbot.waitUntil(lambda: running.window.places.current == CHAT, timeout=60_000)
    qtbot.waitUntil(lambda: "In use" in page._cpu.findChildren(QLabel)[1].text())
    assert setup.state.used is Flavour.CPU


def test_without_network_it_says_so_and_goes_on_later(qtbot, begin, index, layers, wheel):
    index.close()
    running, setup, page = begin()
    qtbot.waitUntil(lambda: "127.0.0.1 cannot be reached." in words(page), timeout=60_000)
    assert "not set up yet" in words(page)
    button(page, "Copy details").click()
    assert "Connection refused" in QGuiApplication.clipboard().text()
    running.window.places.show_place(CHAT)  # everything else is there
    running.window.places.show_place(3)
    lock = layers.installed.lock(Flavour.CPU)
    with setup_rig.index_of(wheel.parent) as other:
        text = lock.read_text("utf-8").replace(str(index.port), str(other.port))
        lock.write_text(text, encoding="utf-8")
        button(page._cpu, "Try again").click()
        qtbot.waitUntil(lambda: setup.state.used is Flavour.CPU, timeout=60_000)
    assert not can_press(page, "Try again")


def test_stop_and_go_on(qtbot, begin, index):
    index.go_on.clear()
    _running, setup, page = begin()
    assert index.asked.wait(60)
    qtbot.waitUntil(lambda: can_press(page._cpu, "Stop"))
    button(page._cpu, "Stop").click()
    qtbot.waitUntil(lambda: can_press(page._cpu, "Go on"), timeout=60_000)
    index.go_on.set()
    button(page._cpu, "Go on").click()
    qtbot.waitUntil(lambda: setup.state.used is Flavour.CPU, timeout=60_000)


def test_a_gpu_is_offered_by_a_restart(qtbot, begin, driver):
    driver("echo 580.65.06, 8.9")
    running, setup, page = begin()
    qtbot.waitUntil(lambda: setup.state.wants_restart, timeout=60_000)
    assert "GPU" in running.window.toast.text
    running.window.places.show_place(3)
    qtbot.waitUntil(lambda: can_press(page, "Restart Redraft"))
    with qtbot.waitSignal(running.status.restart_requested):
        button(page, "Restart Redraft").click()


def test_an_old_driver_is_said(qtbot, begin, driver):
    driver("echo 535.183.01, 8.9")
    running, setup, page = begin()
    qtbot.waitUntil(lambda: bool(setup.state.note), timeout=60_000)
    running.window.places.show_place(3)
    assert "535" in words(page)
    assert "Engine for your NVIDIA GPU" not in words(page)


def test_the_bar_says_how_far_it_is_only_where_it_is_known(qtbot, theme):
    row = Row("Engine")
    qtbot.addWidget(row)
    row.show()
    bar = row.findChild(QProgressBar)
    half = Progress(stage=Stage.INSTALLING, done=400_000_000, total=800_000_000, speed=12_300_000)
    row.show_layer(LayerState(step=Step.WORKING, progress=half), is_used=False)
    assert bar.value() == pytest.approx(bar.maximum() / 2)
    assert "400 of 800 MB, 12.3 MB/s" in words(row)
    unknown = Progress(stage=Stage.INSTALLING, done=400_000_000, speed=0)
    row.show_layer(LayerState(step=Step.WORKING, progress=unknown), is_used=False)
    assert bar.maximum() == 0
    row.show_layer(LayerState(step=Step.DONE), is_used=True)
    assert not bar.isVisible()
