"""The installer for Windows under Wine, disturbed: calls that fail, kills, files in use."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace

import pytest

from tests.packaging.wine.setups import (
    Wine,
    contents,
    install,
    installed,
    missing_tools,
    uninstall,
    until,
)

pytestmark = pytest.mark.skipif(
    bool(missing_tools()),
    reason="needs " + ", ".join(missing_tools()) + ": apt install nsis wine64 gcc-mingw-w64-x86-64",
)
STEPS = {"python": 8, "pip": 9, "check": 9}  # which call fails: the exit code


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_fails_leaves_the_old_version_as_it_was(
    wine: Wine, built: SimpleNamespace, step: str
) -> None:
    assert install(wine, built.first) == 0
    before = contents(installed(wine) / "app")
    assert install(wine, built.second, FAKE_FAIL=step) == STEPS[step]
    assert contents(installed(wine) / "app") == before
    assert not list(installed(wine).glob("app.*"))
    assert wine.registered()["DisplayVersion"] == "0.9.0"
    log = (installed(wine) / "setup.log").read_text(encoding="utf-16")
    assert "error: this call was told to fail" in log
    assert install(wine, built.second) == 0
    assert wine.registered()["DisplayVersion"] == "0.10.0"


def test_a_setup_that_was_killed_is_made_up_for_by_the_next(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    before = contents(installed(wine) / "app")
    wine.forget()
    killed = wine.start(built.second, "/S", FAKE_WAIT="pip")
    until(lambda: len(wine.calls()) == 3)
    wine.end()
    killed.wait(timeout=20)
    assert contents(installed(wine) / "app") == before
    assert install(wine, built.second) == 0
    assert wine.registered()["DisplayVersion"] == "0.10.0"
    assert not list(installed(wine).glob("app.*"))


def test_killed_between_two_renames_the_old_version_comes_back(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    before = contents(installed(wine) / "app")
    (installed(wine) / "app").rename(installed(wine) / "app.old")
    assert install(wine, built.second, FAKE_FAIL="pip") == 9
    assert contents(installed(wine) / "app") == before


def test_what_a_killed_setup_left_is_in_nobody_s_way(wine: Wine, built: SimpleNamespace) -> None:
    assert install(wine, built.first) == 0
    for left in ("app.new/uv.exe", "app.old/half of it"):
        (installed(wine) / left).parent.mkdir()
        (installed(wine) / left).write_text("x")
    assert install(wine, built.second) == 0
    assert not list(installed(wine).glob("app.*"))


def test_files_that_are_held_for_a_moment_are_waited_for(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    wine.forget()
    setup = wine.start(built.second, "/S", FAKE_WAIT="check")
    until(lambda: len(wine.calls()) == 4)
    in_the_way = installed(wine) / "app.old"  # a name that is taken fails as a file in use does
    in_the_way.mkdir()
    time.sleep(7)  # two seconds behind the check
    in_the_way.rmdir()
    assert setup.wait(timeout=30) == 0
    assert wine.registered()["DisplayVersion"] == "0.10.0"


def test_one_setup_at_a_time(wine: Wine, built: SimpleNamespace) -> None:
    wine.forget()
    first = wine.start(built.first, "/S", FAKE_WAIT="venv")
    until(lambda: len(wine.calls()) == 2)
    assert wine.run(built.second, "/S") == 3
    wine.end()
    first.wait(timeout=20)


def test_a_redraft_that_runs_is_neither_replaced_nor_removed(
    wine: Wine, built: SimpleNamespace
) -> None:
    assert install(wine, built.first) == 0
    wine.forget()
    app = wine.start("start", "/unix", wine.in_start_menu)
    until(lambda: bool(wine.calls()))
    assert wine.calls()[0][:4] == ["pythonw.exe", "-I", "-m", "app"]
    before = contents(installed(wine))
    assert wine.run(built.second, "/S") == 4
    assert uninstall(wine) == 4
    assert contents(installed(wine)) == before
    wine.end()
    app.wait(timeout=20)


def test_an_update_that_runs_is_not_overlooked(wine: Wine, built: SimpleNamespace) -> None:
    """The Python that it runs on is the installer's."""
    assert install(wine, built.first) == 0
    scripts = wine.local / "redraft" / "versions" / "0.9.5" / "env" / "Scripts"
    scripts.mkdir(parents=True)
    shutil.copy(built.uv, scripts / "pythonw.exe")
    wine.forget()
    app = wine.start(scripts / "pythonw.exe", "-I", "-m", "app")
    until(lambda: bool(wine.calls()))
    before = contents(installed(wine))
    assert wine.run(built.second, "/S") == 4
    assert uninstall(wine) == 4
    assert contents(installed(wine)) == before
    wine.end()
    app.wait(timeout=20)
    assert install(wine, built.second) == 0
    assert uninstall(wine) == 0
    assert not scripts.exists()
