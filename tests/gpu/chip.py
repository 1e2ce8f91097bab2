"""The chip that the tests of this folder run on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

GPU = torch.device("cuda")


def randn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator(GPU).manual_seed(seed)
    return torch.randn(*shape, generator=generator, device=GPU)


def capture(work: Callable[[], None]) -> torch.cuda.CUDAGraph:
    work()  # compiles
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph
