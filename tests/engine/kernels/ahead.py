"""Compiles the kernels of the linear layers for GPUs that are not there, at the sizes of the 26B model.

The interpreter runs kernels that the compiler refuses. Run as a script, without TRITON_INTERPRET, with
compute capabilities as arguments; prints a line of JSON for each kernel. Nothing is launched and no
memory is touched: tensors are allocated, never filled.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch

torch.cuda.is_available = lambda: True  # before the kernels ask

import triton  # noqa: E402
from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402
from triton.runtime.jit import JITFunction  # noqa: E402

from engine.kernels import dense, experts, norms, routing  # noqa: E402
from engine.kernels.activations import HALF, Form, empty_rows  # noqa: E402
from engine.kernels.heads import split_heads  # noqa: E402
from engine.quant.layouts import Int4Layout, Int8Layout  # noqa: E402
from engine.quant.tensors import Int4Tensor, Int8Tensor, empty_parts  # noqa: E402

NAMES = {
    torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.int8: "*i8", torch.uint8: "*u8",
    torch.int16: "*i16", torch.int32: "*i32",
}  # fmt: skip
BF16, CPU = torch.bfloat16, torch.device("cpu")
OPTIONS = ("num_warps", "num_stages")


def compile_instead(capabilities: list[int]) -> Any:
    """What stands in for launching: the types of the arguments decide what is compiled."""

    def run(kernel: Any, *args: Any, grid: Any, warmup: bool, **named: Any) -> None:
        options = {name: named.pop(name) for name in OPTIONS if name in named}
        given = dict(zip(kernel.arg_names, args, strict=False)) | named
        signature, constants, attributes = {}, {}, {}
        for index, parameter in enumerate(kernel.params):
            name, value = parameter.name, given[parameter.name]
            if parameter.is_constexpr or (isinstance(value, int) and value == 1):
                signature[name], constants[name] = "constexpr", value
            elif isinstance(value, torch.Tensor):
                signature[name] = NAMES[value.dtype]
                attributes[(index,)] = [["tt.divisibility", 16]]
            else:
                signature[name] = "i32" if isinstance(value, int) else "fp32"
                if isinstance(value, int) and value % 16 == 0:
                    attributes[(index,)] = [["tt.divisibility", 16]]
        source = ASTSource(kernel, signature, constants, attributes)
        for capability in capabilities:
            made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
            line = {
                "kernel": f"{kernel.__module__}.{kernel.__name__}",
                "capability": capability,
                "shared": made.metadata.shared,  # bytes
                "int8": ".s32.s8.s8" in made.asm["ptx"],
            }
            sys.stdout.write(json.dumps(line) + "\n")

    return run


def int4(*shape: int) -> Int4Tensor:
    layout = Int4Layout(shape=shape, shared_input=True)
    return Int4Tensor(layout=layout, **empty_parts(layout, CPU))


def int8(*shape: int) -> Int8Tensor:
    layout = Int8Layout(shape=shape)
    return Int8Tensor(layout=layout, **empty_parts(layout, CPU))


def main() -> None:
    JITFunction.run = compile_instead([int(word) for word in sys.argv[1:]])
    tokens, size, width, count, top_k = 256, 2816, 704, 128, 8
    x, factor = torch.empty(tokens, size, dtype=BF16), torch.empty(size)
    reader = norms.Reader(factor=factor, form=Form())
    norms.norm(x, reader, 1e-6)
    norms.add_norm(x, x, factor, 1e-6, reader, reader, factor)
    behind = norms.FinishWeights(dense=factor, sparse=factor, both=factor, scalar=factor[:1])
    joined, turn = torch.empty(tokens, 8192, dtype=BF16), torch.empty(tokens, 256)
    split_heads(joined, turn[0], turn[0], turn, turn, 8, 1e-6, values_are_keys=False)
    pairs, share = torch.empty(tokens * top_k, size, dtype=BF16), torch.empty(tokens, top_k)
    norms.finish(x, x, pairs, share, behind, 1e-6, reader)
    routing.route(torch.empty(tokens, count, dtype=BF16), factor[:count], top_k)
    made = routing.schedule(torch.empty(tokens, top_k, dtype=torch.int32), count, 32)
    powers = torch.empty(count, width, dtype=torch.int8)
    for form in (Form(), HALF):
        rows = empty_rows(form, tokens, size, BF16, CPU)
        inner = empty_rows(form, tokens * top_k, width, BF16, CPU)
        gate_up, down = int4(count, 2 * width, size), int4(count, size, width)
        experts.gated_product(rows, gate_up, made, top_k, powers, form, BF16)
        experts.product(inner, down, made, BF16)
    rows = empty_rows(Form(), tokens, size, BF16, CPU)
    dense.gated_product(rows, int8(4224, size), powers.flatten()[:2112], Form(), BF16)
    dense.product(rows, int8(8192, size), BF16)


if __name__ == "__main__":
    main()
