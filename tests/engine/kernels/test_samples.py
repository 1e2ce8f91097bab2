"""The trials of the start, under the interpreter: every kernel passes, and a wrong one does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from engine.kernels import samples
from engine.kernels.operations import NAMES
from engine.kernels.samples import trials
from engine.kernels.selection import choose
from tests.engine.kernels.network import config

CPU = torch.device("cpu")


def test_every_operation_passes_its_trial(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(samples, "TOKENS", 300)
    small = replace(config(True, False), canvas_length=4)
    found = choose(trials(small, torch.float32), CPU, None, tmp_path, "1")
    assert [choice.name for choice in found.choices] == list(NAMES)
    assert not found.left_out


def test_a_sample_would_show_a_kernel_that_does_nothing() -> None:
    small = replace(config(True, False), canvas_length=4)
    for operation in trials(small, torch.float32):
        given = operation.sample(CPU)
        results = operation.reference(*given)
        for result in (results,) if isinstance(results, torch.Tensor) else results:
            assert result.isfinite().all()
            assert result.any()
