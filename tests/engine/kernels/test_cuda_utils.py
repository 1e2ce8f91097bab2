"""The engine's stand-in for Triton's helper does what the helper does: the driver is asked the same.

A driver without a GPU writes down every call. Triton's own helper, made by a C compiler, is one side;
the other runs where no compiler can be found.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.kernels.compiler import needs_none, stand_in
from engine.kernels.cuda_utils import stands_for

ROOT = Path(__file__).parents[3]
NVIDIA = Path(sysconfig.get_path("purelib")) / "triton" / "backends" / "nvidia"
HAS_HEADERS = (Path(sysconfig.get_path("include")) / "Python.h").is_file()

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and NVIDIA.is_dir() and HAS_HEADERS and shutil.which("gcc")),
    reason="needs Triton, and gcc with Python's headers to compare with",
)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("driver")
    command = ["gcc", "-shared", "-fPIC", "-O1", f"-I{NVIDIA / 'include'}"]
    source = Path(__file__).with_name("cuda_stub.c")
    subprocess.run([*command, "-o", folder / "libcuda.so.1", source], check=True)
    return folder


def ask(stub: Path, place: Path, *, compiler: bool, **more: str) -> tuple[list, list[str]]:
    """What came of all calls, and what the driver has been asked."""
    place.mkdir()
    empty = place / "empty"
    empty.mkdir()
    clean = {k: v for k, v in os.environ.items() if k not in ("CC", "TRITON_INTERPRET")}
    log = place / "log"
    own = {
        "LD_LIBRARY_PATH": str(stub),
        "CUDA_STUB_LOG": str(log),
        "TRITON_CACHE_DIR": str(place / "cache"),
        "PATH": os.environ["PATH"] if compiler else str(empty),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.kernels.cuda_calls", "7"],
        env=clean | own | more,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout), log.read_text().splitlines()


@pytest.mark.parametrize("fails", ["", "cuLaunchKernelEx", "cuModuleLoadData"])
def test_the_driver_is_asked_the_same_as_by_tritons_own_helper(stub, tmp_path, fails):
    theirs, their_log = ask(stub, tmp_path / "theirs", compiler=True, CUDA_STUB_FAILS=fails)
    ours, our_log = ask(stub, tmp_path / "ours", compiler=False, CUDA_STUB_FAILS=fails)
    assert (theirs[0], ours[0]) == ("builtin_function_or_method", "method")
    assert ours[1:] == theirs[1:]
    assert our_log == their_log
    if not fails:
        assert ours[-1] == [32, 7, 4]  # registers and spills as the driver made them up, and warps
        assert sum(line.startswith("cuLaunchKernelEx") for line in our_log) > 50


def test_a_compiler_that_cannot_compile_is_done_without(stub, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gcc").write_text("#!/bin/sh\nexit 1\n")
    (tools / "gcc").chmod(0o755)
    found, _ = ask(stub, tmp_path / "run", compiler=False, PATH=str(tools))
    assert found[0] == "method"


def test_it_stands_for_the_locked_tritons_source_alone():
    source = (NVIDIA / "driver.c").read_text(encoding="utf-8")
    assert stands_for(source), (
        "Triton's driver.c is another: compare it with engine.kernels.cuda_utils"
    )
    assert not stands_for(source + "\n")


def test_another_tritons_helper_wants_a_compiler_as_before(tmp_path):
    (tmp_path / "driver.c").write_text("int another;", encoding="utf-8")

    def compile_module_from_src(src, name):
        raise RuntimeError(f"no C compiler for {name}: {src}")

    driver = SimpleNamespace(
        __file__=str(tmp_path / "driver.py"), compile_module_from_src=compile_module_from_src
    )
    assert not needs_none(driver)
    stand_in(driver)
    with pytest.raises(RuntimeError, match="no C compiler for cuda_utils: int another;"):
        driver.compile_module_from_src(src="int another;", name="cuda_utils")
    stand_in(SimpleNamespace())  # nor does one without this function matter
