"""Microseconds of each linear kernel of a layer of the 26B model on this GPU, beside its floor.

    python -m tests.benchmarks.kernels_linear [--rows 256] [--tiles]

The floor is the time that reading the weights takes at the speed of a plain copy, measured in the
same run, or that the products take at `--tops`. Each figure is the median of replays of a CUDA graph in
which every launch reads other weights than the one before, as in a step, so that no cache helps.
--tiles tries other tiles for the products and prints the best: what `engine.kernels.tiles` should hold.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from engine.kernels import dense, experts, experts8, norms, portable, routing
from engine.kernels.activations import HALF, Form, plain_rows
from engine.kernels.heads import split_heads
from engine.kernels.norms import FinishWeights, Reader
from engine.kernels.tiles import Tile, expert_rows
from engine.quant.tensors import parts_of
from tests.benchmarks.record import record
from tests.engine.kernels.weights import int4, int8

HIDDEN, WIDTH, MLP, EXPERTS, TOP_K = 2816, 704, 2112, 128, 8
BF16, EPS = torch.bfloat16, 1e-6
COPIES = 3  # of dense weights: more than the caches of any GPU hold
REPLAYS = 15


@dataclass(frozen=True, kw_only=True)
class Work:
    """One kernel: what to launch, one launch for each set of weights, and what one has to do."""

    name: str
    launches: list[Callable[[], object]]
    bytes_read: int = 0
    products: int = 0  # multiply-adds of the rows that are there


def microseconds(launches: list[Callable[[], object]]) -> float:
    """The median time of one launch in a graph of all of them."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for launch in launches:
            launch()  # compiles
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for launch in launches * max(1, 6 // len(launches)):
            launch()
    count = len(launches) * max(1, 6 // len(launches))
    times = []
    for _ in range(REPLAYS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1000 / count)
    return statistics.median(times)


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, device="cuda")


def expert_work(rows: int, form: Form, block: int, bits: int = 4) -> Iterator[Work]:
    chosen = draw(rows, EXPERTS).topk(TOP_K).indices.to(torch.int32)
    made = routing.schedule(chosen, EXPERTS, block)
    powers = torch.zeros(EXPERTS, WIDTH, dtype=torch.int8, device="cuda")
    x, inner = (
        plain_rows(draw(count, size), form, BF16)
        for count, size in ((rows, HIDDEN), (rows * TOP_K, WIDTH))
    )
    make, do = (partial(int4, group=form.group), experts) if bits == 4 else (int8, experts8)
    gate_up: Any = make(EXPERTS, 2 * WIDTH, HIDDEN, device="cuda")
    down: Any = make(EXPERTS, HIDDEN, WIDTH, device="cuda")
    pairs, used = rows * TOP_K, len(chosen.unique()) / EXPERTS
    for name, weight, launch in (
        (
            f"gate, experts of {bits} bits,", gate_up,
            lambda: do.gated_product(x, gate_up, made, TOP_K, powers, form, BF16),
        ),
        (f"down, experts of {bits} bits,", down, lambda: do.product(inner, down, made, BF16)),
    ):  # fmt: skip
        stored = sum(part.nbytes for part in parts_of(weight).values())
        yield Work(
            name=f"{name} {_named(form)}", launches=[launch], bytes_read=int(stored * used),
            products=pairs * weight.shape[1] * weight.shape[2],
        )  # fmt: skip


def dense_work(rows: int, form: Form) -> Iterator[Work]:
    kinds = {"qkv": (8192, HIDDEN), "o": (HIDDEN, 4096), "mlp down": (HIDDEN, MLP)}
    for name, (outputs, inputs) in kinds.items():
        x = plain_rows(draw(rows, inputs), form, BF16)
        weights = [int8(outputs, inputs, device="cuda") for _ in range(COPIES)]
        yield Work(
            name=f"{name} {_named(form)}", bytes_read=outputs * inputs,
            launches=[lambda w=weight, x=x: dense.product(x, w, BF16) for weight in weights],
            products=rows * outputs * inputs,
        )  # fmt: skip
    x, into = plain_rows(draw(rows, HIDDEN), form, BF16), Form() if form.whole else form
    powers = torch.zeros(MLP, dtype=torch.int8, device="cuda")
    weights = [int8(2 * MLP, HIDDEN, device="cuda") for _ in range(COPIES)]
    yield Work(
        name=f"mlp gate {_named(form)}", bytes_read=2 * MLP * HIDDEN,
        launches=[lambda w=weight: dense.gated_product(x, w, powers, into, BF16) for weight in weights],
        products=rows * 2 * MLP * HIDDEN,
    )  # fmt: skip


def small_work(rows: int) -> Iterator[Work]:
    """What reads activations alone."""
    x, pairs = draw(rows, HIDDEN).to(BF16), draw(rows * TOP_K, HIDDEN).to(BF16)
    reader, factor = Reader(factor=draw(HIDDEN), form=Form()), draw(HIDDEN)
    behind = FinishWeights(dense=factor, sparse=factor, both=factor, scalar=factor[:1])
    scores, share = draw(rows, EXPERTS), draw(rows, TOP_K)
    chosen = scores.topk(TOP_K).indices.to(torch.int32)
    block = expert_rows(rows * TOP_K, EXPERTS)
    joined, gain, turn = draw(rows, 8192).to(BF16), draw(256).to(BF16), draw(rows, 256)
    given = (joined, gain, gain, turn, turn, 8, EPS)
    for name, launch in {
        "norm": lambda: norms.norm(x, reader, EPS),
        "add_norm": lambda: norms.add_norm(x, x, factor, EPS, reader, reader, factor),
        "finish": lambda: norms.finish(x, x, pairs, share, behind, EPS, reader),
        "split_heads": lambda: split_heads(*given, values_are_keys=False),
        "route": lambda: routing.route(scores, factor[:EXPERTS], TOP_K),
        "schedule": lambda: routing.schedule(chosen, EXPERTS, block),
    }.items():
        yield Work(name=name, launches=[launch])


def _named(form: Form) -> str:
    return ("int8 row" if form.whole else f"int8 g{form.group}") if form.bits == 8 else "bf16"


def copied_bytes_a_microsecond() -> float:
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / microseconds([lambda: target.copy_(source)])


@contextmanager
def tile(size: Tile) -> Iterator[None]:
    names = ("experts.gated_tile", "experts.product_tile", "dense.dense_tile")
    patches = [patch(f"engine.kernels.{name}", lambda *_: size) for name in names]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()


def tried(rows: int, form: Form) -> dict[str, Any]:
    """The best tile of each product, of some that are plausible."""
    best: dict[str, dict[str, Any]] = {}
    for high, wide, warps, stages in itertools.product((32, 64, 128), (64, 128), (4, 8), (3, 4, 5)):
        size = Tile(rows=high, outputs=wide, warps=warps, stages=stages)
        works = expert_work(rows, form, high) if high == 32 else dense_work(rows, form)
        for work in works:
            try:
                with tile(size):
                    time = microseconds(work.launches)
            except portable.triton.OutOfResources:
                continue
            if time < best.get(work.name, {}).get("us", float("inf")):
                best[work.name] = {"us": round(time, 1), **asdict(size)}
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--tops", type=float, default=0.0, help="int8 operations, 10^12 a second")
    parser.add_argument("--tiles", action="store_true")
    options = parser.parse_args()
    gpu = torch.cuda.get_device_name()
    name, where = gpu.lower().replace(" ", "_"), {"gpu": gpu, "triton": portable.triton.__version__}
    torch.manual_seed(0)
    if options.tiles:
        record(
            f"kernels_linear_tiles_{name}",
            where | {"rows": options.rows, "best": tried(options.rows, Form())},
        )
        return
    speed, block = copied_bytes_a_microsecond(), expert_rows(options.rows * TOP_K, EXPERTS)
    figures = {}
    forms = (Form(), Form(group=32), HALF)
    for work in itertools.chain(
        small_work(options.rows),
        *(expert_work(options.rows, form, block, bits) for form in forms for bits in (4, 8)),
        *(dense_work(options.rows, form) for form in (Form(), Form(whole=True), HALF)),
    ):
        floor = work.bytes_read / speed
        if options.tops and "int8" in work.name:
            floor = max(floor, 2 * work.products / options.tops / 1e6)
        time = microseconds(work.launches)
        figures[work.name] = {"us": round(time, 1), "floor_us": round(floor, 1)}
    record(
        f"kernels_linear_{name}",
        where
        | {"rows": options.rows, "gigabytes_a_second": round(speed / 1000), "kernels": figures},
    )


if __name__ == "__main__":
    main()
