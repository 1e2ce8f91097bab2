"""A step, a prefill and their memory on a GPU, with random weights of four bits in the 26B geometry.

    python -m tests.benchmarks.gpu_step [--contexts 0,4096,32768] [--tiny]

Random weights never settle, so tokens a second are given for 14, 17 and 20 tokens a forward, the pass
that encodes the settled canvas counted. Their logits are flat: the self-conditioning is timed dense (as
they are) and sparse (as if peaked). Floors are the bytes that a step must read over what the GPU reads,
measured here by a copy. --tiny runs the same on any machine, for errors only: with plain operations.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.config import ModelConfig, SamplingConfig, parse_config
from engine.device import device_memory
from engine.generate import steps
from engine.graph import Graphs, cuda_capture, runs_fused
from engine.kernels.operations import NAMES, operations
from engine.memory import Wish, plan_wish
from engine.model.fields import fields, stored_as
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.model.weights import from_blobs
from engine.quant.layouts import Part
from engine.quant.scheme import SCHEMES
from engine.quant.tensors import Matrix, empty_parts, from_parts
from tests.benchmarks.record import record

CONFIG = Path(__file__).parents[1] / "engine" / "data" / "diffusiongemma_26b_config.json"
CANVASES, STEPS = 2, 12
SAMPLING = SamplingConfig(
    max_denoising_steps=STEPS, t_min=0.4, t_max=0.8, entropy_bound=0.1, stability_threshold=1,
    confidence_threshold=1e-9, stop_ids=(),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contexts", default="0,4096,32768,262144")
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    contexts = [int(each) for each in given.contexts.split(",")]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = tiny_config() if given.tiny else parse_config(json.loads(CONFIG.read_text()))
    model = random_model(config, device, given.tiny)
    read_bytes_s = bandwidth(device)
    figures = {
        "weights": "random int4" + (", tiny" if given.tiny else ", 26B-A4B geometry"),
        "gpu": torch.cuda.get_device_name() if device.type == "cuda" else None,
        "weights_gib": round(model.bytes_used / (1 << 30), 2),
        "read_gb_s": round(read_bytes_s / 1e9),
        "contexts": [measure(model, context, read_bytes_s) for context in contexts],
    }
    if given.tiny:
        print(json.dumps(figures, indent=2))
    else:
        record("gpu_step", figures)


def measure(model: Model, context: int, read_bytes_s: float) -> dict[str, Any]:
    """Figures behind a prefix of that many tokens, the first of which is there in any case."""
    config, device = model.config, model.device
    length = config.canvas_length
    prompt = torch.randint(config.vocab_size, (max(context, 1),), device=device)
    cache = model.new_cache(len(prompt) + CANVASES * length)
    model.prefill(prompt, cache)
    cache.cut(0)
    prefill = seconds(device, lambda: model.prefill(prompt, cache))
    found: dict[str, Any] = {
        "context": context,
        "prefill_s": round(prefill, 3),
        "prefill_tokens_s": round(len(prompt) / prefill),
    }
    for name, tolerance in (("dense", -1.0), ("sparse", 1.0)):
        found[f"step_ms_{name}"] = round(1e3 * step_seconds(model, prompt, cache, tolerance), 3)
    cache.cut(len(prompt))
    canvas = torch.zeros(length, dtype=torch.int64, device=device)
    commit = seconds(device, lambda: model.prefill(canvas, cache))
    step = found["step_ms_sparse"] / 1e3
    found["commit_ms"] = round(1e3 * commit, 3)
    found["tokens_s"] = {
        per: round(length / (step * length / per + commit)) for per in (14, 17, 20)
    }
    window = min(context, config.window_keys)
    kept = sum(
        2 * layer.num_kv_heads * layer.head_dim * (window if layer.is_sliding else context)
        for layer in config.layers
    )
    read = model.bytes_used + kept * model.dtype.itemsize
    found["floor_ms"] = round(1e3 * read / read_bytes_s, 3)
    found |= memory(model, context)
    return found


def step_seconds(model: Model, prompt: torch.Tensor, cache: Any, tolerance: float) -> float:
    """The median step of the second canvas; its results must be numbers and ids."""
    captured = cuda_capture() if model.device.type == "cuda" else None
    graphs, marks = Graphs(captured, tolerance), []
    sampling = {name: value for name, value in vars(SAMPLING).items() if name != "pad_id"}
    for last in steps(  # noqa: B007
        model, prompt, max_new_tokens=CANVASES * model.config.canvas_length, seed=0,
        sampling=sampling, cache=cache, graphs=graphs,
    ):  # fmt: skip
        marks.append(time.perf_counter())
    assert last.entropy.isfinite().all()
    assert int(last.argmax.max()) < model.config.vocab_size
    # The next step is launched before a result is passed on, so marks are as far apart as steps.
    second = marks[STEPS:]
    return statistics.median(b - a for a, b in itertools.pairwise(second))


def memory(model: Model, context: int) -> dict[str, Any]:
    """What the driver says is taken, of all programs, beside what the plan says."""
    if model.device.type != "cuda":
        return {}
    free, total = device_memory("cuda")
    wish = Wish(
        config=model.config, scheme=SCHEMES["int4"], device="cuda",
        context=context + CANVASES * model.config.canvas_length,
    )  # fmt: skip
    return {"taken_bytes": total - free, "planned_bytes": plan_wish(wish).total}


def random_model(config: ModelConfig, device: torch.device, is_tiny: bool) -> Model:
    """Weights of four bits, drawn in their layouts: nothing is quantised."""
    dtype = "bfloat16" if device.type == "cuda" else "float32"

    def draw(field: Any) -> Matrix:
        stored = stored_as(field, SCHEMES["int4"], dtype)
        if isinstance(stored, Part):
            size = stored.shape[-1] ** -0.5 if len(stored.shape) > 1 else 1.0
            kind = getattr(torch, dtype)
            return torch.empty(stored.shape, device=device, dtype=kind).normal_(0.0, size)
        parts = empty_parts(stored, device)
        inputs = stored.shape[-1]
        parts["codes"].random_(-64, 64) if "zero" not in parts else parts["codes"].random_(0, 256)
        parts["scale"].fill_((0.025 if "zero" not in parts else 0.2) / inputs**0.5)
        parts["exponents"].zero_()
        if "zero" in parts:
            parts["zero"].fill_(120)
        return from_parts(stored, parts, field.name)

    blobs = {
        blob: {field.name: draw(field) for field in some} for blob, some in fields(config).items()
    }
    weights = from_blobs(config, blobs)
    layers = FusedLayers(config, weights, operations(() if is_tiny else NAMES))
    model = Model(config, SAMPLING, weights, fused=layers)
    assert is_tiny or runs_fused(model)
    return model


def tiny_config() -> ModelConfig:
    from tests.engine.kernels.network import config

    return config(True, False)


def bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written, of copying what no cache holds."""
    size = (1 << 30) if device.type == "cuda" else (1 << 26)
    source, target = torch.empty(2, size, dtype=torch.uint8, device=device)
    return 2 * size / min(seconds(device, lambda: target.copy_(source)) for _ in range(5))


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
