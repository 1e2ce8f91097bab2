"""Which version a start runs, asked of real files; kills and races with real processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import pointer as files
from app.paths import ASSETS
from app.versions import MOST_STARTS, State, Versions, is_newer, is_version, windows_can_start

BASE = "0.1.0"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return installation(tmp_path / "opt", BASE)


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "Ünï 名前" / "versions", BASE)


def installation(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "version.json").write_text(json.dumps({"version": version}), encoding="utf-8")
    for name in ("redraft", "launch.py"):
        (folder / name).touch()
    return folder


def bring(versions: Versions, *names: str) -> None:
    for name in names:
        installation(versions.path(name), name)


def started(versions: Versions, base: Path) -> str:
    """What a start of the installed version runs, by its name."""
    chosen = versions.choose(base)
    return chosen.name if chosen else versions.own


def seen_by(versions: Versions, own: str) -> Versions:
    return Versions(versions.folder, own)


@pytest.mark.parametrize("name", ["0.1.0", "1.2.3", "10.20.9999"])
def test_these_are_versions(name):
    assert is_version(name)


@pytest.mark.parametrize(
    "name",
    ["", "1", "1.2", "1.2.3.4", "../0.2.0", "0.2.0/..", "0.2.0\n", " 0.2.0", "v0.2.0", "0.2.0rc1",
     "00.2.0", "0.02.0", "0.2.-1", "\u0660.\u0661.\u0662", "0.2.00", "99999.0.0", "/", "..", "0.2.0.part"],
)  # fmt: skip
def test_these_never_become_a_path(versions, base, name):
    assert not is_version(name)
    for use in (versions.path, versions.staging, versions.use):
        with pytest.raises(ValueError, match=r"not a version|cannot follow"):
            use(name)
    assert not versions.is_whole(name)
    write(versions, current=name)
    assert started(versions, base) == BASE


def test_versions_are_compared_by_their_numbers():
    rising = ["0.1.0", "0.1.9", "0.1.10", "0.2.0", "0.10.0", "1.0.0", "2.0.0", "10.0.0"]
    for low, one in enumerate(rising):
        for high, other in enumerate(rising):
            assert is_newer(other, one) is (high > low)


def write(versions: Versions, **fields: object) -> None:
    versions.folder.mkdir(parents=True, exist_ok=True)
    whole = {"format": 1, "current": "", "previous": "", "starts": 0, "is_confirmed": True,
             "failed": [], "left": "", "base": ""}  # fmt: skip
    text = json.dumps({**whole, **fields})
    (versions.folder / "current.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "7", '"0.2.0"', '{"format": 2, "current": "0.2.0"}', "[" * 100_000,
     '{"format": 1}', '{"format": 1, "current": "0.2.0"}'],
)  # fmt: skip
def test_with_a_damaged_file_the_installed_version_runs(versions, base, text):
    bring(versions, "0.2.0")
    (versions.folder / "current.json").write_text(text, encoding="utf-8")
    assert started(versions, base) == BASE
    assert versions.state() == State(current=BASE)
    versions.confirm()
    versions.use("0.2.0")  # and an update sets it right
    assert started(versions, base) == "0.2.0"


@pytest.mark.parametrize(
    "fields",
    [{"current": 7}, {"current": None}, {"previous": "x"}, {"starts": "1"}, {"starts": True},
     {"is_confirmed": 1}, {"failed": "0.3.0"}, {"failed": [7]}, {"failed": ["../x"]}, {"left": "/"},
     {"base": None}],
)  # fmt: skip
def test_one_wrong_value_is_a_damaged_file(versions, base, fields):
    bring(versions, "0.2.0")
    write(versions, **{"current": "0.2.0", **fields})
    assert started(versions, base) == BASE


def test_what_a_later_version_adds_to_the_file_does_no_harm(versions, base):
    bring(versions, "0.2.0")
    write(versions, current="0.2.0", more={"of": "it"})
    assert started(versions, base) == "0.2.0"


def test_a_folder_in_place_of_the_file_does_no_harm(versions, base):
    (versions.folder / "current.json").mkdir(parents=True)
    assert started(versions, base) == BASE


def test_a_new_version_runs_and_stays_once_its_window_was_there(versions, base):
    bring(versions, "0.2.0")
    versions.use("0.2.0")
    assert versions.state() == State(current="0.2.0", previous=BASE)
    assert started(versions, base) == "0.2.0"
    newer = seen_by(versions, "0.2.0")
    newer.confirm()
    file = versions.folder / "current.json"
    before = file.stat().st_mtime_ns, file.stat().st_ino
    assert [started(versions, base) for _ in range(5)] == ["0.2.0"] * 5
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before  # the usual start writes nothing
    assert newer.base() == base


@pytest.mark.parametrize("name", ["0.1.0", "0.0.9"])
def test_only_a_newer_version_can_be_used(versions, name):
    bring(versions, name)
    with pytest.raises(ValueError, match="cannot follow"):
        versions.use(name)


def test_only_what_is_whole_can_be_used(versions):
    with pytest.raises(ValueError, match="cannot follow"):
        versions.use("0.2.0")
    installation(versions.path("0.2.0"), "0.3.0")  # says it is another one
    with pytest.raises(ValueError, match="cannot follow"):
        versions.use("0.2.0")


def test_a_version_that_never_shows_a_window_is_left_and_told_once(versions, base):
    bring(versions, "0.2.0")
    versions.use("0.2.0")
    assert [started(versions, base) for _ in range(MOST_STARTS)] == ["0.2.0"] * MOST_STARTS
    assert started(versions, base) == BASE
    assert versions.state() == State(current=BASE, failed=("0.2.0",), left="0.2.0")
    versions.confirm()
    assert versions.state() == State(current=BASE, failed=("0.2.0",))
    assert started(versions, base) == BASE
    versions.use("0.2.0")  # the user wants to try again
    assert started(versions, base) == "0.2.0"
    assert not versions.state().failed


def test_the_one_before_may_be_an_update_itself(versions, base):
    bring(versions, "0.2.0", "0.3.0")
    versions.use("0.2.0")
    assert started(versions, base) == "0.2.0"
    second = seen_by(versions, "0.2.0")
    second.confirm()
    second.use("0.3.0")
    assert second.state() == State(current="0.3.0", previous="0.2.0")
    ran = [started(versions, base) for _ in range(MOST_STARTS + 2)]
    assert ran == ["0.3.0"] * MOST_STARTS + ["0.2.0"] * 2
    assert second.state() == State(current="0.2.0", previous=BASE, failed=("0.3.0",), left="0.3.0")


def test_the_user_goes_back_step_by_step(versions, base):
    bring(versions, "0.2.0", "0.3.0")
    for own, newer in ((BASE, "0.2.0"), ("0.2.0", "0.3.0")):
        seen_by(versions, own).use(newer)
        assert started(versions, base) == newer
        seen_by(versions, newer).confirm()
    seen_by(versions, "0.3.0").go_back()
    assert started(versions, base) == "0.2.0"
    seen_by(versions, "0.2.0").go_back()
    assert started(versions, base) == BASE
    assert versions.state() == State(current=BASE, failed=("0.3.0", "0.2.0"))  # nothing to tell
    with pytest.raises(ValueError, match="nothing to go back to"):
        versions.go_back()


def test_a_version_whose_files_are_gone_is_left(versions, base):
    bring(versions, "0.2.0")
    versions.use("0.2.0")
    assert started(versions, base) == "0.2.0"
    seen_by(versions, "0.2.0").confirm()
    (versions.path("0.2.0") / "version.json").unlink()
    assert started(versions, base) == BASE
    assert versions.state().left == "0.2.0"


def test_an_installer_that_brings_a_newer_version_wins(versions, tmp_path):
    bring(versions, "0.2.0", "0.3.0")
    versions.use("0.2.0")
    seen_by(versions, "0.2.0").use("0.3.0")
    for version in ("0.3.0", "0.3.1"):
        base = installation(tmp_path / "opt", version)
        installed = seen_by(versions, version)
        assert started(installed, base) == version
        assert installed.state() == State(current=version)
    installed.tidy()
    assert not [each for each in versions.folder.iterdir() if each.is_dir()]
    older = installation(
        tmp_path / "opt", "0.2.5"
    )  # and one that is older than the update does not
    bring(versions, "0.3.0")
    assert started(seen_by(versions, "0.2.5"), older) == "0.3.0"


def test_going_back_behind_an_installer_leads_to_what_that_has_brought(versions, base, tmp_path):
    bring(versions, "0.2.0", "0.3.0")
    versions.use("0.2.0")
    started(versions, base)
    seen_by(versions, "0.2.0").use("0.3.0")
    installation(base, "0.2.5")
    assert started(seen_by(versions, "0.2.5"), base) == "0.3.0"
    third = seen_by(versions, "0.3.0")
    third.confirm()
    assert third.state().previous == "0.2.5"
    third.go_back()
    assert started(seen_by(versions, "0.2.5"), base) == "0.2.5"


def test_the_one_in_use_and_the_one_before_are_kept(versions, base):
    names = ["0.1.5", "0.2.0", "0.3.0"]
    bring(versions, *names)
    for own, newer in zip([BASE, *names], names, strict=False):
        seen_by(versions, own).use(newer)
        started(versions, base)
    foreign = ["notes", "0.2.0.old", "9.9.9.part.x"]
    for name in (*foreign, "0.2.5.part", "0.4.0.part", "0.5.0"):
        (versions.folder / name).mkdir()
    kept = seen_by(versions, "0.3.0").tidy()
    folders = {each.name for each in versions.folder.iterdir() if each.is_dir()}
    assert folders == {"0.2.0", "0.3.0", "0.4.0.part", "0.5.0", *foreign}  # 0.5.0 may yet be used
    assert {each for each in kept if is_version(each)} == {"0.2.0", "0.3.0", "0.4.0", "0.5.0"}


def test_a_version_that_was_left_is_removed(versions, base):
    bring(versions, "0.2.0", "0.3.0")
    versions.use("0.3.0")
    for _ in range(MOST_STARTS + 1):
        versions.choose(base)
    versions.staging("0.3.0").mkdir()
    versions.tidy()
    assert {each.name for each in versions.folder.iterdir() if each.is_dir()} == {"0.2.0"}


def test_nothing_is_removed_while_an_update_is_installed(versions):
    bring(versions, "0.2.0")
    newer = seen_by(versions, "0.3.0")
    with files.alone(versions.folder / "install.lock"):
        newer.tidy()
        assert versions.path("0.2.0").is_dir()
    newer.tidy()
    assert not versions.path("0.2.0").exists()


def test_without_updates_nothing_is_written(versions, base):
    assert started(versions, base) == BASE
    versions.confirm()
    versions.withdraw()
    versions.begin()
    versions.tidy()
    assert not versions.folder.exists()


# --- processes ------------------------------------------------------------------------------------

BEGIN = "import sys, time, pathlib; from app.versions import Versions; "
BEGIN += "own = Versions(pathlib.Path(sys.argv[1]), sys.argv[2]); "


def process(code: str, versions: Versions, own: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + code, versions.folder, own],
        cwd=ASSETS.parent, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_who_waits_for_the_first_window_may_click_again(versions, base):
    bring(versions, "0.2.0")
    versions.use("0.2.0")
    assert started(versions, base) == "0.2.0"
    with process("own.begin(); print(flush=True); time.sleep(60)", versions, "0.2.0") as first:
        assert first.stdout.readline() == "\n"
        assert [started(versions, base) for _ in range(5)] == ["0.2.0"] * 5
        first.kill()
    assert started(versions, base) == "0.2.0"  # the second that is counted
    with process("own.begin(); print(flush=True); time.sleep(60)", versions, "0.2.0") as second:
        assert second.stdout.readline() == "\n"
        assert started(versions, base) == "0.2.0"  # and may yet come to something
        second.kill()
    assert started(versions, base) == BASE


def test_starts_that_only_show_another_window_do_not_count(versions, base):
    bring(versions, "0.2.0")
    versions.use("0.2.0")
    for _ in range(5):
        assert started(versions, base) == "0.2.0"
        seen_by(versions, "0.2.0").withdraw()
    assert [started(versions, base) for _ in range(MOST_STARTS + 1)][-1] == BASE


def test_starts_at_once_are_all_counted(versions, base):
    bring(versions, "0.2.0")
    versions.use("0.2.0")
    code = f"print(own.choose(pathlib.Path({str(base)!r})))"
    every = [process(code, versions, BASE) for _ in range(6)]
    said = sorted(each.communicate(timeout=60)[0].strip() for each in every)
    assert said == [str(versions.path("0.2.0"))] * MOST_STARTS + ["None"] * (6 - MOST_STARTS)


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
def test_a_kill_while_it_is_switched_leaves_one_version_that_starts(versions, base):
    """To and fro without pause, killed at random moments."""
    bring(versions, "0.2.0")
    code = "print(flush=True)\nwhile True:\n own.use('0.2.0'); own.confirm()"
    code += "\n own.go_back(); own.withdraw()"
    chance = random.Random(7)
    found = set()
    for _ in range(25):
        with process("\n" + code, versions, BASE) as switching:
            assert switching.stdout.readline() == "\n"
            time.sleep(chance.uniform(0, 0.03))
            switching.send_signal(signal.SIGKILL)
        written = json.loads((versions.folder / "current.json").read_text("utf-8"))
        found.add(written["current"])
        assert versions.state().current == (written["current"] or BASE)
        assert started(versions, base) == (written["current"] or BASE)
        seen_by(versions, "0.2.0").confirm()  # else it is left after two such starts
    assert found == {"0.2.0", BASE}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full, as Linux has it")
def test_on_a_full_disk_the_file_stays_what_it_was(versions, base):
    bring(versions, "0.2.0", "0.3.0")
    versions.use("0.2.0")
    started(versions, base)
    before = (versions.folder / "current.json").read_bytes()
    (versions.folder / "current.part").unlink(missing_ok=True)
    (versions.folder / "current.part").symlink_to("/dev/full")
    newer = seen_by(versions, "0.2.0")
    for change in (lambda: newer.use("0.3.0"), newer.confirm, newer.go_back):
        with pytest.raises(OSError, match="No space left"):
            change()
        assert (versions.folder / "current.json").read_bytes() == before


# --- Windows, as far as it can be seen here -------------------------------------------------------


def test_an_environment_of_windows_needs_its_python(tmp_path):
    folder, python = tmp_path / "0.2.0", tmp_path / "Pythön 3.12"
    assert not windows_can_start(folder)
    (folder / "env" / "Scripts").mkdir(parents=True)
    (folder / "env" / "Scripts" / "pythonw.exe").touch()
    python.mkdir()
    (python / "python.exe").touch()
    config = f"home = {python}\nimplementation = CPython\nrelocatable = true\n"
    (folder / "env" / "pyvenv.cfg").write_text(config, encoding="utf-8")
    assert windows_can_start(folder)
    (python / "python.exe").unlink()  # as the installer of another version does
    assert not windows_can_start(folder)
