"""From one version to another: what Windows does at the start, and what a real window writes down."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uv

from app.hop import clean, restart_command, start_command
from app.paths import ASSETS
from app.state.updates.install import windows_commands
from app.versions import State, Versions
from tests.app.test_versions import installation, write

PROJECT = ASSETS.parent

# --- Windows, as far as it can be seen here -------------------------------------------------------

STARTER = """#!/bin/sh
{ printf '%s\\n' "$@"; env; } >"$0.part"
mv "$0.part" "$0.seen"
"""
# What the shortcut starts; the folders are those of the installed Redraft.
BASE = """
import sys
sys.prefix = sys.argv.pop(1)
from app.hop import hop
hop(windows=True)
print("goes on itself")
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return installation(tmp_path / "Ünï Programs" / "app", "0.1.0")


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "redraft" / "versions", "0.1.0")


@pytest.fixture
def starter(versions: Versions) -> Path:
    """The pythonw.exe of an update that is to run."""
    folder = installation(versions.path("0.2.0"), "0.2.0")
    path = Path(start_command(folder, windows=True)[0])
    path.parent.mkdir(parents=True)
    path.write_text(STARTER, encoding="utf-8")
    path.chmod(0o755)
    versions.use("0.2.0")
    return path


def begin(prefix: Path, versions: Versions, *words: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BASE, prefix, *words],
        env={**os.environ, "XDG_DATA_HOME": str(versions.folder.parents[1]), **more},
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(os.name != "posix", reason="the other version is a shell script")
def test_the_installed_version_starts_the_newer_one_and_ends(base, versions, starter):
    words = ["C:\\a text.md", "--theme", "dark", "ünï 名前"]
    foreign = {"PYTHONPATH": str(PROJECT), "UV_PYTHON": "3.9"}
    assert begin(base / "env", versions, *words, QT_SCALE_FACTOR="2", **foreign) == ""
    seen = starter.with_name(starter.name + ".seen")
    end = time.monotonic() + 20
    while not seen.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    lines = seen.read_text("utf-8").splitlines()
    assert lines[: 3 + len(words)] == ["-I", "-m", "app", *words]
    variables = {line.partition("=")[0] for line in lines}
    assert not variables & set(foreign)
    assert "QT_SCALE_FACTOR" in variables  # the user's own


@pytest.mark.skipif(os.name != "posix", reason="the other version is a shell script")
def test_what_has_been_started_so_looks_no_further(base, versions, starter):
    """Whatever the file says, and whichever version lies there."""
    write(versions, current="0.3.0")
    installation(versions.path("0.3.0"), "0.3.0")
    assert begin(versions.path("0.2.0") / "env", versions) == "goes on itself\n"


@pytest.mark.skipif(os.name != "posix", reason="the other version is a shell script")
def test_a_program_that_is_not_there_is_survived(base, versions, starter):
    starter.unlink()
    assert begin(base / "env", versions) == "goes on itself\n"


def test_only_what_leads_another_python_elsewhere_is_left_out():
    kept = {"PATH": "a", "HTTPS_PROXY": "b", "PYTHO": "c"}
    left = {"PYTHONHOME": "x", "PIP_INDEX_URL": "x", "UV_X": "x", "__PYVENV_LAUNCHER__": "x"}
    assert clean({**kept, **left}) == kept


def test_an_update_is_made_by_the_words_of_the_installer(tmp_path):
    script = (PROJECT / "packaging/windows/environment.nsh").read_text("utf-8")
    (shared,) = re.findall(r"StrCpy \$R1 '(.*)'", script)
    lines = re.findall(r"!insertmacro RUN '(\$R0 .*)'$", script, re.MULTILINE)
    theirs = [options(line.replace("$R1", shared).split()) for line in lines]
    *ours, check = windows_commands(tmp_path, tmp_path / "python.exe")
    assert [options([str(word) for word in command]) for command in ours] == theirs
    assert f'-I -c "{check[-1]}"' in script


def options(words: list[str]) -> set[str]:
    return {word for word in words if re.fullmatch(r"-[-\w]+|venv|pip|install|never", word)}


@pytest.mark.skipif(os.name != "posix", reason="uv for Linux, where Windows' names lead to")
def test_real_uv_understands_them_and_the_environment_can_be_moved(tmp_path):
    folder = tmp_path / "Ünï 名前" / "0.2.0.part"
    for name in ("wheels", "locks", "env"):
        (folder / name).mkdir(parents=True)
    (folder / "uv.exe").symlink_to(uv.find_uv_bin())
    (folder / "locks" / "gui-windows.txt").write_text("# nothing but Python\n")
    (folder / "env").rmdir()
    venv, pip, _check = windows_commands(folder, Path(sys.executable))
    subprocess.run([*map(str, venv)], check=True, capture_output=True)
    (folder / "env" / "Scripts").mkdir()
    (folder / "env" / "Scripts" / "python.exe").symlink_to("../bin/python")
    subprocess.run([*map(str, pip)], check=True, capture_output=True)
    moved = folder.rename(folder.with_name("0.2.0"))
    python = moved / "env" / "bin" / "python"
    said = subprocess.run(
        [python, "-I", "-c", "import sys; print(sys.prefix)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert Path(said.stdout.strip()) == moved / "env"


def test_a_source_checkout_starts_itself_again(tmp_path):
    original = ["python", "-X", "utf8", "-m", "app", "--theme", "dark"]
    assert restart_command(tmp_path, original) == [sys.executable, *original[1:]]


# --- a real window --------------------------------------------------------------------------------

WINDOW = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
import app.__main__ as program
from app.versions import Versions
from tests.fakes import FakePipeline, answering, no_jobs

program.versions_in = lambda data: Versions(Path(sys.argv[1]), sys.argv[2])
program.load = FakePipeline(answering("Hello there.")).load
program.run_job = no_jobs
program.SETTLED_MS = 10
build = program.build

def driven(*given):
    running = build(*given)
    window = running.window

    def look():
        if running.status.state.ready:
            print(window.notice.isVisible(), window.notice.text, flush=True)
            timer.stop()
            if sys.argv[3] == "close":
                QTimer.singleShot(200, window.close)

    timer = QTimer(window)
    timer.timeout.connect(look)
    timer.start(20)
    return running

program.build = driven
sys.exit(program.main(["--model", "demo"]))
"""


def window(tmp_path: Path, versions: Versions, own: str, what: str) -> subprocess.Popen[str]:
    home = {name: str(tmp_path) for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    return subprocess.Popen(
        [sys.executable, "-c", WINDOW, versions.folder, own, what],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT,
        env={**os.environ, **home, "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="the folders are set as Linux knows them")
def test_a_version_that_shows_its_window_stays(tmp_path, base, versions):
    installation(versions.path("0.2.0"), "0.2.0")
    versions.use("0.2.0")
    assert versions.choose(base) == versions.path("0.2.0")
    with window(tmp_path, versions, "0.2.0", "stay") as running:
        assert running.stdout.readline().strip() == "False"
        file = versions.folder / "current.json"
        end = time.monotonic() + 20
        while not json.loads(file.read_text("utf-8"))["is_confirmed"]:
            assert time.monotonic() < end
            time.sleep(0.02)
        # A later start shows that window, and leaves the count as it was.
        write(versions, **{**json.loads(file.read_text("utf-8")), "starts": 1})
        with window(tmp_path, versions, "0.2.0", "stay") as second:
            assert second.wait(60) == 0
        assert json.loads(file.read_text("utf-8"))["starts"] == 0
        running.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the folders are set as Linux knows them")
def test_a_version_that_did_not_start_is_told_once(tmp_path, base, versions):
    write(versions, current="0.1.0", failed=["0.2.0"], left="0.2.0", base=str(base))
    told = "True Redraft 0.2.0 did not start. Redraft 0.1.0 goes on. Everything you have written is kept."
    for words in (told, "False"):
        with window(tmp_path, versions, "0.1.0", "close") as running:
            said, errors = running.communicate(timeout=60)
        assert running.returncode == 0, errors
        assert said.strip() == words
    assert versions.state() == State(current="0.1.0", failed=("0.2.0",))
