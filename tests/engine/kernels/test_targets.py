from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.kernels.portable import triton

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(torch.cuda.is_available(), reason="tests/gpu compiles and runs them")
def test_all_kernels_compile_for_a_gpu(tmp_path: Path) -> None:
    """One kind of chip with small tiles; `targets.py` has others, and the real sizes."""
    if not list((Path(triton.__file__).parent / "backends" / "nvidia" / "bin").glob("ptxas*")):
        pytest.skip("this Triton has no compiler for NVIDIA")
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.kernels.targets", "--small", "89"],
        cwd=ROOT,
        env=os.environ | {"TRITON_CACHE_DIR": str(tmp_path)},  # nothing compiled before
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for kernel in (
        "_attend", "_attend_causal", "_store", "_watched", "_scan", "_accumulate", "_gated", "_product", "_route", "_schedule",
        "_norm", "_add_norm", "_finish", "_split_heads",
    ):  # fmt: skip
        assert f"name='{kernel}'" in done.stdout
