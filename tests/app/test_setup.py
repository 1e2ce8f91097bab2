"""An installed Redraft makes its engine with the real uv, from an index on this machine."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from app.layers import COMPLETE, Flavour, Installed, Layers, installed, remove_old_runtimes
from app.paths import ASSETS
from app.state.setup import making
from app.state.setup.gpu import Gpu, find_gpu, parse_gpus, why_not
from app.state.setup.making import Cancelled, Stage, make
from app.state.setup.setup import Setup, SetupState, Step
from app.state.setup.trouble import SetupFailed
from tests.app import setup_rig

DRIVERS = {"new": "580.65.06, 8.9", "old": "535.183.01, 8.9", "ancient GPU": "580.65.06, 6.1"}


@pytest.fixture(autouse=True)
def own_search_path(monkeypatch):
    """A layer that is activated is for this test alone."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv(making.OVERRIDE, raising=False)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    (tmp_path / "index").mkdir()
    return setup_rig.wheel(tmp_path / "index")


@pytest.fixture
def index(wheel: Path):
    with setup_rig.index_of(wheel.parent) as one:
        yield one


@pytest.fixture
def layers(tmp_path: Path, index, wheel: Path) -> Layers:
    folder = tmp_path / "Ünï Çödé 名前"
    here = setup_rig.installation(folder / "program", index.address, wheel)
    return setup_rig.layers(folder, here)


@pytest.fixture
def start(qtbot, layers: Layers, tmp_path: Path):
    """Starts set-ups; all are ended."""
    started: list[Setup] = []

    def start_one() -> Setup:
        started.append(Setup(layers, tmp_path / "logs"))
        started[-1].start()
        return started[-1]

    yield start_one
    for each in started:
        each.close()
        assert each._thread is not None
        assert not each._thread.is_alive()


def make_one(layers: Layers, flavour=Flavour.CPU, report=lambda _: None, stop=lambda: False):
    return make(layers, flavour, layers.folder.parent / "logs" / "setup.log", report, stop)


def put_driver(folder: Path, monkeypatch, answer: str) -> None:
    """A driver's tool of this answer, before all others on the PATH; "" for a PC without one."""
    folder.mkdir(exist_ok=True)
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{f'echo {answer}' if answer else 'exit 9'}\n", encoding="utf-8")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


# --- one layer ------------------------------------------------------------------------------------


def test_a_layer_is_fetched_checked_and_used_before_all_else(layers: Layers):
    seen = []
    assert not layers.is_whole(Flavour.CPU)
    found = make_one(layers, report=seen.append)
    assert found["torch"] == f"{setup_rig.VERSION}+tiny"  # not the one of the tests
    assert seen[-1].stage is Stage.CHECKING
    assert layers.best() is Flavour.CPU
    assert layers.activate() is Flavour.CPU
    assert sys.path[0] == str(layers.path(Flavour.CPU))
    assert [path.name for path in layers.folder.iterdir()] == [layers.path(Flavour.CPU).name]


def test_every_process_of_the_environment_finds_the_layer(layers: Layers, tmp_path: Path):
    make_one(layers)
    environment = tmp_path / "Ünï env"
    uv = [layers.installed.uv, "venv", "--quiet", "--no-config", "--python", sys.executable]
    subprocess.run([*uv, environment], check=True)
    (environment / "installed-from").write_text(str(layers.installed.folder), encoding="utf-8")
    python = [environment / "bin" / "python", "-I", "-c"]
    begin = (
        f"import sys, pathlib; sys.path.insert(0, {str(ASSETS.parent)!r})\n"
        f"from app.layers import layers_in; layers_in(pathlib.Path({str(tmp_path)!r})).activate()"
    )
    layers.folder.rename(tmp_path / "layers")
    before = subprocess.run([*python, "import torch"], capture_output=True, check=False)
    assert before.returncode == 1
    subprocess.run([*python, begin], check=True)
    version = subprocess.check_output(
        [*python, "import torch; print(torch.__version__)"], text=True
    )
    assert version.strip() == f"{setup_rig.VERSION}+tiny"


def test_the_gpu_goes_before_the_processor(layers: Layers):
    make_one(layers, Flavour.CPU)
    make_one(layers, Flavour.CUDA)
    assert layers.best() is Flavour.CUDA


@pytest.mark.parametrize(
    "change", ["other lock", "other Python", "nothing"], ids=lambda each: each.replace(" ", "-")
)
def test_a_layer_counts_for_what_it_was_made_of(layers: Layers, change: str, monkeypatch):
    make_one(layers)
    if change == "other lock":
        lock = layers.installed.lock(Flavour.CPU)
        lock.write_text(lock.read_text("utf-8") + "# newer\n", encoding="utf-8")
    elif change == "other Python":
        monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    assert layers.is_whole(Flavour.CPU) == (change == "nothing")


def test_what_is_left_of_a_killed_try_does_no_harm(layers: Layers):
    part = layers.path(Flavour.CPU).with_name(layers.path(Flavour.CPU).name + ".part")
    part.mkdir(parents=True)
    (part / "torch.py").write_text("raise SystemExit('half a file')", encoding="utf-8")
    assert layers.best() is None
    make_one(layers)
    assert (layers.path(Flavour.CPU) / "torch.py").read_text("utf-8") == setup_rig.TORCH


def test_nothing_foreign_leads_it_elsewhere(layers: Layers, monkeypatch, tmp_path: Path):
    (tmp_path / "torch.py").write_text("raise ImportError('a foreign one')", encoding="utf-8")
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_INDEX_URL", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/nothing")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    assert make_one(layers)["torch"] == f"{setup_rig.VERSION}+tiny"


def test_a_folder_of_wheels_replaces_the_network(layers: Layers, wheel: Path, index, monkeypatch):
    index.close()
    monkeypatch.setenv(making.OVERRIDE, str(wheel.parent))
    assert make_one(layers)["torch"] == f"{setup_rig.VERSION}+tiny"


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_host_that_is_not_there_is_named(layers: Layers, index):
    index.close()
    with pytest.raises(SetupFailed, match=r"127\.0\.0\.1 cannot be reached"):
        make_one(layers)
    assert layers.best() is None


def test_a_file_that_is_another_one_is_refused(layers: Layers, wheel: Path):
    setup_rig.wheel(wheel.parent, setup_rig.TORCH + "# tampered with\n")
    with pytest.raises(SetupFailed, match="not what it should be"):
        make_one(layers)
    assert layers.best() is None


def test_what_does_not_import_is_not_used(tmp_path: Path):
    (tmp_path / "index").mkdir()
    path = setup_rig.wheel(tmp_path / "index", "raise OSError('libc10.so is missing')")
    with setup_rig.index_of(path.parent) as index:
        here = setup_rig.installation(tmp_path / "program", index.address, path)
        layers = setup_rig.layers(tmp_path, here)
        with pytest.raises(SetupFailed, match="does not start here"):
            make_one(layers)
        assert layers.best() is None


def test_a_folder_that_cannot_be_written_is_said(layers: Layers):
    layers.folder.write_text("a file in its place", encoding="utf-8")
    with pytest.raises(SetupFailed, match="cannot write to its own folder"):
        make_one(layers)


def test_an_installation_without_uv_is_said(layers: Layers):
    layers.installed.uv.unlink()
    with pytest.raises(SetupFailed, match="part of this installation is missing"):
        make_one(layers)


def test_a_disk_without_room_is_said_before_anything_is_fetched(layers, index, monkeypatch):
    monkeypatch.setitem(making.ROOM, Flavour.CPU, shutil.disk_usage("/").total * 10)
    with pytest.raises(SetupFailed, match="GB are free"):
        make_one(layers)
    assert index.files == 0


def test_stopping_ends_the_download_and_its_process(layers: Layers, index):
    index.go_on.clear()
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(Cancelled):
        make_one(layers, stop=index.asked.is_set)
    assert set(psutil.Process().children(recursive=True)) <= before
    index.go_on.set()
    make_one(layers)


# --- all of it ------------------------------------------------------------------------------------


def wait_for(qtbot, setup: Setup, is_so) -> SetupState:
    qtbot.waitUntil(lambda: bool(is_so(setup.state)), timeout=60_000)
    return setup.state


def test_without_a_gpu_the_processor_does_the_work(qtbot, start, tmp_path, monkeypatch):
    put_driver(tmp_path / "bin", monkeypatch, "")
    setup = start()
    assert setup.is_needed
    with qtbot.waitSignal(setup.usable, timeout=60_000):
        pass
    state = wait_for(qtbot, setup, lambda state: state.note)
    assert "no NVIDIA GPU" in state.note
    assert (state.used, state.cuda, state.wants_restart) == (Flavour.CPU, None, False)


def test_with_a_gpu_the_processor_comes_first_and_a_restart_is_offered(
    qtbot, start, layers, tmp_path, monkeypatch
):
    put_driver(tmp_path / "bin", monkeypatch, DRIVERS["new"])
    setup = start()
    order: list[str] = []
    setup.usable.connect(lambda: order.append("usable"))
    setup.better.connect(lambda: order.append("better"))
    state = wait_for(qtbot, setup, lambda state: state.wants_restart)
    assert order == ["usable", "better"]
    assert state.used is Flavour.CPU
    again = start()
    assert again.state.used is Flavour.CUDA
    assert not again.is_needed


@pytest.mark.parametrize("case", ["old", "ancient GPU"])
def test_a_driver_or_gpu_that_is_too_old_is_said(qtbot, start, tmp_path, monkeypatch, case):
    put_driver(tmp_path / "bin", monkeypatch, DRIVERS[case])
    state = wait_for(qtbot, start(), lambda state: state.note)
    assert state.cuda is None
    assert ("535" in state.note and "580" in state.note) == (case == "old")


def test_a_fault_is_kept_with_its_details_and_tried_again(qtbot, start, layers, index, wheel):
    port = index.port
    index.close()
    setup = start()
    state = wait_for(qtbot, setup, lambda state: state.cpu.step is Step.FAILED)
    assert state.cpu.trouble.message == "127.0.0.1 cannot be reached."
    assert "Connection refused" in state.details
    assert "Çödé" not in state.details  # nothing of the user's
    lock = layers.installed.lock(Flavour.CPU)
    with setup_rig.index_of(wheel.parent) as other:
        text = lock.read_text("utf-8").replace(str(port), str(other.port))
        lock.write_text(text, encoding="utf-8")
        setup.start()
        assert wait_for(qtbot, setup, lambda state: state.used).used is Flavour.CPU


def test_who_wants_no_gpu_support_now_is_not_asked_at_the_next_start(
    qtbot, start, index, layers, tmp_path, monkeypatch
):
    put_driver(tmp_path / "bin", monkeypatch, DRIVERS["new"])
    make_one(layers)
    shutil.rmtree(layers.folder.parent / "cache")
    index.asked.clear()
    index.go_on.clear()
    setup = start()
    assert index.asked.wait(60)
    setup.stop()
    wait_for(qtbot, setup, lambda state: state.cuda and state.cuda.step is Step.STOPPED)
    index.go_on.set()
    again = start()
    wait_for(qtbot, again, lambda state: state.cuda and state.cuda.step is Step.STOPPED)
    again._thread.join()
    again.want_gpu()
    wait_for(qtbot, again, lambda state: state.cuda and state.cuda.step is Step.DONE)


def test_repair_fetches_all_again(qtbot, start, layers, index):
    setup = start()
    wait_for(qtbot, setup, lambda state: state.used)
    files = index.files
    setup.repair()
    assert setup.state.wants_restart
    assert layers.best() is None
    again = start()
    assert again.is_needed
    wait_for(qtbot, again, lambda state: state.used)
    assert index.files == files + 1  # not from uv's cache


def test_layers_of_other_versions_go_after_a_good_start(qtbot, start, layers):
    make_one(layers)
    old = layers.folder / "cpu-2.12.0-cpython-311-0123abcd"
    old.mkdir()
    (old / COMPLETE).write_text("{}", encoding="utf-8")
    setup = start()
    qtbot.waitUntil(lambda: not old.exists(), timeout=10_000)
    assert setup.state.used is Flavour.CPU
    assert layers.is_whole(Flavour.CPU)


@pytest.mark.skipif(sys.platform != "linux", reason="only there they lie in the user's home")
def test_environments_of_other_versions_go_unless_one_is_being_made(tmp_path, monkeypatch):
    import fcntl

    runtime = tmp_path / "runtime"
    for name in ("0.1.0", "0.2.0", "0.3.0.part"):
        (runtime / name / "env").mkdir(parents=True)
    monkeypatch.setattr(sys, "prefix", str(runtime / "0.2.0" / "env"))
    with (runtime / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_old_runtimes(tmp_path)
        assert len(list(runtime.iterdir())) == 4
    remove_old_runtimes(tmp_path)
    assert {path.name for path in runtime.iterdir()} == {"0.2.0", "lock"}
    monkeypatch.setattr(sys, "prefix", "/usr")  # not one of ours: nothing goes
    (runtime / "0.1.0").mkdir()
    remove_old_runtimes(tmp_path)
    assert (runtime / "0.1.0").exists()


def test_closing_ends_what_is_running(qtbot, start, index):
    index.go_on.clear()
    setup = start()
    assert index.asked.wait(60)
    setup.close()
    assert not [each for each in threading.enumerate() if each.name == "redraft-setup"]
    assert not [each for each in psutil.Process().children() if "uv" in each.name()]


# --- what is asked of the PC ----------------------------------------------------------------------


def test_the_best_gpu_of_several_counts():
    text = "580.65.06, 6.1\n580.65.06, 8.9\n"
    assert parse_gpus(text) == Gpu(driver=580, capability=8.9)
    assert parse_gpus("NVIDIA-SMI has failed because it could not talk to the driver") is None
    assert why_not(Gpu(driver=580, capability=0.0)) == ""  # an old tool does not tell


def test_a_tool_that_hangs_up_is_no_gpu(tmp_path, monkeypatch):
    put_driver(tmp_path / "bin", monkeypatch, "")
    assert find_gpu() is None


def test_a_source_checkout_has_no_layers(monkeypatch, tmp_path: Path):
    assert installed() is None
    (tmp_path / "installed-from").write_text("/somewhere", encoding="utf-8")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert installed() == Installed(folder=Path("/somewhere"))
