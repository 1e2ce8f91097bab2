"""Jobs as the window asks for them: the real service, real children, a hub on loopback."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from engine.folders import model_folder
from engine.jobs import run_job
from engine.lane import Client
from engine.load import load_model
from engine.messages import (
    Checked,
    Deleted,
    Downloaded,
    ErrorKind,
    Hardware,
    JobDone,
    JobFailed,
    JobKind,
    JobOptions,
    JobProgress,
    JobRequest,
    Library,
    ModelEntry,
    ModelState,
    PreparedModel,
)
from engine.messages.plain import to_plain
from engine.service import EngineService
from tests.engine.store.fake_hub import REPO, TOKEN, FakeHub, Fault
from tests.fakes import PATIENCE, FakePipeline, answering

ROOT = Path(__file__).parents[2]
NAMES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
         "chat_template.jinja", "generation_config.json")  # fmt: skip
LARGE = "model.safetensors"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: (model_folder("demo") / name).read_bytes() for name in NAMES}


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with FakeHub(files={**files, "README.md": b"not wanted"}, large={LARGE}) as hub:
        hub.about = {"tags": ["license:apache-2.0"], "gated": False}
        yield hub


@pytest.fixture
def client() -> Iterator[Client]:
    service = EngineService(FakePipeline(answering("x")).load, run_job)
    client = service.connect(lambda: None)
    service.start()
    yield client
    assert service.stop(PATIENCE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for models; nothing of this PC's own is found."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "OLLAMA_MODELS", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "models"


def ask(client: Client, kind: JobKind, home: Path, hub: FakeHub, model: str = REPO) -> int:
    options = JobOptions(endpoint=hub.endpoint)
    return client.submit(JobRequest(kind=kind, model=model, home=str(home), options=options))


def outcome(client: Client, request: int) -> tuple[JobDone | JobFailed, list[JobProgress]]:
    progress = []
    while True:
        event = client.events.get(timeout=60)
        if event.request_id != request:
            continue
        if isinstance(event, JobProgress):
            progress.append(event)
        if isinstance(event, JobDone | JobFailed):
            return event, progress


def done(client: Client, request: int) -> object:
    event, _ = outcome(client, request)
    assert isinstance(event, JobDone), event
    return event.result


def entry_of(client: Client, home: Path, hub: FakeHub, name: str) -> ModelEntry:
    found = done(client, ask(client, JobKind.LIBRARY, home, hub))
    assert isinstance(found, Library)
    (entry,) = [each for each in found.models if Path(each.path).name == name]
    return entry


def test_from_the_hub_to_a_model_that_runs(
    client: Client, home: Path, hub: FakeHub, files: dict[str, bytes]
) -> None:
    offered = done(client, ask(client, JobKind.LOOK_UP, home, hub))
    assert isinstance(offered, ModelEntry)
    assert (offered.state, offered.licence) == (ModelState.ON_OFFER, "apache-2.0")
    assert offered.size == sum(map(len, files.values()))
    assert Path(offered.config).read_bytes() == files["config.json"]

    event, progress = outcome(client, ask(client, JobKind.DOWNLOAD, home, hub))
    assert isinstance(event, JobDone)
    assert isinstance(event.result, Downloaded)
    fetched = event.result.model
    assert (fetched.state, fetched.present) == (ModelState.HERE, offered.size)
    assert {each.name for each in Path(fetched.path).iterdir()} >= set(NAMES)
    assert not (Path(fetched.path) / "README.md").exists()
    assert (progress[-1].what, progress[-1].done) == ("Downloading", offered.size)

    event, progress = outcome(client, ask(client, JobKind.PREPARE, home, hub, fetched.id))
    assert isinstance(event, JobDone), event
    made = event.result
    assert isinstance(made, PreparedModel)
    assert (made.model.state, made.model.weights) == (ModelState.READY, "INT4")
    assert made.source == fetched.path
    assert made.source_size >= offered.size
    assert progress[-1].done == progress[-1].total > 0

    checked = done(client, ask(client, JobKind.CHECK, home, hub, made.model.path))
    assert isinstance(checked, Checked)
    assert checked.is_whole
    assert checked.files == len(list(Path(made.model.path).glob("*.safetensors"))) + 5
    gone = done(client, ask(client, JobKind.DELETE, home, hub, fetched.id))
    assert isinstance(gone, Deleted)
    assert gone.freed >= offered.size
    library = done(client, ask(client, JobKind.LIBRARY, home, hub))
    assert isinstance(library, Library)
    assert [each.path for each in library.models if each.is_ours] == [made.model.path]
    assert load_model(made.model.path).config == load_model("demo").config


def test_a_download_is_paused_and_goes_on(
    client: Client, home: Path, hub: FakeHub, files: dict[str, bytes]
) -> None:
    hub.pace = 0.002
    request = ask(client, JobKind.DOWNLOAD, home, hub)
    while sum(path.stat().st_size for path in home.rglob("*.part")) < 300_000:
        time.sleep(0.01)
    client.cancel(request)
    event, _ = outcome(client, request)
    assert isinstance(event, JobFailed)
    assert event.error.kind is ErrorKind.CANCELLED
    assert "paused" in event.error.message
    half = entry_of(client, home, hub, "some--model")
    assert half.state is ModelState.PARTLY_HERE
    assert 0 < half.present < half.size
    hub.pace = 0.0
    whole = done(client, ask(client, JobKind.DOWNLOAD, home, hub, half.id))
    assert isinstance(whole, Downloaded)
    assert (Path(whole.model.path) / LARGE).read_bytes() == files[LARGE]


@pytest.mark.parametrize("kind", [JobKind.LOOK_UP, JobKind.DOWNLOAD])
def test_a_question_to_a_silent_hub_is_cancelled(
    kind: JobKind, client: Client, home: Path, hub: FakeHub
) -> None:
    hub.listing_fault, hub.silence = "stall", 60.0
    request = ask(client, kind, home, hub)
    while not hub.seen:
        time.sleep(0.01)
    client.cancel(request)
    event, _ = outcome(client, request)
    assert isinstance(event, JobFailed)
    assert event.error.kind is ErrorKind.CANCELLED
    assert hub.listings == 0  # it has not said a word yet
    assert not home.exists()


def test_nothing_waits_for_a_download(client: Client, home: Path, hub: FakeHub) -> None:
    hub.pace = 0.02
    slow = ask(client, JobKind.DOWNLOAD, home, hub)
    while not home.exists():
        time.sleep(0.01)
    assert isinstance(done(client, ask(client, JobKind.LIBRARY, home, hub)), Library)
    assert isinstance(done(client, ask(client, JobKind.DOCTOR, home, hub)), Hardware)
    client.cancel(slow)
    event, _ = outcome(client, slow)
    assert isinstance(event, JobFailed)


def test_what_was_edited_by_hand_is_found(client: Client, home: Path, hub: FakeHub) -> None:
    fetched = done(client, ask(client, JobKind.DOWNLOAD, home, hub))
    assert isinstance(fetched, Downloaded)
    folder = Path(fetched.model.path)
    data = bytearray((folder / LARGE).read_bytes())
    data[1234] ^= 1
    (folder / LARGE).write_bytes(data)
    (folder / "notes.txt").write_text("mine")
    (folder / "tokenizer.json").unlink()
    assert entry_of(client, home, hub, folder.name).state is ModelState.BROKEN
    checked = done(client, ask(client, JobKind.CHECK, home, hub, str(folder)))
    assert isinstance(checked, Checked)
    assert (checked.damaged, checked.missing) == ((LARGE,), ("tokenizer.json",))
    assert checked.unknown == ("notes.txt",)
    again = done(client, ask(client, JobKind.DOWNLOAD, home, hub, fetched.model.id))
    assert isinstance(again, Downloaded)
    assert again.model.state is ModelState.HERE
    assert again.repaired == (LARGE,)
    checked = done(client, ask(client, JobKind.CHECK, home, hub, str(folder)))
    assert isinstance(checked, Checked)
    assert checked.is_whole


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


def test_the_way_is_told(client: Client, home: Path, hub: FakeHub) -> None:
    """Speed, time left and waits; and the token goes nowhere but to the hub."""
    hub.needs_token, hub.pace = True, 0.001
    hub.faults.append(Fault(kind="drop", after=1_000_000))
    refused, _ = outcome(client, ask(client, JobKind.DOWNLOAD, home, hub))
    assert isinstance(refused, JobFailed)
    assert refused.error.kind is ErrorKind.ACCESS
    options = JobOptions(endpoint=hub.endpoint, token=TOKEN, speed_limit=3e6)
    request = JobRequest(kind=JobKind.DOWNLOAD, model=REPO, home=str(home), options=options)
    event, progress = outcome(client, client.submit(request))
    assert isinstance(event, JobDone)
    ways = {each.what for each in progress}
    assert {"Asking the hub", "Waiting for the connection", "Downloading"} <= ways
    assert any(each.wait > 0 for each in progress if each.what.startswith("Waiting"))
    moving = [each for each in progress if each.what == "Downloading" and each.seconds_left]
    assert moving
    assert all(0 < each.speed < 3.5e6 for each in moving[3:])
    assert all(each.seconds_left * each.speed == pytest.approx(each.total - each.done)
               for each in moving)  # fmt: skip
    assert {each.token for each in hub.seen if each.host == "cdn"} == {""}
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written


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
