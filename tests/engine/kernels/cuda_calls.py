"""Asks a `cuda_utils` for all that it can do, and prints what came of each as JSON.

    python -m tests.engine.kernels.cuda_calls SEED

In a process that finds the made-up driver of cuda_stub.c. Triton takes the helper that it makes by the
compiler of the PATH; without one, the engine's.
"""

from __future__ import annotations

import ctypes
import json
import random
import sys
from typing import Any

import torch
import triton
import triton.language as tl
from triton.backends.nvidia import driver

from engine.kernels.compiler import stand_in

SIZES = {"i1": 4, "u1": 4, "f32": 4, "fp16": 2, "bf16": 2, "fp32": 4, "fp64": 8}
SIZES |= {f"{sign}{bits}": bits // 8 for sign in "iu" for bits in (8, 16, 32, 64)}
HOOKS = ["in", "out"]


class Address:
    """A tensor as far as a launch looks at it."""

    dtype = torch.float32

    def __init__(self, address: object) -> None:
        self._address = address

    def data_ptr(self) -> object:
        return self._address


@triton.jit
def scaled_sum(x, y, out, count, factor, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < count
    total = tl.load(x + at, mask=inside) + factor * tl.load(y + at, mask=inside)
    tl.store(out + at, total, mask=inside)


def main() -> None:
    stand_in(driver)
    utils = driver.CudaUtils()
    found: list[object] = [type(utils.launch).__name__]
    for device in (0, 1):
        found.append(tried(utils.get_device_properties, device))
        found += [
            tried(utils.load_binary, "kernel", b"an image", shared, device)
            for shared in (0, 49152, 49153, 90000)
        ]
    found += [tried(utils.set_printf_fifo_size, size) for size in (-1, 1048576, 2097152)]
    chance = random.Random(int(sys.argv[1]))
    found += [tried(launch, utils, chance) for _ in range(300)]
    found.append(tried(by_triton))
    sys.stdout.write(json.dumps(found) + "\n")


def tried(work: Any, *arguments: Any) -> object:
    try:
        return work(*arguments)
    except Exception as error:  # noqa: BLE001  (what is raised is compared)
        return [type(error).__name__, str(error) if isinstance(error, RuntimeError) else ""]


def launch(utils: Any, chance: random.Random) -> object:
    """One with arguments of any kind, some of which cannot be."""
    kinds = [chance.choice(["*fp32", *SIZES, "constexpr"]) for _ in range(chance.randrange(9))]
    signature: list[Any] = list(kinds)
    arguments: list[Any] = [value(kind, chance) for kind in kinds]
    if chance.random() < 0.3:  # the last ones as a tuple
        at = chance.randrange(len(kinds) + 1)
        signature[at:], arguments[at:] = [tuple(signature[at:])], [tuple(arguments[at:])]
    flat = [kind for kind in kinds if kind != "constexpr"]
    expect([*(SIZES.get(kind, 8) for kind in flat), 8, 8])
    said: list[object] = []
    enter, leave = (
        chance.choice([None, lambda it, w=word: said.append([w, it])]) for word in HOOKS
    )
    grid = [chance.choice([0, 1, 7, 500]) for _ in range(3)]
    result = tried(
        utils.launch, *grid, 0x77, 0x7F0000000033, False, False,
        (chance.choice([1, 4, 8]), 1, chance.choice([0, 5000])), "metadata", enter, leave,
        chance.choice([None, Address(0x900)]), None, driver.annotate_arguments(signature),
        utils.build_signature_metadata(flat), arguments,
    )  # fmt: skip
    return [result, said]


def value(kind: str, chance: random.Random) -> object:
    if kind == "constexpr":
        return "a constant"
    if kind.startswith("*"):
        near = [Address(0), Address(0x7F00DEADBEEF), Address(0xBAD), None, 0, 1 << 63, "no pointer"]
        return chance.choices(near, weights=[3, 9, 1, 3, 3, 3, 1])[0]
    if kind[0] in "fb":
        near = [0.0, -1.5, 1 / 3, 65504.0, 7, 1e-8, float("inf"), float("nan"), 1e39, 1e300, "no"]
        return chance.choices(near, weights=[5, 5, 9, 5, 5, 5, 5, 1, 1, 1, 1])[0]
    big = 1 << chance.randrange(65)
    signs = [-1, 0, 1] if kind[0] == "i" else [0, 1, 1, 1, 1, 1, 1, 1, -1]
    return chance.choices([chance.choice(signs) * chance.randrange(big), True, 1.5], [20, 1, 1])[0]


def expect(sizes: list[int]) -> None:
    ctypes.CDLL("libcuda.so.1").stub_expect(len(sizes), (ctypes.c_int * len(sizes))(*sizes))


def by_triton() -> object:
    """A kernel compiled for a real GPU and launched by Triton's own code."""
    made = driver.CudaDriver()
    made.get_current_device = lambda: 0
    made.get_current_stream = lambda _: 0x99
    made.get_device_capability = lambda _: (8, 9)
    triton.runtime.driver.set_active(made)
    expect([8, 8, 8, 4, 4, 8, 8])
    x, y, out = (Address(0x1000 * number) for number in (1, 2, 3))
    run = scaled_sum[(4,)](x, y, out, 1001, 0.5, BLOCK=256)
    return [run.n_regs, run.n_spills, run.metadata.num_warps]


if __name__ == "__main__":
    main()
