"""From a feed to the next start, on Linux: the real server, signature, launcher, uv and environment.

What runs is an app of one file, and Qt is a stand-in.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from app.layers import Installed
from app.settings import SettingsStore
from app.state.autosave import Writer
from app.state.updates.place import Place
from app.state.updates.source import source_of
from app.state.updates.status import Phase
from app.state.updates.updates import Updates
from app.versions import Versions
from tests.app import updates_rig
from tests.packaging import linux_rig

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not Path("/usr/bin/python3").exists(),
    reason="a Linux with a Python of its own",
)
NEXT = 120_000  # milliseconds


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is one of that user's, too."""
    folder = tmp_path / "Ünï Çödé 名前"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def feed(tmp_path: Path):
    with updates_rig.feed_in(tmp_path / "feed") as one:
        yield one


@pytest.fixture
def settings(qapp, tmp_path: Path):
    writer = Writer()
    store = SettingsStore(tmp_path / "settings.json", writer)
    yield store
    store.close()
    writer.close()


def installation(folder: Path, version: str, feed: updates_rig.Feed) -> Path:
    """What is installed of a version, with its word on where updates come from."""
    program = linux_rig.program(folder, version)
    about = {
        "version": version,
        "system": "linux",
        "updates": {"url": feed.url, "keys": [feed.public]},
    }
    (program / "version.json").write_text(json.dumps(about), encoding="utf-8")
    return program


def publish(feed: updates_rig.Feed, folder: Path, version: str) -> None:
    release = updates_rig.builder().Release(version=version, notes={"en": "New."})
    program = installation(folder, version, feed)
    updates_rig.builder().write(program, "linux", release, feed.folder, [feed.key])


def updates_of(program: Path, home: Path, settings: SettingsStore) -> Updates:
    """What the app does in the version that lies in `program`."""
    source = source_of(Installed(folder=program))
    assert source is not None
    data = home / ".local" / "share" / "redraft"
    place = Place(
        source=source,
        versions=Versions(data / "versions", source.running),
        installed=program,
        memory=data / "updates.json",
        log=home / "update.log",
    )
    updates = Updates(place, settings)
    updates.start()
    return updates


def fetched(qtbot, updates: Updates) -> Phase:
    def has_ended() -> bool:
        return updates.status.phase in (Phase.FOUND, Phase.READY, Phase.FAILED)

    updates.look_now()
    qtbot.waitUntil(has_ended, timeout=NEXT)
    assert updates.status.phase is Phase.FOUND, updates.status.trouble
    updates.fetch()
    qtbot.waitUntil(has_ended, timeout=NEXT)
    return updates.status.phase


def runs(program: Path, home: Path) -> str:
    """The version that a start of what is installed ends in."""
    done = linux_rig.start(program, home)
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout.splitlines()[-1])["prefix"]).parent.name


def test_from_the_feed_to_the_next_start_on_and_back(qtbot, tmp_path, home, feed, settings):
    program = installation(tmp_path / "a program", "0.1.0", feed)
    publish(feed, tmp_path / "built", "0.2.0")
    assert runs(program, home) == "0.1.0"
    first = updates_of(program, home, settings)
    assert fetched(qtbot, first) is Phase.READY, first.status.trouble
    first.close()
    assert feed.files_sent() == 3  # its own wheel, version.json and the lock; uv and Qt are here
    assert runs(program, home) == "0.2.0"

    newer = home / ".local" / "share" / "redraft" / "versions" / "0.2.0"
    second = updates_of(newer, home, settings)
    qtbot.waitUntil(lambda: second.status.previous == "0.1.0", timeout=NEXT)
    publish(feed, tmp_path / "built again", "0.3.0")  # and the update finds the next one
    assert fetched(qtbot, second) is Phase.READY, second.status.trouble
    second.close()
    assert runs(program, home) == "0.3.0"

    third = updates_of(newer.with_name("0.3.0"), home, settings)
    qtbot.waitUntil(lambda: third.status.previous == "0.2.0", timeout=NEXT)
    third.go_back()
    qtbot.waitUntil(lambda: third.status.phase is Phase.READY, timeout=NEXT)
    third.close()
    assert runs(program, home) == "0.2.0"


def test_a_wheel_that_is_not_the_lock_s_is_never_installed(qtbot, tmp_path, home, feed, settings):
    """A maintainer's mistake, signed: uv refuses it, and what is installed goes on."""
    program = installation(tmp_path / "a program", "0.1.0", feed)
    built = installation(tmp_path / "built", "0.2.0", feed)
    (wheel,) = (built / "wheels").glob("redraft-*")
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    release = updates_rig.builder().Release(version="0.2.0", notes={})
    updates_rig.builder().write(built, "linux", release, feed.folder, [feed.key])
    updates = updates_of(program, home, settings)
    assert fetched(qtbot, updates) is Phase.FAILED
    assert updates.status.trouble.message == "A file arrived that is not what it should be."
    updates.close()
    assert runs(program, home) == "0.1.0"
