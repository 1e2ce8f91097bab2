"""Children that are killed, hang, find faults or lose their parent."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from engine.folders import model_folder
from engine.lane import Client
from engine.messages import (
    Downloaded,
    ErrorKind,
    JobDone,
    JobFailed,
    JobKind,
    JobProgress,
    JobRequest,
    ModelState,
    PreparedModel,
)
from engine.messages.plain import to_plain
from tests.engine.jobs.driving import ask, done, entry_of, outcome
from tests.engine.store.fake_hub import FakeHub
from tests.fakes import PATIENCE

ROOT = Path(__file__).parents[3]


def begun_preparing(
    client: Client, home: Path, hub: FakeHub, model: str
) -> tuple[int, psutil.Process]:
    """A preparation in the middle of its work, its process stopped. One that was too quick is
    done again.
    """
    for _ in range(9):
        request = ask(client, JobKind.PREPARE, home, hub, model)
        while not isinstance(event := client.events.get(timeout=60), JobProgress):
            assert not isinstance(event, JobDone | JobFailed), event
        children = [x for x in psutil.Process().children() if "engine.job_child" in x.cmdline()]
        for child in children:
            child.suspend()
        last: object = event
        with suppress(queue.Empty):
            while not isinstance(last, JobDone):
                last = client.events.get(timeout=0.3)
        if not isinstance(last, JobDone):
            return request, children[0]
        assert isinstance(last.result, PreparedModel)
        done(client, ask(client, JobKind.DELETE, home, hub, last.result.model.path))
    pytest.fail("it is always too quick")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that stops a process")
@pytest.mark.parametrize("how", ["kill", "cancel"])
def test_preparing_ends_and_goes_on(how: str, client: Client, home: Path, hub: FakeHub) -> None:
    fetched = done(client, ask(client, JobKind.DOWNLOAD, home, hub))
    assert isinstance(fetched, Downloaded)
    request, child = begun_preparing(client, home, hub, fetched.model.path)
    if how == "cancel":
        client.cancel(request)
        child.resume()
    else:
        child.kill()
    event, _ = outcome(client, request)
    assert isinstance(event, JobFailed)
    if how == "kill":
        assert "Perhaps the memory" in event.error.message
        assert event.error.kind is ErrorKind.OUT_OF_MEMORY
    else:
        assert event.error.kind is ErrorKind.CANCELLED
    begun = entry_of(client, home, hub, f"{Path(fetched.model.path).name}--int4")
    assert begun.state is ModelState.PARTLY_HERE
    made = done(client, ask(client, JobKind.PREPARE, home, hub, begun.path))
    assert isinstance(made, PreparedModel)
    assert made.model.state is ModelState.READY
    assert made.source == fetched.model.path


def test_a_fault_of_a_child_is_told_in_words(client: Client, home: Path, hub: FakeHub) -> None:
    home.mkdir()
    (home / "empty").mkdir()
    event, _ = outcome(client, ask(client, JobKind.PREPARE, home, hub, str(home / "empty")))
    assert isinstance(event, JobFailed)
    assert "config.json" in event.error.message
    assert [path.name for path in home.iterdir()] == ["empty"]
    # one that its own reader refuses, in the child
    (home / "empty" / "config.json").write_bytes(
        (model_folder("demo") / "config.json").read_bytes()
    )
    event, _ = outcome(client, ask(client, JobKind.PREPARE, home, hub, str(home / "empty")))
    assert isinstance(event, JobFailed)
    assert event.error.kind in (ErrorKind.MODEL_MISSING, ErrorKind.MODEL_BROKEN)
    assert [path.name for path in home.iterdir()] == ["empty"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal that stops a process")
def test_a_child_that_hangs_is_ended(
    client: Client, home: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.child._GRACE", 0.2)
    request, child = begun_preparing(client, home, hub, "demo")
    client.cancel(request)
    event, _ = outcome(client, request)
    assert isinstance(event, JobFailed)
    assert event.error.kind is ErrorKind.CANCELLED
    assert not child.is_running()


@pytest.mark.skipif(sys.platform == "win32", reason="asks the system about processes as Linux does")
def test_no_child_outlives_its_parent(tmp_path: Path) -> None:
    """The parent is killed; the child notices by its pipe."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'engine.job_child'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdin.write(sys.argv[1].encode() + b'\\n'); child.stdin.flush()\n"
        "child.stdout.readline()\n"  # it is at work
        "print(child.pid, flush=True); time.sleep(60)"
    )
    request = JobRequest(
        kind=JobKind.PREPARE, model="demo", home=str(tmp_path / "new"), weights="int4"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, json.dumps(to_plain(request))],
        stdout=subprocess.PIPE, cwd=ROOT, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    gone = threading.Event()
    threading.Thread(target=lambda: (_wait(child), gone.set()), daemon=True).start()
    assert gone.wait(PATIENCE)


def _wait(process: psutil.Process) -> None:
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)
