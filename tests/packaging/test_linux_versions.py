"""Updates beside what is installed on Linux: the real launcher, uv and wheels; only Qt is a stand-in."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import platformdirs
import psutil
import pytest

from app.state.setup.making import Cancelled
from app.state.updates import install as installing
from app.state.updates.install import UpdateFailed, install
from app.versions import MOST_STARTS, Versions
from tests.packaging import linux_rig

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not Path("/usr/bin/python3").exists(),
    reason="a Linux with a Python of its own",
)

BROKEN = "if __name__ == '__main__':\n    raise SystemExit(3)\n"
# Starts again, once, as the window does.
RESTARTING = """
import os, sys
from pathlib import Path
from app.hop import hop, restart_command
if __name__ == "__main__":
    hop()
if "--again" not in sys.argv and "switch" in sys.argv:
    from app.layers import versions_in
    from app.paths import user_paths
    versions_in(user_paths().data).use("0.2.0")
if "--again" not in sys.argv and __name__ == "__main__":
    line = restart_command(Path(sys.argv[1]), sys.orig_argv)
    os.execv(line[0], [*line, "--again"])
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is one of that user's, too."""
    folder = tmp_path / "Ünï Çödé 名前"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def versions(home: Path) -> Versions:
    return Versions(data(home) / "versions", "0.1.0")


def data(home: Path) -> Path:
    return home / ".local" / "share" / "redraft"


def stage(versions: Versions, version: str = "0.2.0", app: str = linux_rig.APP) -> Path:
    return linux_rig.program(versions.staging(version), version, app)


def update(versions: Versions, version: str = "0.2.0", app: str = linux_rig.APP) -> None:
    stage(versions, version, app)
    make(versions, version)
    versions.use(version)


def make(versions: Versions, version: str = "0.2.0", is_cancelled=lambda: False) -> None:
    install(versions, version, versions.folder / "update.log", is_cancelled)


def runs(program: Path, home: Path, *arguments: str) -> str:
    """The version that a start of what is installed ends in."""
    done = linux_rig.start(program, home, *arguments)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["arguments"] == list(arguments)
    assert seen["isolated"] == 1
    return Path(seen["prefix"]).parent.name


def test_what_an_update_brings_runs_from_the_next_start_on(program, home, versions):
    assert runs(program, home) == "0.1.0"
    stage(versions)
    make(versions)
    assert not versions.staging("0.2.0").exists()
    assert runs(program, home) == "0.1.0"  # until somebody says so
    versions.use("0.2.0")
    made = data(home) / "runtime" / "0.2.0"
    when = (made / "complete").stat().st_mtime_ns
    assert runs(program, home, "--theme", "dark", "a text.md") == "0.2.0"
    assert (made / "complete").stat().st_mtime_ns == when  # its environment was ready
    note = made / "env" / "installed-from"
    assert Path(note.read_text("utf-8")) == versions.path("0.2.0")
    assert versions.base() == program


def test_one_that_does_not_start_is_left(program, home, versions):
    assert runs(program, home) == "0.1.0"
    update(versions, app=BROKEN)
    codes = [linux_rig.start(program, home).returncode for _ in range(MOST_STARTS)]
    assert codes == [3] * MOST_STARTS
    assert runs(program, home) == "0.1.0"
    assert versions.state().left == "0.2.0"
    update(versions, "0.3.0")  # the next update is not held back
    assert runs(program, home) == "0.3.0"


def test_one_whose_launcher_is_broken_is_left(program, home, versions):
    update(versions)
    (versions.path("0.2.0") / "launch.py").write_text("import nothing_like_that", encoding="utf-8")
    for _ in range(MOST_STARTS):
        assert linux_rig.start(program, home).returncode != 0
    assert runs(program, home) == "0.1.0"


def test_a_user_goes_back(program, home, versions):
    update(versions)
    assert runs(program, home) == "0.2.0"
    newer = Versions(versions.folder, "0.2.0")
    newer.confirm()
    newer.go_back()
    assert runs(program, home) == "0.1.0"


def test_an_installer_that_is_newer_wins(program, home, versions, tmp_path):
    update(versions)
    assert runs(program, home) == "0.2.0"
    assert runs(linux_rig.program(tmp_path / "newer", "0.3.0"), home) == "0.3.0"


@pytest.mark.parametrize("name", ["../../../a program", "/etc", "0.2.0/../0.3.0", ""])
def test_a_foreign_name_leads_nowhere(program, home, versions, name):
    update(versions)
    pointer = versions.folder / "current.json"
    words = json.loads(pointer.read_text("utf-8"))
    pointer.write_text(json.dumps({**words, "current": name}), encoding="utf-8")
    assert runs(program, home) == "0.1.0"


def test_where_nothing_can_be_noted_the_installed_version_runs(program, home, versions):
    """A new version that fails could never be left."""
    update(versions)
    (versions.folder / "current.lock").unlink()
    (versions.folder / "current.lock").mkdir()
    assert runs(program, home) == "0.1.0"


def test_a_restart_goes_to_the_version_that_is_to_run_by_then(home, versions, tmp_path):
    program = restarting(tmp_path / "restarting", "0.1.0")
    restarting(versions.staging("0.2.0"), "0.2.0")
    make(versions)
    place = str(data(home))
    first = runs_again(program, home, place, "switch")
    assert first == ("0.2.0", [place, "switch", "--again"])
    Versions(versions.folder, "0.2.0").confirm()
    second = runs_again(program, home, place)  # and from there to itself, through what is installed
    assert second == ("0.2.0", [place, "--again"])
    Versions(versions.folder, "0.2.0").go_back()
    assert runs_again(program, home, place)[0] == "0.1.0"


def restarting(folder: Path, version: str) -> Path:
    """An installation with what really finds its way from one version to another."""
    names = ("__init__", "hop", "layers", "paths", "pointer", "versions")
    more = {
        f"app/{name}.py": (linux_rig.ROOT / "app" / f"{name}.py").read_text("utf-8")
        for name in names
    }
    library = Path(platformdirs.__file__).parent
    more |= {f"platformdirs/{each.name}": each.read_text("utf-8") for each in library.glob("*.py")}
    return linux_rig.program(folder, version, RESTARTING + linux_rig.APP, more)


def runs_again(program: Path, home: Path, *arguments: str) -> tuple[str, list[str]]:
    done = linux_rig.start(program, home, *arguments)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    return Path(seen["prefix"]).parent.name, seen["arguments"]


def test_what_nobody_needs_any_more_is_removed(home, versions, tmp_path):
    """By the version that runs; the one before it stays, ready to start."""
    program = restarting(tmp_path / "restarting", "0.1.0")
    assert runs_again(program, home, str(data(home)))[0] == "0.1.0"
    for version in ("0.1.5", "0.2.0", "0.3.0"):
        restarting(versions.staging(version), version)
        make(versions, version)
    Versions(versions.folder, "0.2.0").use("0.3.0")
    assert runs_again(program, home, str(data(home)))[0] == "0.3.0"
    python = data(home) / "runtime" / "0.3.0" / "env" / "bin" / "python"
    code = "from app.layers import *; from app.paths import user_paths\n"
    code += "remove_old_versions(user_paths().data)"
    subprocess.run([python, "-I", "-c", code], env=linux_rig.variables(home), check=True)
    for folder in (versions.folder, data(home) / "runtime"):
        assert {each.name for each in folder.iterdir() if each.is_dir()} == {"0.2.0", "0.3.0"}


def test_removing_takes_updates_along(program, home, versions):
    update(versions)
    (data(home) / "chats.sqlite").write_text("chats", encoding="utf-8")
    assert linux_rig.start(program, home, "--remove").returncode == 0
    assert [each.name for each in data(home).iterdir()] == ["chats.sqlite"]


# --- installing -----------------------------------------------------------------------------------


def test_a_wheel_that_is_another_one_is_refused(program, home, versions):
    folder = stage(versions)
    linux_rig.wheel(folder / "wheels", "redraft", "0.2.0", {"app/__main__.py": "import evil"})
    with pytest.raises(UpdateFailed) as failed:
        make(versions)
    assert failed.value.trouble.message == "A file arrived that is not what it should be."
    assert not versions.staging("0.2.0").exists()  # as its remedy says
    assert not (data(home) / "runtime" / "0.2.0").exists()
    assert runs(program, home) == "0.1.0"
    update(versions)
    assert runs(program, home) == "0.2.0"


def test_one_that_cannot_be_imported_is_never_used(program, home, versions):
    stage(versions, app="import nothing_like_that")
    with pytest.raises(UpdateFailed, match=r"Redraft 0\.2\.0 does not start on this PC"):
        make(versions)
    assert not versions.is_whole("0.2.0")
    assert not (data(home) / "runtime" / "0.2.0").exists()
    assert runs(program, home) == "0.1.0"


@pytest.mark.parametrize("said", ["0.3.0", "", None])
def test_what_says_it_is_another_version_is_refused(versions, said):
    folder = stage(versions)
    (folder / "version.json").write_text(json.dumps({"version": said}), encoding="utf-8")
    with pytest.raises(UpdateFailed, match="has not arrived as a whole"):
        make(versions)


def test_too_little_room_is_said_before_anything_is_done(versions, monkeypatch):
    stage(versions)
    monkeypatch.setattr(installing, "ROOM", 10**18)
    with pytest.raises(UpdateFailed, match=r"needs 1000000000\.0 GB of disk"):
        make(versions)
    assert not (versions.folder.parent / "runtime").exists()


FULL = """
import subprocess, sys
from pathlib import Path
from app.state.updates import install as installing
from app.versions import Versions
from tests.packaging import linux_rig
data = Path(sys.argv[1])
data.mkdir(parents=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", data], check=True)
versions = Versions(data / "versions", "0.1.0")
folder = linux_rig.program(versions.staging("0.2.0"), "0.2.0")
launcher = folder / "launch.py"
launcher.write_text(launcher.read_text("utf-8").replace("SPACE = 700_000_000", "SPACE = 0"), "utf-8")
installing.ROOM = 0
left = int(sys.argv[2])
try:
    with (data / "filler").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
except OSError:
    file.close()
with (data / "filler").open("r+b") as file:
    file.truncate((data / "filler").stat().st_size - left)
try:
    installing.install(versions, "0.2.0", Path(sys.argv[3]), lambda: False)
except installing.UpdateFailed as error:
    print(error)
assert versions.state().current == "0.1.0" and not versions.is_whole("0.2.0")
(data / "filler").unlink()
installing.install(versions, "0.2.0", Path(sys.argv[3]), lambda: False)
print(versions.is_whole("0.2.0"))
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0
    if sys.platform == "linux"
    else True,
    reason="needs the right to mount a small disk",
)
@pytest.mark.parametrize("left", [0, 8_192, 40_960])
def test_a_disk_that_gets_full_is_said_and_the_next_try_goes_on(home, tmp_path, left):
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", FULL, data(home), str(left), tmp_path / "log"],
        cwd=linux_rig.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "The disk is full.\nTrue\n", done.stderr


def test_stopping_ends_what_runs_and_the_next_try_goes_on(program, home, versions):
    folder = stage(versions)
    uv = folder / "uv"
    real = uv.readlink()
    uv.unlink()
    uv.write_text("#!/bin/sh\nexec sleep 60\n", encoding="utf-8")
    uv.chmod(0o755)
    others = set(psutil.Process().children(recursive=True))  # of tests before this one
    stopped = threading.Event()
    threading.Timer(1.0, stopped.set).start()
    with pytest.raises(Cancelled):
        make(versions, is_cancelled=stopped.is_set)
    left = set(psutil.Process().children(recursive=True)) - others
    assert not [each for each in left if each.is_running()]
    uv.unlink()
    uv.symlink_to(real)
    make(versions)
    versions.use("0.2.0")
    assert runs(program, home) == "0.2.0"


INSTALL = """
import sys
from pathlib import Path
from app.state.updates.install import install
from app.versions import Versions
versions = Versions(Path(sys.argv[1]), "0.1.0")
print(flush=True)
install(versions, "0.2.0", versions.folder / f"{sys.argv[2]}.log", lambda: False)
versions.use("0.2.0")
"""


def begin(versions: Versions, name: str = "update") -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-c", INSTALL, versions.folder, name],
        cwd=linux_rig.ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert started.stdout is not None
    assert started.stdout.readline() == "\n"
    return started


def test_a_kill_at_any_moment_leaves_a_version_that_starts(program, home, versions):
    assert runs(program, home) == "0.1.0"
    stage(versions)
    chance = random.Random(3)
    for _ in range(10):
        with begin(versions) as started:
            time.sleep(chance.uniform(0, 0.8))
            os.killpg(started.pid, signal.SIGKILL)
        assert runs(program, home) == versions.state().current
        if versions.state().current == "0.2.0":
            Versions(versions.folder, "0.2.0").confirm()
    if versions.state().current == "0.1.0":
        make(versions)
        versions.use("0.2.0")
    assert runs(program, home) == "0.2.0"


def test_two_at_once_install_it_once(program, home, versions):
    stage(versions)
    both = [begin(versions, name) for name in ("one", "two")]
    assert [each.wait(60) for each in both] == [0, 0]
    logs = [versions.folder / f"{name}.log" for name in ("one", "two")]
    assert sum("--prepare" in each.read_text("utf-8") for each in logs if each.exists()) == 1
    assert runs(program, home) == "0.2.0"
