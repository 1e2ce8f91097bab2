"""Kernels on a PC that has no C compiler: Triton launches them by the engine's stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        sys.platform != "linux" or not torch.cuda.is_available(),
        reason="needs a CUDA device, on Linux",
    ),
]

PROJECT = Path(__file__).parents[2]
# Kernels of every kind of argument; each is compared with its reference.
TRIAL = """
import sys, pathlib, torch
from engine.kernels.portable import triton, why_not
from engine.kernels.samples import trials
from engine.kernels.selection import choose
from engine.config import load_config
from engine.load import DEMO, model_folder
cuda = torch.device("cuda")
config = load_config(model_folder(DEMO))
found = choose(trials(config, torch.bfloat16, 16), cuda, why_not(cuda), pathlib.Path(sys.argv[1]), "1")
print(type(triton.runtime.driver.active.utils.launch).__name__)
print([(each.name, each.why, each.detail) for each in found.left_out])
"""


def test_all_kernels_pass_their_trial_without_a_compiler(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if name != "CC"}
    own = {"PATH": str(tmp_path), "TRITON_CACHE_DIR": str(tmp_path / "cache")}
    for line in (["-m", "engine.kernels.trial"], ["-c", TRIAL, str(tmp_path)]):
        done = subprocess.run(
            [sys.executable, *line],
            env=clean | own, cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["method", "[]"]
