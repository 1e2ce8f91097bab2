"""A whole application around a scripted model, in folders of its own, ended after each test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.__main__ import Look, Running, build
from app.paths import Paths
from app.settings import Scheme, SettingsStore
from app.state.autosave import Writer
from app.ui.theme import Theme
from engine.messages import LoadRequest
from tests.app.updates_rig import Feed, feed_in
from tests.fakes import FakePipeline, answering, no_jobs

THREADS = {"redraft-engine", "redraft-jobs", "redraft-save", "redraft-history", "redraft-text"}
THREADS |= {"redraft-documents", "redraft-colours", "redraft-plans", "redraft-updates"}


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    folders = Paths(data=tmp_path / "Ünï Çödé 名前" / "data", logs=tmp_path / "logs")
    folders.create()
    return folders


@pytest.fixture(scope="session")
def theme(qapp) -> Theme:
    return Theme(qapp, Scheme.LIGHT)


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    """Of updates, on a server of this PC: 0.2.0 is there."""
    with feed_in(tmp_path / "feed") as one:
        one.publish("0.2.0")
        yield one


@pytest.fixture
def start(qtbot, paths, theme) -> Iterator:
    """Starts applications with the window shown; all are ended and their threads joined."""
    started: list[Running] = []

    def start_one(
        pipeline: FakePipeline | None = None, load=None, model="demo", run_job=no_jobs
    ) -> Running:
        pipeline = pipeline or FakePipeline(answering("Hello there, friend."))
        writer = Writer()
        look = Look(settings=SettingsStore(paths.settings, writer), writer=writer, theme=theme)
        running = build(paths, LoadRequest(model=model), look, load or pipeline.load, run_job)
        started.append(running)
        qtbot.addWidget(running.window)
        running.window.show()
        qtbot.waitExposed(running.window)
        return running

    yield start_one
    ended = [running.shut_down() for running in started]
    assert all(ended)
    names = {thread.name.split("_")[0] for thread in threading.enumerate()}
    assert not names & THREADS
