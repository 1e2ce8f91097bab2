"""Time and memory of the 26B geometry with random weights in bfloat16 on a GPU.

    python -m tests.benchmarks.full_size [--context 1024]

Needs about 60 GiB of GPU memory. Nothing is read from disk: the published config.json gives the
sizes. Speed does not depend on what the weights are, except that random text never settles.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from pathlib import Path

import torch

from engine.config import load_sampling, parse_config
from engine.generate import steps
from engine.model.fields import text_shapes
from engine.model.network import Model
from engine.model.weights import assemble
from tests.benchmarks.record import record

CONFIG = Path(__file__).parents[1] / "engine" / "data" / "diffusiongemma_26b_config.json"
GIB = 1 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", type=int, default=1024)
    context = parser.parse_args().context
    model = random_model()
    prompt = torch.randint(model.config.vocab_size, (context,), device="cuda")
    cache = model.new_cache(context + model.config.canvas_length)
    prefill = timed(lambda: model.prefill(prompt, cache))
    cache.cut(0)
    prefill = min(prefill, timed(lambda: model.prefill(prompt, cache)))
    marks = [now()]
    options = {"stop_ids": (), "confidence_threshold": 1e-9}
    for _ in steps(model, prompt, max_new_tokens=256, seed=0, sampling=options, cache=cache):
        marks.append(now())  # noqa: PERF401 - the clock is read between the steps
    times = [later - earlier for earlier, later in itertools.pairwise(marks)][2:]
    record(
        "full_size",
        {
            "gpu": torch.cuda.get_device_name(),
            "weights": "random bfloat16, 26B-A4B geometry",
            "context": context,
            "prefill_ms": round(1e3 * prefill, 1),
            "step_ms": round(1e3 * statistics.median(times), 2),
            "weights_gib": round(model.bytes_used / GIB, 2),
            "peak_gib": round(torch.cuda.max_memory_allocated() / GIB, 2),
        },
    )


def random_model() -> Model:
    config = parse_config(json.loads(CONFIG.read_text()))
    tensors = {
        name: torch.empty(shape, device="cuda", dtype=torch.bfloat16).normal_(
            0.0, shape[-1] ** -0.5 if len(shape) > 1 else 1.0
        )
        for name, shape in text_shapes(config).items()
    }
    return Model(config, load_sampling(CONFIG.parent), assemble(config, tensors))


def timed(work) -> float:
    began = now()
    work()
    return now() - began


def now() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
