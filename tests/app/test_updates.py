"""Updates of an installed copy, from a real feed: looked for, fetched, ready, and all ways out.

What makes an environment of the files is replaced by a renaming; tests/packaging/test_updating.py
has it with the real launcher.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.settings import SettingsStore
from app.state.autosave import Writer
from app.state.setup.trouble import Trouble
from app.state.updates import updates as timing
from app.state.updates import work
from app.state.updates.install import UpdateFailed
from app.state.updates.memory import read_memory
from app.state.updates.place import Place
from app.state.updates.status import Phase, Status
from app.state.updates.updates import Updates
from tests.app import updates_rig

NEXT = 20_000  # milliseconds


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    updates_rig.hurry(monkeypatch)


@pytest.fixture(autouse=True)
def installed_ones(monkeypatch) -> list[str]:
    return updates_rig.rename_only(monkeypatch)


@pytest.fixture
def settings(qapp, tmp_path: Path):
    writer = Writer()
    store = SettingsStore(tmp_path / "settings.json", writer)
    yield store
    store.close()
    writer.close()


@pytest.fixture
def place(tmp_path: Path, feed) -> Place:
    return updates_rig.place(tmp_path, feed, "0.1.0")


@pytest.fixture
def begin(qtbot, settings, place):
    """Starts updates; all are ended."""
    begun: list[Updates] = []

    def begin_one(where: Place = place) -> Updates:
        begun.append(Updates(where, settings))
        begun[-1].start()
        return begun[-1]

    yield begin_one
    for each in begun:
        each.close()
    assert "redraft-updates" not in {thread.name for thread in threading.enumerate()}


def wait(qtbot, updates: Updates, phase: Phase) -> Status:
    qtbot.waitUntil(lambda: updates.status.phase is phase, timeout=NEXT)
    return updates.status


def watched(updates: Updates) -> list[Status]:
    seen: list[Status] = []
    updates.changed.connect(seen.append)
    return seen


# --- when it looks --------------------------------------------------------------------------------


def test_it_is_off_and_asks_nobody_anything(qtbot, begin, feed):
    updates = begin()
    qtbot.wait(200)
    assert updates.status.phase is Phase.IDLE
    assert feed.asked == []


def test_switched_on_it_looks_at_once_and_at_the_next_start(qtbot, begin, settings, feed, place):
    settings.change(updates=True)
    updates = begin()
    status = wait(qtbot, updates, Phase.FOUND)
    assert status.offer is not None
    assert (status.offer.version, status.running) == ("0.2.0", "0.1.0")
    assert status.offer.size == len(updates_rig.BIG) + len(
        "0.2.0"
    )  # by its size nothing else is new
    assert time.time() - status.looked < 60
    assert [path for path, _ in feed.asked] == ["linux.json", "linux.json.sig"]
    updates.close()
    settings.change(updates=False)
    second = begin()
    qtbot.wait(150)  # the look at the start would be over
    assert second.status.phase is Phase.IDLE
    settings.change(updates=True)
    wait(qtbot, second, Phase.FOUND)
    settings.change(language="de")  # another change asks nobody
    qtbot.wait(100)
    assert len(feed.asked) == 4


def test_it_looks_once_a_day(qtbot, begin, settings, feed, monkeypatch):
    settings.change(updates=True)
    updates = begin()
    looked = wait(qtbot, updates, Phase.FOUND).looked
    later = 0.0
    monkeypatch.setattr(timing, "time", SimpleNamespace(time=lambda: looked + later))
    for later, looks in ((3600.0, 1), (86_390.0, 1), (86_460.0, 2), (-7200.0, 3)):
        updates._look_if_due()
        qtbot.waitUntil(lambda: not updates.status.phase.is_busy, timeout=NEXT)
        assert len(feed.asked) == 2 * looks, later


def test_without_a_feed_it_can_do_nothing(qtbot, settings):
    updates = Updates(None, settings)
    updates.start()
    for act in (updates.look_now, updates.fetch, updates.stop, updates.go_back, updates.restart):
        act()
    updates.skip("0.2.0")
    settings.change(updates=True)
    assert not updates.can_update
    assert updates.status == Status()
    updates.close()


def test_the_newest_one_is_said_to_be(qtbot, begin, feed, tmp_path):
    updates = begin(updates_rig.place(tmp_path, feed, "0.2.0"))
    updates.look_now()
    qtbot.waitUntil(lambda: bool(updates.status.looked), timeout=NEXT)
    assert updates.status.phase is Phase.IDLE
    assert updates.status.offer is None


# --- an update ------------------------------------------------------------------------------------


def test_an_update_is_fetched_and_runs_from_the_next_start_on(
    qtbot, begin, feed, place, installed_ones
):
    updates = begin()
    updates.look_now()
    assert updates.status.phase is Phase.LOOKING  # at once
    wait(qtbot, updates, Phase.FOUND)
    seen = watched(updates)
    updates.fetch()
    status = wait(qtbot, updates, Phase.READY)
    assert status.next_version == "0.2.0"
    phases = [each.phase for each in seen]
    assert phases.index(Phase.FETCHING) < phases.index(Phase.INSTALLING) < phases.index(Phase.READY)
    shares = [each.progress.done for each in seen if each.progress]
    assert shares == sorted(shares)
    assert shares[-1] == max(each.progress.total for each in seen if each.progress)
    assert place.versions.state().current == "0.2.0"
    for name in ("redraft", "launch.py", "wheels/redraft-0.2.0-py3-none-any.whl"):
        made = feed.folder / "made-0.2.0" / name
        assert (place.versions.path("0.2.0") / name).read_bytes() == made.read_bytes()
    with qtbot.waitSignal(updates.restart_requested):
        updates.restart()
    updates.look_now()  # it is ready still
    wait(qtbot, updates, Phase.READY)
    assert installed_ones == ["0.2.0"]


def test_the_user_says_yes_once(qtbot, begin, settings, feed, place):
    """Redraft ends while it fetches; the next start goes on by itself, and only what is missing."""
    settings.change(updates=True)
    begun = threading.Event()
    feed.answers[feed.path_of("wheels/redraft")] = updates_rig.stalled(feed, begun)
    first = begin()
    wait(qtbot, first, Phase.FOUND)
    first.fetch()
    assert begun.wait(20)
    first.close()
    assert read_memory(place.memory).wanted == "0.2.0"
    feed.answers.clear()
    sent = feed.files_sent()
    second = begin()
    wait(qtbot, second, Phase.READY)
    assert feed.files_sent() - sent == 1


def test_a_newer_one_is_asked_about_again(qtbot, begin, settings, feed, place):
    settings.change(updates=True)
    updates = begin()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    wait(qtbot, updates, Phase.READY)
    feed.publish("0.3.0")
    updates.look_now()
    assert wait(qtbot, updates, Phase.FOUND).offer.version == "0.3.0"
    updates.fetch()
    assert wait(qtbot, updates, Phase.READY).next_version == "0.3.0"


def test_a_version_that_wants_an_installer_is_not_fetched(qtbot, begin, feed, place):
    feed.publish("0.3.0", oldest="0.2.0")
    updates = begin()
    updates.look_now()
    assert wait(qtbot, updates, Phase.FOUND).offer.needs_installer
    updates.fetch()
    wait(qtbot, updates, Phase.FOUND)
    assert feed.files_sent() == 0


def test_files_of_another_version_are_not_used(qtbot, begin, feed, installed_ones):
    """A manifest that says 0.3.0 around the files of 0.2.0 is a mistake of who made it."""
    feed.change(lambda row: row.update(version="0.3.0"))
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    assert "not what it should be" in wait(qtbot, updates, Phase.FAILED).trouble.message
    assert installed_ones == []


def test_a_look_that_fails_leaves_what_is_ready(qtbot, begin, feed):
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    wait(qtbot, updates, Phase.READY)
    feed.answers["linux.json"] = updates_rig.status(500)
    updates.look_now()
    status = wait(qtbot, updates, Phase.READY)
    assert "error 500" in status.trouble.message
    with qtbot.waitSignal(updates.restart_requested):
        updates.restart()


def test_yes_to_what_has_been_replaced_since_is_asked_again(qtbot, begin, feed, place):
    """The files of 0.2.0 are gone from the server, as a maintainer may do."""
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    shutil.rmtree(feed.folder / "files")
    feed.publish("0.3.0")
    updates.fetch()
    assert wait(qtbot, updates, Phase.FOUND).offer.version == "0.3.0"
    assert feed.files_sent() == 0
    updates.fetch()
    assert wait(qtbot, updates, Phase.READY).next_version == "0.3.0"


# --- no, not now, not at all ----------------------------------------------------------------------


def test_a_version_is_skipped_and_the_next_one_is_not(qtbot, begin, settings, feed, place):
    settings.change(updates=True)
    updates = begin()
    wait(qtbot, updates, Phase.FOUND)
    place.versions.staging("0.2.0").mkdir(parents=True)
    updates.skip("0.2.0")
    qtbot.waitUntil(lambda: updates.status.offer.is_unwanted, timeout=NEXT)
    assert not place.versions.staging("0.2.0").exists()
    updates.close()
    second = begin()
    assert wait(qtbot, second, Phase.FOUND).offer.is_unwanted
    feed.publish("0.3.0")
    second.look_now()
    qtbot.waitUntil(lambda: second.status.offer.version == "0.3.0", timeout=NEXT)
    assert not second.status.offer.is_unwanted


def test_who_skipped_a_version_can_have_it_after_all(qtbot, begin, place):
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.skip("0.2.0")
    qtbot.waitUntil(lambda: updates.status.offer.is_unwanted, timeout=NEXT)
    updates.fetch()
    wait(qtbot, updates, Phase.READY)
    assert read_memory(place.memory).skipped == ""


def test_stopping_keeps_what_is_there_and_does_not_go_on_by_itself(
    qtbot, begin, settings, feed, place
):
    settings.change(updates=True)
    begun = threading.Event()
    feed.answers[feed.path_of("wheels/redraft")] = updates_rig.stalled(feed, begun)
    updates = begin()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    assert begun.wait(20)
    updates.stop()
    status = wait(qtbot, updates, Phase.FOUND)
    assert status.trouble is None
    assert (place.versions.staging("0.2.0") / "version.json").is_file()
    feed.answers.clear()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    assert place.versions.state().current == "0.1.0"
    updates.fetch()
    wait(qtbot, updates, Phase.READY)


def test_stopping_while_it_looks_is_no_failure(qtbot, begin, feed):
    begun = threading.Event()
    feed.answers["linux.json"] = updates_rig.stalled(feed, begun)
    updates = begin()
    updates.look_now()
    assert begun.wait(20)
    updates.stop()
    assert wait(qtbot, updates, Phase.IDLE).trouble is None


def test_switching_it_off_ends_what_goes_on(qtbot, begin, settings, feed):
    begun = threading.Event()
    feed.answers["linux.json"] = updates_rig.stalled(feed, begun)
    settings.change(updates=True)
    updates = begin()
    qtbot.waitUntil(begun.is_set, timeout=NEXT)
    settings.change(updates=False)
    wait(qtbot, updates, Phase.IDLE)


def test_the_end_does_not_wait_for_a_server(qtbot, begin, feed, settings):
    begun = threading.Event()
    feed.answers["linux.json"] = updates_rig.stalled(feed, begun)
    updates = begin()
    updates.look_now()
    assert begun.wait(20)
    updates.close()
    assert updates._thread is not None
    assert not updates._thread.is_alive()


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_feed_that_cannot_be_had_is_said_and_asked_again(qtbot, begin, feed):
    feed.answers["linux.json"] = updates_rig.once(updates_rig.status(404))
    updates = begin()
    updates.look_now()
    assert "has no updates" in wait(qtbot, updates, Phase.FAILED).trouble.message
    assert updates.status.looked == 0
    updates.look_now()
    assert updates.status.trouble is None
    wait(qtbot, updates, Phase.FOUND)


def test_a_failed_look_does_not_forget_what_was_found(qtbot, begin, feed):
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    feed.answers["linux.json"] = updates_rig.status(500)
    updates.look_now()
    assert wait(qtbot, updates, Phase.FAILED).offer.version == "0.2.0"
    feed.answers.clear()
    updates.fetch()
    wait(qtbot, updates, Phase.READY)


def test_an_old_feed_played_again_is_noticed_after_a_restart(qtbot, begin, feed, place):
    old = {name: (feed.folder / name).read_bytes() for name in ("linux.json", "linux.json.sig")}
    feed.publish("0.3.0")
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.close()
    for name, data in old.items():
        (feed.folder / name).write_bytes(data)
    second = begin()
    second.look_now()
    assert "older" in wait(qtbot, second, Phase.FAILED).trouble.message


def test_what_cannot_be_installed_is_said(qtbot, begin, monkeypatch, place):
    def fail(*_arguments) -> None:
        raise UpdateFailed(Trouble(message="It does not start.", remedy="Stay."))

    monkeypatch.setattr(work, "install", fail)
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    assert wait(qtbot, updates, Phase.FAILED).trouble.message == "It does not start."
    assert place.versions.state().current == "0.1.0"


def test_a_fault_nobody_thought_of_ends_nothing(qtbot, begin, monkeypatch, caplog):
    def fail(*_arguments) -> None:
        raise RuntimeError("nobody thought of it")

    monkeypatch.setattr(work, "install", fail)
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    assert wait(qtbot, updates, Phase.FAILED).trouble is not None
    assert "nobody thought of it" in caplog.text
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)


def test_a_disk_that_takes_no_notes_hinders_nothing(qtbot, begin, place):
    place.memory.mkdir(parents=True)  # where the file should be
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    wait(qtbot, updates, Phase.READY)


# --- the way back ---------------------------------------------------------------------------------


def test_the_user_goes_back_and_is_not_asked_about_that_version_again(
    qtbot, begin, feed, place, tmp_path, settings
):
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    wait(qtbot, updates, Phase.READY)
    updates.close()
    place.versions.choose(place.installed)  # the next start
    newer = updates_rig.place(tmp_path, feed, "0.2.0")
    newer.versions.confirm()
    second = begin(newer)
    qtbot.waitUntil(lambda: second.status.previous == "0.1.0", timeout=NEXT)
    second.go_back()
    status = wait(qtbot, second, Phase.READY)
    assert (status.next_version, status.previous) == ("0.1.0", "")
    second.close()
    settings.change(updates=True)
    assert place.versions.choose(place.installed) is None  # 0.1.0 itself starts
    third = begin(place)
    status = wait(qtbot, third, Phase.FOUND)
    assert status.offer.is_unwanted
    third.fetch()  # the user thinks better of it
    assert wait(qtbot, third, Phase.READY).next_version == "0.2.0"


def test_a_way_back_that_is_gone_is_said(qtbot, begin, place, feed, tmp_path, monkeypatch):
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.fetch()
    wait(qtbot, updates, Phase.READY)
    place.versions.choose(place.installed)
    newer = updates_rig.place(tmp_path, feed, "0.2.0")
    second = begin(newer)
    qtbot.waitUntil(lambda: second.status.previous == "0.1.0", timeout=NEXT)
    (newer.versions.folder / "current.json").unlink()
    second.go_back()
    assert "not there any more" in wait(qtbot, second, Phase.FAILED).trouble.message


def test_what_is_remembered_says_nothing_of_the_user(qtbot, begin, place):
    updates = begin()
    updates.look_now()
    wait(qtbot, updates, Phase.FOUND)
    updates.close()
    row = json.loads(place.memory.read_text(encoding="utf-8"))
    assert set(row) == {"newest", "wanted", "skipped", "looked"}
