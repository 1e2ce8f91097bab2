"""Who may import whom, asked of real imports in fresh interpreters, and the shape of the project.

The contracts in pyproject.toml read the source; this sees what truly gets loaded.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "triton", "transformers")
TOP_LEVEL = {
    "pyproject.toml", "README.md", "LICENSE", "app", "engine", "assets", "tests", "packaging",
    "build_installer.py",
}  # fmt: skip


@cache
def loaded_by(module: str) -> frozenset[str]:
    """The names of all modules in a fresh interpreter after `import module`."""
    code = f"import sys, json, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def modules(package: str) -> list[str]:
    """All modules below `package` by their dotted names."""
    folder = ROOT / package.replace(".", "/")
    found = [path.relative_to(ROOT).with_suffix("") for path in folder.rglob("*.py")]
    return sorted(
        ".".join(path.parts).removesuffix(".__init__") for path in found if path.name != "__main__"
    )


LIGHT = ["messages", "service", "memory", "store.download", "jobs", "text.prompt", "config"]
PRESENT = [name for name in LIGHT if f"engine.{name}" in modules("engine")]


@pytest.mark.parametrize("name", PRESENT)
def test_these_parts_of_the_engine_do_not_load_torch(name: str) -> None:
    assert not loaded_by(f"engine.{name}") & set(HEAVY)


def test_the_messages_need_the_standard_library_alone() -> None:
    extra = {name.split(".")[0] for name in loaded_by("engine.messages") - loaded_by("json")}
    assert extra <= sys.stdlib_module_names | {"engine"}


def test_the_engine_knows_neither_qt_nor_the_app() -> None:
    everything = ", ".join(modules("engine"))
    loaded = loaded_by(everything)
    assert not [name for name in loaded if name.split(".")[0] in ("PySide6", "shiboken6", "app")]


def test_the_text_path_does_not_load_transformers() -> None:
    assert "transformers" not in loaded_by("engine.load, engine.pipeline")


def test_the_state_knows_no_widgets() -> None:
    loaded = loaded_by(", ".join(modules("app.state")))
    assert "PySide6.QtWidgets" not in loaded
    assert not [name for name in loaded if name.startswith("app.ui")]


def test_the_window_appears_before_torch() -> None:
    assert not loaded_by(", ".join(modules("app"))) & set(HEAVY)
    assert not loaded_by("app.__main__") & set(HEAVY)


def test_packaging_is_not_a_package() -> None:
    """It would hide the library of the same name."""
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_the_top_level_holds_what_it_may() -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("without git nobody knows which files belong to the project")
    listed = subprocess.run(
        [git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    tops = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in tops if not name.startswith(".")} <= TOP_LEVEL


def test_the_engine_never_unpickles_a_model() -> None:
    pattern = re.compile(r"torch\.load\(|\bpickle\b|weights_only|mmap")
    hits = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "engine").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line.split("#")[0])
    ]
    assert not hits
