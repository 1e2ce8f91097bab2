"""The lock files fit the project; a lock that does not is refused."""

from __future__ import annotations

import importlib
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ABOUT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NAMES = [
    f"{kind}-{system}"
    for kind in ("gui", "engine-cpu", "engine-cuda")
    for system in ("linux", "windows")
]


@pytest.fixture
def locks() -> Any:
    return importlib.import_module("locks")


@pytest.fixture
def project() -> Any:
    return importlib.import_module("project").read_project()


@pytest.fixture
def copied(locks: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(locks.LOCKS, tmp_path / "locks"))


def lines_of(name: str) -> dict[str, Requirement]:
    """The pins of a lock as the `packaging` library reads them."""
    text = (ROOT / "packaging" / "locks" / f"{name}.txt").read_text(encoding="utf-8")
    first = [line for line in text.splitlines() if line and line[0] not in "# "]
    return {(each := Requirement(line.rstrip(" \\"))).name: each for line in first}


@pytest.mark.parametrize("name", NAMES)
def test_another_library_reads_the_same_pins(locks: Any, name: str) -> None:
    ours = {each.name: each.version for each in locks.read(name)}
    assert ours == {
        key: str(each.specifier).removeprefix("==") for key, each in lines_of(name).items()
    }


def test_every_dependency_is_pinned_to_an_allowed_version(project: Any) -> None:
    for system in ("linux", "windows"):
        for kind, asked in (("gui", project.gui), ("engine-cuda", project.engine)):
            pinned = lines_of(f"{kind}-{system}")
            for each in map(Requirement, asked):
                name = each.name.lower()
                if f"{kind}-{system}" == "engine-cuda-windows" and name == "torch":
                    continue  # from PyTorch's own index
                version = str(pinned[name].specifier).removeprefix("==")
                assert version in each.specifier, name


def test_the_two_layers_are_all_that_redraft_needs(project: Any) -> None:
    assert sorted([*project.gui, *project.engine]) == sorted(ABOUT["project"]["dependencies"])


def test_what_is_tested_is_what_is_shipped() -> None:
    text = (ROOT / "packaging" / "requirements.txt").read_text(encoding="utf-8")
    tested = {
        (each := Requirement(line)).name.lower(): each.specifier
        for line in text.splitlines()
        if not line.startswith("#")
    }
    for name in NAMES:
        for package, pin in lines_of(name).items():
            assert tested.get(package, pin.specifier) == pin.specifier, (name, package)


@pytest.mark.parametrize("system", ["linux", "windows"])
def test_the_engine_s_layer_never_hides_another_version_of_the_window_s(system: str) -> None:
    gui = lines_of(f"gui-{system}")
    for kind in ("engine-cpu", "engine-cuda"):
        for name, pin in lines_of(f"{kind}-{system}").items():
            assert gui.get(name, pin).specifier == pin.specifier, name


def test_the_processor_s_layer_is_the_gpu_s_without_cuda() -> None:
    without = set(lines_of("engine-cuda-linux")) - set(lines_of("engine-cpu-linux"))
    assert {"torch", "triton", "nvidia-cublas", "nvidia-cudnn-cu13"} <= without
    assert all(
        name == "torch" or name.startswith(("nvidia-", "cuda-", "triton")) for name in without
    )


def test_the_committed_locks_are_accepted(locks: Any, project: Any) -> None:
    locks.check(project)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("engine-cuda-linux.txt", "triton==3.7.1", "triton==3.8.0"),
        ("engine-cuda-linux.txt", "torch==2.13.0", "torch==2.14.1"),
        ("engine-cuda-windows.txt", "triton-windows==3.7.1.post27", "triton-windows==3.8.0.post29"),
        ("indexes.json", "2.13.0+cu130", "2.14.1+cu130"),
        ("gui-windows.txt", "psutil==7.2.2", "other==7.2.2"),
        ("gui-linux.txt", "psutil>=7.0", "psutil>=8.0"),
    ],
)
def test_a_lock_that_does_not_fit_is_refused(
    locks: Any, project: Any, copied: Path, file: str, old: str, new: str
) -> None:
    locks.check(project, copied)
    text = (copied / file).read_text(encoding="utf-8")
    assert old in text
    (copied / file).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(importlib.import_module("project").BuildError):
        locks.check(project, copied)


def test_an_entry_without_a_hash_is_refused(locks: Any, project: Any, copied: Path) -> None:
    file = copied / "gui-linux.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [line.rstrip(" \\") for line in lines if "--hash" not in line]
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    with pytest.raises(importlib.import_module("project").BuildError, match="no hashes"):
        locks.check(project, copied)
