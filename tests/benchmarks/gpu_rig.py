"""What the benchmarks of a GPU stand on: a model of random weights, a clock, the driver's memory.

Random weights of four bits are drawn in their layouts, so nothing is quantised and nothing is read from
disk. `--geometry tiny` has the same parts in small, for any machine: it shows errors, not speed.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.config import ModelConfig, SamplingConfig, parse_config
from engine.generate import steps
from engine.graph import Graphs, cuda_capture, runs_fused
from engine.kernels.operations import NAMES, operations
from engine.model.cache import KVCache
from engine.model.fields import fields, stored_as
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.model.weights import from_blobs
from engine.quant.layouts import Part
from engine.quant.scheme import SCHEMES
from engine.quant.tensors import Matrix, empty_parts, from_parts
from engine.sizes import SLACK

CONFIG = Path(__file__).parents[1] / "engine" / "data" / "diffusiongemma_26b_config.json"
GEOMETRIES = ("26b-a4b", "tiny")
STEPS = 17  # of each canvas; random weights never settle
TINY_STEPS = 4
SAMPLING = SamplingConfig(
    max_denoising_steps=STEPS, t_min=0.4, t_max=0.8, entropy_bound=0.1, stability_threshold=1,
    confidence_threshold=1e-9, stop_ids=(),
)  # fmt: skip

HOLD = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(max(0, free - int(sys.argv[1])), dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A model and the end of the time there is."""

    model: Model
    is_tiny: bool
    read_bytes_s: float  # what copying moves, read and written
    deadline: float  # of time.monotonic
    used_before: int  # bytes of the device that others hold, the ballast included

    def size(self, tokens: int) -> int:
        """So many tokens of the real model, fewer of a tiny one."""
        return max(1, tokens // 256) if self.is_tiny and tokens else tokens

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self.deadline

    def lasts(self, seconds: float) -> bool:
        """Whether so much work would go beyond the deadline."""
        return time.monotonic() + seconds > self.deadline

    @property
    def num_steps(self) -> int:
        """Of each canvas."""
        return TINY_STEPS if self.is_tiny else STEPS

    @property
    def sampling(self) -> dict[str, Any]:
        """As of `engine.generate.steps`."""
        given = {name: value for name, value in vars(SAMPLING).items() if name != "pad_id"}
        return given | {"max_denoising_steps": self.num_steps}

    def prompt(self, tokens: int) -> Tensor:
        generator = torch.Generator().manual_seed(tokens)
        return torch.randint(self.model.config.vocab_size, (tokens,), generator=generator)

    def filled(self, tokens: int, behind: int = 2, bits: int = 16) -> KVCache:
        """A cache of random keys and values for `prompt`, with room for so many canvases behind."""
        length = self.model.config.canvas_length
        cache = self.model.new_cache(tokens + behind * length, bits)
        for index in range(len(self.model.config.layers)):
            for part in cache.whole(index).parts:
                if part.dtype == torch.int8:
                    part.random_(-127, 128)
                elif part.ndim == 2:
                    part.fill_(1 / 127)
                else:
                    part.normal_()
        for ids in self.prompt(tokens).split(SLACK):
            cache.reserve(len(ids))
            cache.append(ids.tolist())
        return cache

    def graphs(self, tolerance: float = -1.0, *, merges: bool = True) -> Graphs:
        """Steps that are captured where that is possible; tolerance -1: dense self-conditioning."""
        is_cuda = self.model.device.type == "cuda"
        return Graphs(cuda_capture() if is_cuda else None, tolerance, merges=merges)

    def step_times(
        self, tokens: int, cache: KVCache, graphs: Graphs, *, canvases: int = 2, **options: Any
    ) -> list[float]:
        """Seconds between steps of the last canvas; what the last one found is checked."""
        marks, length = [], self.model.config.canvas_length
        for last in steps(  # noqa: B007
            self.model, self.prompt(tokens), max_new_tokens=canvases * length, seed=0,
            sampling=self.sampling, cache=cache, graphs=graphs, **options,
        ):  # fmt: skip
            marks.append(time.perf_counter())
        assert bool(last.entropy.isfinite().all()), "entropies that are no numbers"
        assert int(last.argmax.max()) < self.model.config.vocab_size, "ids beyond the vocabulary"
        assert int(last.argmax.min()) >= 0, "ids below zero"
        # The next step is launched before a result is passed on: marks are as far apart as steps.
        ends = marks[-self.num_steps :]
        return [later - earlier for earlier, later in itertools.pairwise(ends)]

    def seconds(self, work: Callable[[], object]) -> float:
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - began

    def wait(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()

    def driver_bytes(self) -> int | None:
        """What this process holds, as the driver counts; torch gives nothing back, so it is the peak."""
        if self.model.device.type != "cuda":
            return None
        free, total = torch.cuda.mem_get_info()
        return total - free - self.used_before

    def release(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.empty_cache()


def make_rig(geometry: str, minutes: float) -> Rig:
    """Builds the model on the GPU, or on the CPU where there is none."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    is_tiny, used = geometry == "tiny", 0
    if device.type == "cpu":
        torch.set_num_threads(1)  # several would wait for each other at every small product
    deadline = time.monotonic() + 60 * minutes
    if device.type == "cuda":
        smi_free, total = torch.cuda.mem_get_info()
        used = total - smi_free - torch.cuda.memory_reserved()
    speed = copied_bytes_a_second(device)
    config = tiny_config() if is_tiny else parse_config(json.loads(CONFIG.read_text()))
    model = random_model(config, device, by_kernels=device.type == "cuda")
    return Rig(
        model=model, is_tiny=is_tiny, read_bytes_s=speed, deadline=deadline, used_before=used
    )


@contextmanager
def ballast(leave: float | None) -> Iterator[None]:
    """Another process holds the GPU's memory but for so many GiB, as on a smaller card."""
    if leave is None or not torch.cuda.is_available():
        yield
        return
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(int(leave * (1 << 30)))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        if holder.stdout.readline().strip() != "held":
            raise RuntimeError("the ballast could not be taken")
        yield
    finally:
        holder.stdin.close()
        holder.wait()


def random_model(config: ModelConfig, device: torch.device, *, by_kernels: bool) -> Model:
    """Weights of four bits, drawn in their layouts."""
    dtype = "bfloat16" if device.type == "cuda" else "float32"

    def draw(field: Any) -> Matrix:
        stored = stored_as(field, SCHEMES["int4"], dtype)
        if isinstance(stored, Part):
            size = stored.shape[-1] ** -0.5 if len(stored.shape) > 1 else 1.0
            kind = getattr(torch, dtype)
            drawn: Tensor = torch.empty(stored.shape, device=device, dtype=kind).normal_(0.0, size)
            return drawn
        parts = empty_parts(stored, device)
        inputs = stored.shape[-1]
        parts["codes"].random_(-64, 64) if "zero" not in parts else parts["codes"].random_(0, 256)
        parts["scale"].fill_((0.025 if "zero" not in parts else 0.2) / inputs**0.5)
        parts["exponents"].zero_()
        if "zero" in parts:
            parts["zero"].fill_(120)
        return from_parts(stored, parts, field.name)

    weights = from_blobs(
        config,
        {
            blob: {field.name: draw(field) for field in some}
            for blob, some in fields(config).items()
        },
    )
    layers = FusedLayers(config, weights, operations(NAMES if by_kernels else ()))
    model = Model(config, SAMPLING, weights, fused=layers)
    assert runs_fused(model) or not by_kernels
    return model


def tiny_config() -> ModelConfig:
    from tests.engine.kernels.network import config

    return config(True, False)


def copied_bytes_a_second(device: torch.device) -> float:
    """Bytes read and written by copying what no cache holds, the best of five."""
    size = (1 << 30) if device.type == "cuda" else (1 << 24)
    source, target = torch.zeros(2, size, dtype=torch.uint8, device=device)
    times = []
    for _ in range(5):
        _wait(device)
        began = time.perf_counter()
        target.copy_(source)
        _wait(device)
        times.append(time.perf_counter() - began)
    return 2 * size / min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
