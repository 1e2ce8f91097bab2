from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.kernels.portable import dot, jit, power_of_two, tl

ROOT = Path(__file__).parents[3]


@jit
def _product(a, b, out, K: tl.constexpr, KIND: tl.constexpr):
    side = tl.arange(0, 16)
    depth = tl.arange(0, K)
    left = tl.load(a + side[:, None] * K + depth[None, :])
    right = tl.load(b + depth[:, None] * 16 + side[None, :])
    acc = dot(left, right, tl.zeros((16, 16), KIND))
    tl.store(out + side[:, None] * 16 + side[None, :], acc)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_dot_has_float32_precision_whatever_its_dtype(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(16, 64, generator=generator).to(dtype)
    b = torch.randn(64, 16, generator=generator).to(dtype)
    out = torch.empty(16, 16)
    _product[(1,)](a, b, out, 64, tl.float32)
    # Products of 64 numbers near 1, summed in float32: 64 roundings of 2^-24 of at most 32.
    torch.testing.assert_close(out.double(), a.double() @ b.double(), rtol=0, atol=2e-5)


def test_a_dot_of_int8_is_exact() -> None:
    generator = torch.Generator().manual_seed(0)
    a = torch.randint(-127, 128, (16, 64), generator=generator, dtype=torch.int8)
    b = torch.randint(-127, 128, (64, 16), generator=generator, dtype=torch.int8)
    out = torch.empty(16, 16, dtype=torch.int32)
    _product[(1,)](a, b, out, 64, tl.int32)
    assert torch.equal(out.long(), a.long() @ b.long())


def test_powers_of_two() -> None:
    assert [power_of_two(n) for n in (1, 2, 3, 8, 9, 2816)] == [1, 2, 4, 8, 16, 4096]


@pytest.mark.parametrize("hide", [True, False])
def test_the_engine_runs_on_a_cpu_without_triton(hide: bool) -> None:
    """Triton is not even imported there; and where it is missing, nothing needs it."""
    code = (
        "import os, sys; os.environ.pop('TRITON_INTERPRET', None)\n"
        + ("sys.modules['triton'] = None\n" if hide else "")
        + "import torch, pkgutil, importlib, engine.kernels\n"
        "for module in pkgutil.iter_modules(engine.kernels.__path__, 'engine.kernels.'):\n"
        "    importlib.import_module(module.name)\n"
        "import engine.load, engine.pipeline\n"
        "from engine.kernels.portable import why_not\n"
        "assert sys.modules.get('triton') is None\n"
        "print(why_not(torch.device('cpu')))"
    )
    if torch.cuda.is_available():
        pytest.skip("here Triton is wanted")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "there is no GPU"
