"""The first start of an installed Redraft on Linux, with the real uv; only Qt is a stand-in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging import linux_rig

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not Path("/usr/bin/python3").exists(),
    reason="a Linux with a Python of its own",
)


def data(home: Path) -> Path:
    return home / ".local" / "share" / "redraft"


def seen(done: subprocess.CompletedProcess[str]) -> dict:
    """What the app saw when it was started."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_first_start_makes_the_environment_and_the_second_uses_it(program, home):
    first = seen(linux_rig.start(program, home, "--theme", "dark"))
    runtime = data(home) / "runtime" / "0.1.0"
    assert first["prefix"] == str(runtime / "env")
    assert first["arguments"] == ["--theme", "dark"]
    assert (runtime / "env" / "installed-from").read_text("utf-8") == str(program)
    when = (runtime / "complete").stat().st_mtime_ns
    assert seen(linux_rig.start(program, home)) == first | {"arguments": []}
    assert (runtime / "complete").stat().st_mtime_ns == when


def test_nothing_foreign_reaches_uv_or_the_app(program, home, tmp_path):
    (tmp_path / "app.py").write_text("raise SystemExit('a foreign app')", encoding="utf-8")
    shutil.copy(tmp_path / "app.py", home)  # it is the current folder, too
    wrong = tmp_path / "bin"
    wrong.mkdir()
    for name in ("python3", "python3.11", "uv"):
        (wrong / name).write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
        (wrong / name).chmod(0o755)
    foreign = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": "/nowhere",
        "UV_PYTHON": "/nowhere",
        "UV_REQUIRE_HASHES": "0",
        "UV_CACHE_DIR": "/nowhere",
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "VIRTUAL_ENV": "/nowhere",
        "QT_PLUGIN_PATH": "/nowhere",
        "PATH": f"{wrong}:/usr/bin:/bin",
    }
    found = seen(linux_rig.start(program, home, QT_SCALE_FACTOR="2", **foreign))
    assert found["isolated"] == 1
    assert not set(found["variables"]) & (set(foreign) - {"PATH"})
    assert found["variables"]["QT_SCALE_FACTOR"] == "2"  # the user's own


def test_a_start_that_was_cut_off_leaves_nothing_half_done(program, home):
    part = data(home) / "runtime" / "0.1.0.part" / "env" / "bin"
    part.mkdir(parents=True)
    (part / "python").write_text("half a file", encoding="utf-8")
    seen(linux_rig.start(program, home))
    assert [each.name for each in (data(home) / "runtime").iterdir() if each.is_dir()] == ["0.1.0"]


def test_four_starts_at_once_make_one_environment(program, home):
    command = [program / "redraft"]
    started = [
        subprocess.Popen(
            command,
            env=linux_rig.variables(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    results = [each.communicate(timeout=60) for each in started]
    assert [each.returncode for each in started] == [0] * 4, results
    assert sum("Checking that a window can open" in out for out, _ in results) == 1


@pytest.mark.parametrize("change", ["lock", "moved", "repair", "python gone"])
def test_it_is_made_anew_where_it_does_not_fit(program, home, tmp_path, change):
    first = seen(linux_rig.start(program, home))
    marker = Path(first["prefix"]) / "marker"
    marker.touch()
    arguments: list[str] = []
    match change:
        case "lock":
            lock = program / "locks" / "gui-linux.txt"
            lock.write_text(f"# newer\n{lock.read_text('utf-8')}", encoding="utf-8")
        case "moved":
            program = program.rename(tmp_path / "elsewhere")
        case "repair":
            arguments = ["--repair"]
        case "python gone":
            (Path(first["prefix"]) / "bin" / "python").unlink()
    again = seen(linux_rig.start(program, home, *arguments))
    assert again["arguments"] == []
    assert not marker.exists()


def test_another_version_lies_beside_the_first(program, home, tmp_path):
    older = seen(linux_rig.start(program, home))
    newer = seen(linux_rig.start(linux_rig.program(tmp_path / "newer", "0.2.0"), home))
    assert Path(newer["prefix"]).parents[1] == Path(older["prefix"]).parents[1]
    assert seen(linux_rig.start(program, home)) == older  # and back again


def test_a_damaged_wheel_ends_in_a_sentence(program, home):
    (wheel,) = (program / "wheels").glob("redraft-*.whl")
    linux_rig.wheel(program / "wheels", "redraft", "0.1.0", {"app/__main__.py": "import evil"})
    assert wheel.exists()
    done = linux_rig.start(program, home)
    assert done.returncode == 1
    assert "could not be set up" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (data(home) / "runtime" / "0.1.0").exists()


@pytest.mark.parametrize("missing", ["version.json", "locks/gui-linux.txt", "uv"])
def test_a_missing_part_ends_in_a_sentence(program, home, missing):
    (program / missing).unlink()
    done = linux_rig.start(program, home)
    assert done.returncode == 1
    assert "damaged. Install Redraft again." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_ends_in_a_sentence(program, home):
    data(home).parent.mkdir(parents=True)
    data(home).write_text("a file in its place", encoding="utf-8")
    done = linux_rig.start(program, home)
    assert done.returncode == 1
    assert "cannot set itself up" in done.stderr


def test_removing_keeps_what_is_the_users(program, home):
    seen(linux_rig.start(program, home))
    (data(home) / "chats.sqlite").write_text("chats", encoding="utf-8")
    (data(home) / "kernels" / "triton").mkdir(parents=True)
    done = linux_rig.start(program, home, "--remove")
    assert done.returncode == 0
    assert [each.name for each in data(home).iterdir()] == ["chats.sqlite"]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("platform.machine", "lambda: 'aarch64'", "aarch64"),
        ("sys.version_info", "(3, 10, 1)", "Python 3.11"),
        ("os.confstr", "lambda _: 'glibc 2.31'", "glibc 2.34"),
        ("os.confstr", "lambda _: None", "glibc 2.34"),
    ],
)
def test_a_system_that_does_not_fit_is_told_why(program, name, value, word):
    module = name.split(".")[0]
    code = (
        f"import {module}, sys; sys.path.insert(0, {str(program)!r}); import launch\n"
        f"import bootstrap_system; {name} = {value}\n"
        "try: launch.check_system()\n"
        "except bootstrap_system.SetupError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert word in done.stdout


def test_a_short_wait_is_silent_and_a_long_one_is_not(program, tmp_path):
    code = "import sys, time; sys.path.insert(0, sys.argv[1]); import launch_words as words\n"
    code += "with words.progress('Please wait'): time.sleep(float(sys.argv[2]))"
    said = [
        subprocess.run(
            [sys.executable, "-c", code, str(program), seconds],
            env=linux_rig.variables(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for seconds in ("0", "1.5")
    ]
    assert said == ["", "Please wait\n"]
