"""How fast this engine writes on this PC: whole canvases, single steps, prefill."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import torch

from engine.generate import steps
from engine.load import load_model
from engine.model.network import Model


def bench(path: str, *, device: str, runs: int, context: int) -> dict[str, Any]:
    """Figures of a model: random prompts of `context` tokens, one canvas each, early stops off.

    Times are medians in milliseconds. Random text never settles, so every canvas takes all its
    steps; `tokens_per_second_full_canvas` is therefore the floor, not what a chat sees.
    """
    dtype = "float32" if device == "cpu" else "bfloat16"
    model = load_model(path, device=device, dtype=dtype)
    options = {"stop_ids": (), "confidence_threshold": 1e-9}
    canvas_times, step_times, prefill_times = [], [], []
    for run in range(runs + 1):  # the first one warms up
        prompt = torch.randint(
            model.config.vocab_size, (context,), generator=torch.Generator().manual_seed(run)
        ).to(model.device)
        cache = model.new_cache(context + model.config.canvas_length)
        began = _now(model)
        model.prefill(prompt, cache)
        prefill = _now(model) - began
        loop = steps(
            model,
            prompt,
            max_new_tokens=model.config.canvas_length,
            seed=run,
            sampling=options,
            cache=cache,
        )
        marks = [_now(model), *(_now(model) for _ in loop)]
        if run:
            prefill_times.append(prefill)
            canvas_times.append(marks[-1] - marks[0])
            step_times += [later - earlier for earlier, later in itertools.pairwise(marks)]
    canvas = statistics.median(canvas_times)
    return {
        "model": path,
        "device": _device_name(model),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "context": context,
        "canvas_length": model.config.canvas_length,
        "steps": model.sampling.max_denoising_steps,
        "prefill_ms": round(1e3 * statistics.median(prefill_times), 2),
        "step_ms": round(1e3 * statistics.median(step_times), 2),
        "canvas_ms": round(1e3 * canvas, 1),
        "tokens_per_second_full_canvas": round(model.config.canvas_length / canvas, 1),
    }


def _now(model: Model) -> float:
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _device_name(model: Model) -> str:
    return torch.cuda.get_device_name() if model.device.type == "cuda" else "cpu"
