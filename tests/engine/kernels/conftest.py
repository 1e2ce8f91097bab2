"""Kernels run under Triton's interpreter here, on a CPU. `tests/gpu` has them on a real chip.

tests/conftest.py asks for the interpreter before anything can import Triton.
"""

from __future__ import annotations

import pytest
import torch

from engine.kernels import portable


@pytest.fixture(autouse=True)
def _interpreter() -> None:
    if portable.triton is not None and not portable.INTERPRETED:
        pytest.skip("Triton compiles in this process; run with TRITON_INTERPRET=1")
    if reason := portable.why_not(torch.device("cpu")):
        pytest.skip(reason)
