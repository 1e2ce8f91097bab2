"""A small kernel, compiled and run, as a process of its own: a driver may end who tries it.

Exit code 0 where its numbers are right; else the last line on stderr says what happened.
"""

from __future__ import annotations

import sys

import torch

from engine.kernels.portable import INTERPRETED, constant, jit, tl, triton

_BLOCK = constant(256)


@jit
def _add_kernel(x, y, out, count):
    at = tl.program_id(0) * _BLOCK + tl.arange(0, _BLOCK)
    inside = at < count
    total = tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside)
    tl.store(out + at, total, mask=inside)


def main() -> int:
    if triton is None:
        sys.stderr.write("there is no Triton\n")
        return 1
    device = "cpu" if INTERPRETED else "cuda"
    x = torch.arange(1000, dtype=torch.float32, device=device)
    out = torch.zeros_like(x)
    _add_kernel[(4,)](x, x, out, 1000)
    if torch.equal(out, 2 * x):
        return 0
    sys.stderr.write("it computed wrong numbers\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
