"""The compiler takes what the interpreter runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SHARED = 99 << 10  # bytes of shared memory that a program may have on the GPUs of consumers


def test_the_kernels_compile_for_a_gpu_and_fit_it(tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "tests/engine/kernels/ahead.py", "89"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["kernel"].removeprefix("engine.kernels.") for each in made} == {
        "norms._norm", "norms._add_norm", "norms._finish", "heads._split_heads", "routing._route", "routing._schedule",
        "experts._gated", "experts._product", "dense._gated", "dense._product",
    }  # fmt: skip
    assert all(each["shared"] <= SHARED for each in made)
    # int8 tensor cores, not a detour through floats
    products = [each for each in made if "product" in each["kernel"] or "gated" in each["kernel"]]
    assert [each["int8"] for each in products].count(True) == 4
