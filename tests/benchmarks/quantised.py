"""The demo model with quantised weights against itself with plain ones.

    python -m tests.benchmarks.quantised [--weights int4] [--chats 40]

Held-out chats, each with one seed. In every denoising step of the plain model the quantised one sees
the same canvas and the same self-conditioning, and its argmax is compared. Then both generate for
themselves, which gives steps a canvas; and both run all 48 steps of one canvas in turn, which gives
the ratio of their times. Writes `tests/benchmarks/results/quantised_WEIGHTS.json`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import torch

from engine.generate import generate, steps
from engine.load import load_model, model_folder
from engine.model.network import Model
from tests.benchmarks.record import record
from tests.engine.followed import Followed

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging" / "demo_model"))

import heldout
import vocabulary
from examples import Encoder, prompt_text

SEED = 20_260_925
CANVASES = 2
ROUNDS = 7


def seconds(model: Model) -> float:
    prompt = torch.arange(40) % 64 + 400
    sampling = {"confidence_threshold": 1e-12, "stop_ids": ()}
    count = model.config.canvas_length
    begin = time.thread_time()
    for _ in steps(model, prompt, max_new_tokens=count, seed=1, sampling=sampling):
        pass
    return time.thread_time() - begin


def measure(options: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(1)
    plain, quantised = load_model("demo"), load_model("demo", weights=options.weights)
    encoder = Encoder(vocabulary.load(model_folder("demo")))
    talks = list(islice(heldout.conversations(Random(SEED)), options.chats))
    prompts = [torch.tensor(encoder.ids(prompt_text(talk.turns, False))) for talk in talks]
    followed = Followed(plain, quantised)
    count = CANVASES * plain.config.canvas_length
    made = {
        name: [generate(model, ids, max_new_tokens=count, seed=i) for i, ids in enumerate(prompts)]
        for name, model in (("plain", followed), ("quantised", quantised))
    }
    per_canvas = {
        name: sum(each.steps for each in runs) / sum(each.canvases for each in runs)
        for name, runs in made.items()
    }
    times = [(seconds(plain), seconds(quantised)) for _ in range(ROUNDS)]
    return {
        "weights": options.weights,
        "chats": len(talks),
        "steps_compared": len(followed.agreements),
        "argmax_agreement_percent": round(100 * statistics.mean(followed.agreements), 2),
        "argmax_agreement_percent_worst_step": round(100 * min(followed.agreements), 2),
        "steps_per_canvas": {name: round(value, 2) for name, value in per_canvas.items()},
        "steps_ratio": round(per_canvas["quantised"] / per_canvas["plain"], 3),
        "cpu_seconds_a_canvas_of_48_steps": {
            "plain": round(min(one for one, _ in times), 3),
            "quantised": round(min(two for _, two in times), 3),
        },
        "time_ratio": round(statistics.median(two / one for one, two in times), 3),
        "bytes": {"plain": plain.bytes_used, "quantised": quantised.bytes_used},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="int4")
    parser.add_argument("--chats", type=int, default=40)
    options = parser.parse_args()
    record(f"quantised_{options.weights}", measure(options))


if __name__ == "__main__":
    main()
