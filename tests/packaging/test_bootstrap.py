from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def bootstrap() -> Any:
    return importlib.import_module("bootstrap")


@pytest.fixture
def system() -> Any:
    return importlib.import_module("bootstrap_system")


@pytest.mark.parametrize("arguments", [[], ["install"], ["-k", "name"]])
def test_wrong_usage_says_how(
    bootstrap: Any, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main(arguments) == 2
    assert "app|test" in capsys.readouterr().err


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (4, 0)])
def test_another_python_is_refused_in_one_sentence(
    bootstrap: Any,
    version: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (*version, 0, "final", 0))
    assert bootstrap.main(["app"]) == 1
    assert f"this is Python {version[0]}.{version[1]}" in capsys.readouterr().err


def test_the_first_lines_are_understood_by_an_old_python(bootstrap_folder: Path) -> None:
    source = (bootstrap_folder / "bootstrap.py").read_text(encoding="utf-8")
    compile(source, "bootstrap.py", "exec")
    import ast

    ast.parse(source, feature_version=(3, 8))


def test_every_check_runs_and_any_failure_counts(
    bootstrap: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def call(command: list[str], **_: Any) -> int:
        ran.append(command)
        return int("mypy" in command)

    monkeypatch.setattr(bootstrap.subprocess, "call", call)
    assert bootstrap._run_checks(Path(sys.executable), []) == 1
    assert len(ran) == 5
    summary = capsys.readouterr().out.split("== summary")[1]
    assert summary.count("passed") == 4
    assert "failed  mypy" in summary


def test_arguments_go_to_pytest_alone(bootstrap: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command, **_: ran.append(command) or 0)
    assert bootstrap._run_checks(Path("python"), ["-k", "name"]) == 0
    assert ran == [["python", "-m", "pytest", "-k", "name"]]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("Downloading torch-2.13.0+cpu-cp311-linux.whl (203.4 MB)", "downloading torch 203.4 MB"[:17]),
        ("  Downloading https://x/y/numpy-2.4.6-cp311.whl (16.6 MB)", "downloading numpy"),
        ("Downloading six-1.0-py3.whl (11 kB)", None),
        ("Collecting torch", None),
        ("", None),
    ],
)  # fmt: skip
def test_large_downloads_are_told(system: Any, line: str, word: str | None) -> None:
    found = system.download(line)
    assert found is word if word is None else found.startswith(word)


def test_without_the_right_to_install_the_command_is_named(
    system: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(system, "may_install", lambda: False)
    monkeypatch.setattr(system.shutil, "which", lambda _: "/usr/bin/apt-get")
    with pytest.raises(system.SetupError, match="sudo apt install libgl1 libegl1'"):
        system.install_packages(["libgl1", "libegl1"], "Why.", tmp_path / "log")
    monkeypatch.setattr(system.shutil, "which", lambda _: None)
    with pytest.raises(system.SetupError, match="what your system calls libgl1"):
        system.install_packages(["libgl1"], "Why.", tmp_path / "log")


def test_the_scripts_use_the_standard_library_alone(bootstrap_folder: Path) -> None:
    names = sorted(path.stem for path in bootstrap_folder.glob("bootstrap*.py"))
    code = (
        f"import sys; sys.path.insert(0, {str(bootstrap_folder)!r}); import {', '.join(names)};"
        "print([m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names])"
    )
    # -I -S: no site-packages at all, so that anything else would fail to import
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert set(eval(done.stdout)) <= {"__main__", *names}
