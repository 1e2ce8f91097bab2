"""Compiles kernels for GPUs that are not here, and says what they take of a chip.

The interpreter runs kernels that no compiler accepts: a variable whose type changes in a branch, for one.
A launch becomes a compilation up to machine code; nothing runs, and tensors may be on the meta device:

    python -m tests.engine.kernels.targets 86             the real sizes and tiles, some minutes
    python -m tests.engine.kernels.targets --small 89     small tiles, for errors only
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

META = torch.device("meta")
MAX_SHARED = {80: 163, 86: 99, 89: 99, 90: 227, 120: 99}  # KiB a program may have
_TYPES = {
    torch.bfloat16: "bf16",
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.uint8: "u8",
    torch.bool: "i1",
    torch.int8: "i8",
    torch.int16: "i16",
    torch.int32: "i32",
    torch.int64: "i64",
}


@dataclass(frozen=True, kw_only=True)
class Compiled:
    name: str
    target: int
    warps: int
    registers: int  # a thread
    spilled: int  # bytes a thread
    shared: int  # bytes


def compiled(target: int, work: Callable[[], None]) -> Iterator[Compiled]:
    """What the launches in `work` compile to for that compute capability."""
    from triton.runtime.jit import JITFunction

    launches: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []

    def note(kernel: Any, *args: Any, grid: Any, warmup: bool, **options: Any) -> None:
        launches.append((kernel, args, options))

    with patch.object(JITFunction, "run", note):
        work()
    seen = set()
    for kernel, args, options in launches:
        signature = _signature(kernel, args, options)
        if str(signature) not in seen:
            seen.add(str(signature))
            yield _compile(*signature, target)


def _signature(
    kernel: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The kernel, what its compiler must know of the arguments, and its options."""
    chosen = {name: options[name] for name in ("num_warps", "num_stages") if name in options}
    given = dict(zip((p.name for p in kernel.params), args, strict=False)) | options
    types: dict[str, str] = {}
    constants: dict[tuple[int], Any] = {}
    attributes: dict[tuple[int], Any] = {}
    for index, parameter in enumerate(kernel.params):
        value = given[parameter.name]
        if parameter.is_constexpr or value is None or (isinstance(value, int) and value == 1):
            types[parameter.name] = "constexpr"
            constants[index,] = value
            continue
        is_tensor = isinstance(value, Tensor)
        types[parameter.name] = f"*{_TYPES[value.dtype]}" if is_tensor else _number(value)
        if is_tensor or (isinstance(value, int) and value % 16 == 0):
            attributes[index,] = [["tt.divisibility", 16]]
    return kernel, {"signature": types, "constexprs": constants, "attrs": attributes}, chosen


def _number(value: float) -> str:
    return "i32" if isinstance(value, int) else "fp32"


def _compile(kernel: Any, known: dict[str, Any], options: dict[str, Any], target: int) -> Compiled:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    source = ASTSource(fn=kernel, **known)
    binary = triton.compile(source, target=GPUTarget("cuda", target, 32), options=options)
    registers, spilled = _usage(binary.asm["cubin"], Path(triton.__file__).parent)
    return Compiled(
        name=kernel.fn.__name__,
        target=target,
        warps=binary.metadata.num_warps,
        registers=registers,
        spilled=spilled,
        shared=binary.metadata.shared,
    )


def _usage(cubin: bytes, triton_folder: Path) -> tuple[int, int]:
    tool = triton_folder / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(tool), "-res-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    assert found is not None
    return int(found[1]), int(found[2])


def attention(small: bool) -> None:
    from engine.kernels.attention import AttentionTile, attend, attention_buffers
    from engine.kernels.kv import empty_cache, store
    from engine.kernels.prefill import attend_causal

    tile = AttentionTile(rows=16, keys=16, warps=1, stages=2) if small else None
    for heads, size in ((8, 32), (2, 64)) if small else ((8, 256), (2, 512)):
        queries = torch.empty(1, 256, 16, size, dtype=torch.bfloat16, device=META)
        own = torch.empty(1, 256, heads, size, dtype=torch.bfloat16, device=META)
        for dtype in (torch.bfloat16, torch.int8):
            cache = empty_cache(heads, 3328, size, dtype, META)
            span = torch.empty(2, dtype=torch.int32, device=META)
            buffers = attention_buffers(queries, heads, tile=tile)
            attend(queries, own, own, cache, span, buffers, queries)
            for window in (1024, None):
                attend_causal(queries[0], own[0], own[0], cache, span, window, tile=tile)
            store(cache, own[0], own[0], torch.empty((), dtype=torch.int64, device=META))


def vocabulary(small: bool) -> None:
    from engine.kernels.activations import Form, empty_rows
    from engine.kernels.conditioning import expected_buffers, expected_embedding
    from engine.kernels.logits import Tile
    from engine.kernels.vocabulary import Barred
    from engine.kernels.vocabulary_scan import scan_buffers, scan_vocabulary
    from engine.kernels.watched import watched_chances
    from engine.quant.layouts import Int8Layout
    from engine.quant.tensors import Int8Tensor, empty_parts

    rows, tokens, size = (16, 64, 64) if small else (256, 262_144, 2816)
    tile = Tile(rows=16, tokens=32, depth=32, warps=1, stages=2) if small else None
    layout = Int8Layout(shape=(tokens, size))
    coded = Int8Tensor(layout=layout, **empty_parts(layout, META))
    plain = torch.empty(tokens, size, dtype=torch.bfloat16, device=META)
    half = torch.empty(rows, size, dtype=torch.bfloat16, device=META)
    eight = empty_rows(Form(whole=True), rows, size, torch.bfloat16, META)
    number = torch.empty((), dtype=torch.int64, device=META)
    rules = Barred(
        rules=torch.empty(2, tokens, dtype=torch.bool, device=META),
        rows=torch.empty(rows, dtype=torch.int64, device=META),
    )
    common: dict[str, Any] = {"softcap": 30.0, "temperature": torch.empty((), device=META)}
    for hidden, embedding, barred in (
        (half, plain, None), (half, coded, rules), (eight, coded, None), (eight, coded, rules)
    ):  # fmt: skip
        common["barred"] = barred
        scans = scan_buffers(hidden, embedding, kept=16 if small else 128, tile=tile)
        scan = scan_vocabulary(hidden, embedding, scans, seed=number, step=number, **common)
        sums = expected_buffers(hidden, embedding, torch.bfloat16, chunk=tokens // 2, tile=tile)
        expected_embedding(scan, hidden, embedding, sums, half, **common)
        ids = torch.empty(rows, 8, dtype=torch.int64, device=META)
        out = torch.empty(rows, 8, device=META)
        watched_chances(hidden, embedding, ids, scan.log_total, out, **common)


def linear(small: bool) -> None:
    from engine.kernels import dense, experts, experts8, norms, routing
    from engine.kernels.activations import HALF, Form, empty_rows
    from engine.kernels.heads import split_heads
    from engine.quant.layouts import Int4Layout, Int8Layout
    from engine.quant.tensors import Int4Tensor, Int8Tensor, empty_parts

    def int4(*shape: int, group: int) -> Int4Tensor:
        layout = Int4Layout(shape=shape, group_size=group, shared_input=True)
        return Int4Tensor(layout=layout, **empty_parts(layout, META))

    def int8(*shape: int) -> Int8Tensor:
        layout = Int8Layout(shape=shape)
        return Int8Tensor(layout=layout, **empty_parts(layout, META))

    def half(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.bfloat16, device=META)

    tokens, size, width, mlp, count, top_k = (
        (64, 128, 64, 64, 4, 2) if small else (256, 2816, 704, 2112, 128, 8)
    )
    pairs, x, factor = tokens * top_k, half(tokens, size), torch.empty(size, device=META)
    powers = torch.empty(count, width, dtype=torch.int8, device=META)
    split_heads(half(tokens, 2048), x[0, :64], x[0, :64], half(tokens, 64), half(tokens, 64), 8, 1e-6,
                values_are_keys=False)  # fmt: skip
    share = torch.empty(tokens, top_k, device=META)
    routing.route(half(tokens, count), factor[:count], top_k)
    made = routing.schedule(share.int(), count, 32)
    behind = [
        norms.FinishWeights(dense=factor, sparse=factor, both=factor, scalar=scalar)
        for scalar in (factor[:1], half(tokens))  # one, or one a row
    ]
    for form in (Form(), HALF) if small else (Form(), Form(group=32), HALF):
        reader = norms.Reader(factor=factor, form=form)
        norms.norm(x, reader, 1e-6)
        norms.quantise(x, reader)
        norms.add_norm(x, x, factor, 1e-6, reader, reader, factor)
        for each in behind:
            norms.finish(x, x, half(pairs, size), share, each, 1e-6, reader)
        rows = empty_rows(form, tokens, size, x.dtype, META)
        inner = empty_rows(form, pairs, width, x.dtype, META)
        gate_up = int4(count, 2 * width, size, group=form.group)
        experts.gated_product(rows, gate_up, made, top_k, powers, form, x.dtype)
        experts.product(inner, int4(count, size, width, group=form.group), made, x.dtype)
        if form.group == 64:
            wide = int8(count, 2 * width, size)
            experts8.gated_product(rows, wide, made, top_k, powers, form, x.dtype)
            experts8.product(inner, int8(count, size, width), made, x.dtype)
        dense.gated_product(rows, int8(2 * mlp, size), powers.flatten()[:mlp], form, x.dtype)
        dense.product(rows, int8(4 * size, size), x.dtype)
    dense.product(
        empty_rows(Form(whole=True), tokens, size, x.dtype, META), int8(size, size), x.dtype
    )


def step(small: bool) -> None:
    """All that a fused step launches, with its own sizes; in small what the others have not."""
    from engine.fused_step import Kind
    from engine.graph import Graphs
    from engine.kernels.noise import random_ids
    from engine.kernels.operations import operations
    from engine.model.fused import FusedLayers
    from engine.model.network import Model
    from tests.engine.geometries import SAMPLING, real_config
    from tests.engine.kernels.network import meta_weights

    number = torch.empty((), dtype=torch.int64, device=META)
    random_ids(torch.empty(256, dtype=torch.int64, device=META), number, number, 262_144)
    if small:
        return
    config = real_config()
    with torch.inference_mode():
        weights = meta_weights(config)
        model = Model(config, SAMPLING, weights, fused=FusedLayers(config, weights, operations()))
        kind = Kind(batch=1, length=config.canvas_length, stability=1, watched=4)
        own = Graphs().step(model, model.new_cache(4096), kind)
        own.work()
        own.work(torch.empty(config.canvas_length, dtype=torch.int64, device=META))


WORK: tuple[Callable[[bool], None], ...] = (attention, vocabulary, linear, step)


def main() -> int:
    """Prints a line a kernel; 1 where one takes more memory than the chip has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=int, choices=MAX_SHARED)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    os.environ.pop("TRITON_INTERPRET", None)  # Triton is imported below, and reads it then
    fits = True
    with (
        patch("torch.cuda.is_available", lambda: True),
        patch("engine.kernels.portable.capability", lambda x: given.target),
    ):
        for work in WORK:
            for kernel in compiled(given.target, partial(work, given.small)):
                sys.stdout.write(f"{kernel}\n")
                fits &= kernel.shared <= 1024 * MAX_SHARED[given.target]
    return 0 if fits else 1


if __name__ == "__main__":
    raise SystemExit(main())
