"""Tokens per second of this engine over transformers' generate, in one run on the same threads.

    python -m tests.benchmarks.engine_speed [--model demo] [--runs 5]

transformers runs with the dynamic cache in each of its attention and experts settings; the fastest
is the one compared with. Both write whole canvases with early stops off, so both take the same
number of denoising steps. Runs alternate, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import DiffusionGemmaForBlockDiffusion

from engine.generate import generate
from engine.load import load_model, model_folder
from tests.benchmarks.record import record

PROMPT = 128
NO_STOP = 1e-9


def main() -> None:
    options = _options()
    if options.threads:
        torch.set_num_threads(options.threads)
    folder = model_folder(options.model)
    model = load_model(folder)
    reference = DiffusionGemmaForBlockDiffusion.from_pretrained(folder, dtype=torch.float32).eval()
    canvas = model.config.canvas_length
    prompt = torch.randint(model.config.vocab_size, (PROMPT,))

    def theirs() -> None:
        reference.generate(
            prompt[None], max_new_tokens=canvas, eos_token_id=None, confidence_threshold=NO_STOP
        )

    def ours() -> None:
        generate(
            model,
            prompt,
            max_new_tokens=canvas,
            seed=0,
            sampling={"stop_ids": (), "confidence_threshold": NO_STOP},
        )

    settings = list(itertools.product(("eager", "sdpa"), ("eager", "batched_mm", "grouped_mm")))
    seconds = {setting: _with(reference, setting, theirs) for setting in settings}
    fastest = min(seconds, key=lambda setting: seconds[setting])
    _use(reference, fastest)
    pairs = [(_seconds(theirs), _seconds(ours)) for _ in range(options.runs)]
    slow, fast = (statistics.median(column) for column in zip(*pairs, strict=True))
    record(
        options.name,
        {
            "model": str(options.model),
            "threads": torch.get_num_threads(),
            "prompt_tokens": PROMPT,
            "canvas_length": canvas,
            "denoising_steps": model.sampling.max_denoising_steps,
            "transformers_setting": {
                "cache": "dynamic", "attention": fastest[0], "experts": fastest[1],
            },
            "transformers_seconds_by_setting": {
                "+".join(setting): round(value, 3) for setting, value in seconds.items()
            },
            "transformers_tokens_per_second": round(canvas / slow, 1),
            "engine_tokens_per_second": round(canvas / fast, 1),
            "engine_seconds_per_canvas": round(fast, 3),
            "ratio": round(statistics.median(a / b for a, b in pairs), 2),
            "ratios": [round(a / b, 2) for a, b in pairs],
        },
    )  # fmt: skip


def _use(reference: Any, setting: tuple[str, str]) -> None:
    attention, experts = setting
    reference.set_attn_implementation(attention)
    reference.set_experts_implementation(experts)


def _with(reference: Any, setting: tuple[str, str], work: Callable[[], None]) -> float:
    """The better of two runs in this setting, after one to warm up."""
    _use(reference, setting)
    work()
    return min(_seconds(work), _seconds(work))


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--name", default="engine_speed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
