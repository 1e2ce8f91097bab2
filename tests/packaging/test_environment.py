from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def environment() -> Any:
    return importlib.import_module("bootstrap_environment")


@pytest.fixture
def ready(environment: Any, tmp_path: Path) -> Path:
    """A project whose environment is set up for both commands."""
    (tmp_path / "packaging").mkdir()
    for name in ("requirements.txt", "requirements-test.txt"):
        (tmp_path / "packaging" / name).write_text("numpy==1\n")
    environment.interpreter(tmp_path).parent.mkdir(parents=True)
    environment.interpreter(tmp_path).touch()
    environment.write_stamp(tmp_path, "app")
    environment.write_stamp(tmp_path, "test")
    return tmp_path


def test_nothing_is_ready_in_a_new_clone(environment: Any, ready: Path, tmp_path: Path) -> None:
    for file in (tmp_path / ".venv").glob("ready-*"):
        file.unlink()
    assert not environment.is_current(tmp_path, "app")


def test_a_stamp_is_enough_for_the_second_start(environment: Any, ready: Path) -> None:
    assert environment.is_current(ready, "app")
    assert environment.is_current(ready, "test")


def test_new_test_requirements_leave_the_app_alone(environment: Any, ready: Path) -> None:
    (ready / "packaging" / "requirements-test.txt").write_text("numpy==2\n")
    assert environment.is_current(ready, "app")
    assert not environment.is_current(ready, "test")


def test_new_requirements_concern_both(environment: Any, ready: Path) -> None:
    (ready / "packaging" / "requirements.txt").write_text("numpy==2\n")
    assert not environment.is_current(ready, "app")
    assert not environment.is_current(ready, "test")


def test_a_set_up_that_was_cut_off_is_noticed(environment: Any, ready: Path) -> None:
    (ready / ".venv" / "unfinished").touch()
    assert not environment.is_current(ready, "app")


def test_a_lost_interpreter_is_noticed(environment: Any, ready: Path) -> None:
    environment.interpreter(ready).unlink()
    assert not environment.is_current(ready, "app")


def test_another_python_or_a_new_gpu_is_noticed(
    environment: Any, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(environment, "_version", lambda: "3.99")
        assert not environment.is_current(ready, "app")
    before = environment.fingerprint(ready, "app")
    other = None if environment.gpu_tool() else "/usr/bin/nvidia-smi"
    monkeypatch.setattr(environment, "gpu_tool", lambda: other)
    assert environment.fingerprint(ready, "app") != before


def test_a_half_built_environment_is_made_anew(
    environment: Any, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole repair, with an environment that is real and packages that are left out."""
    (ready / ".venv" / "unfinished").touch()
    (ready / ".venv" / "half-written").touch()
    monkeypatch.setattr(environment, "_pip", lambda root, arguments: None)
    monkeypatch.setattr(environment, "_check_torch", lambda root: None)  # it is left out
    environment.build(ready, "app", environment.PLAIN)
    environment.write_stamp(ready, "app")
    assert not (ready / ".venv" / "half-written").exists()
    assert environment._works(ready)
    assert environment.is_current(ready, "app")


def test_a_torch_that_does_not_start_is_told(environment: Any, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    environment.run(
        [sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], tmp_path / "log"
    )
    with pytest.raises(environment.SetupError, match="PyTorch does not start here"):
        environment._check_torch(tmp_path)
    assert "No module named 'torch'" in environment.log(tmp_path).read_text()


@pytest.mark.parametrize(
    ("output", "word"),
    [
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("Failed to establish a new connection: NewConnectionError(...)", "network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "registry"),
        ("anything else", "Start again"),
    ],
)
def test_a_failure_is_told_in_plain_words(environment: Any, output: str, word: str) -> None:
    assert word in environment.reason(output)


def test_a_full_disk_is_noticed_first(
    environment: Any, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.interpreter(ready).unlink()
    usage = type("Usage", (), {"free": 10**8})
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(environment.SetupError, match=r"needs 2 GB .* 0\.1 GB are free"):
        environment.build(ready, "app", environment.PLAIN)
