"""Jobs as the window asks for them: the real service, real children, a hub on loopback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

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
    JobRequest,
    Library,
    ModelEntry,
    ModelState,
    PreparedModel,
)
from tests.engine.jobs.driving import LARGE, NAMES, ask, done, entry_of, outcome
from tests.engine.store.fake_hub import REPO, TOKEN, FakeHub, Fault


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
