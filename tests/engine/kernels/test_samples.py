"""The trials of the start, under the interpreter: every kernel passes, and a wrong one does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.kernels import samples
from engine.kernels.operations import NAMES
from engine.kernels.samples import trials
from engine.kernels.selection import choose
from tests.engine.kernels.network import config

CPU = torch.device("cpu")


@pytest.mark.parametrize("expert_bits", [4, 8])
def test_every_operation_passes_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expert_bits: int
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(samples, "TOKENS", 300)
    small = replace(config(True, False), canvas_length=4)
    found = choose(trials(small, torch.float32, expert_bits=expert_bits), CPU, None, tmp_path, "1")
    assert [choice.name for choice in found.choices] == list(NAMES)
    assert not found.left_out


def test_a_sample_would_show_a_kernel_that_does_nothing() -> None:
    small = replace(config(True, False), canvas_length=4)
    for operation in (*trials(small, torch.float32), *trials(small, torch.float32, 8, 8)):
        given = operation.sample(CPU)
        results = operation.reference(*given)
        for result in (results,) if isinstance(results, torch.Tensor) else results:
            assert result.isfinite().all()
            assert result.any()
