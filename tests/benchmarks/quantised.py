"""The demo model with quantised weights against itself with plain ones.

    python -m tests.benchmarks.quantised [--weights int4] [--chats 40] [--fused]

Held-out chats, each with one seed. In every denoising step of the plain model the quantised one sees
the same canvas and the same self-conditioning, and its argmax is compared. Then both generate for
themselves, which gives steps a canvas; and both run all 48 steps of one canvas in turn, which gives
the ratio of their times. Writes `tests/benchmarks/results/quantised_WEIGHTS.json`.

`--fused`: the quantised model takes the way of a GPU, by plain operations instead of kernels, and is the
one that the other follows. Writes `quantised_WEIGHTS_fused.json`, without times.
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

from engine.generate import Generation, generate, steps
from engine.load import load_model, model_folder
from engine.model.network import Model
from tests.benchmarks.record import record
from tests.engine.followed import Followed, followed_steps
from tests.engine.kernels.network import fused
from tests.engine.kernels.plain_vocabulary import plain_vocabulary

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging" / "demo_model"))

import heldout
import vocabulary
from examples import Encoder, prompt_text

SEED = 20_260_925
CANVASES = 2
ROUNDS = 7
DRAWS = 1000


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
    if options.fused:
        quantised = fused(quantised, ("vocabulary",))
    encoder = Encoder(vocabulary.load(model_folder("demo")))
    talks = list(islice(heldout.conversations(Random(SEED)), options.chats))
    prompts = [torch.tensor(encoder.ids(prompt_text(talk.turns, False))) for talk in talks]
    count, noise = CANVASES * plain.config.canvas_length, "counter" if options.fused else "native"

    def answers(model: Model) -> list[Generation]:
        return [
            generate(model, ids, max_new_tokens=count, seed=seed, noise=noise)
            for seed, ids in enumerate(prompts)
        ]

    if options.fused:
        with plain_vocabulary(), followed_steps(plain) as agreements:
            made = {"plain": answers(plain), "quantised": answers(quantised)}
    else:
        followed = Followed(plain, quantised)
        made = {"plain": answers(followed), "quantised": answers(quantised)}
        agreements = followed.agreements
    per_canvas = {
        name: sum(each.steps for each in runs) / sum(each.canvases for each in runs)
        for name, runs in made.items()
    }
    figures = {
        "weights": options.weights,
        "chats": len(talks),
        "steps_compared": len(agreements),
        "argmax_agreement_percent": round(100 * statistics.mean(agreements), 2),
        "argmax_agreement_percent_worst_step": round(100 * min(agreements), 2),
        "steps_per_canvas": {name: round(value, 2) for name, value in per_canvas.items()},
        "steps_ratio": round(per_canvas["quantised"] / per_canvas["plain"], 3),
        "steps_ratio_standard_error": round(ratio_error(made["plain"], made["quantised"]), 3),
        "bytes": {"plain": plain.bytes_used, "quantised": quantised.bytes_used},
    }
    return figures if options.fused else figures | times(plain, quantised)


def ratio_error(plain: list[Generation], quantised: list[Generation]) -> float:
    """Of the ratio of steps, by drawing chats anew: a few that never settle weigh as much as many."""
    rng, pairs = Random(SEED), list(zip(plain, quantised, strict=True))
    ratios = []
    for _ in range(DRAWS):
        drawn = rng.choices(pairs, k=len(pairs))
        one, two = (
            sum(pair[side].steps for pair in drawn) / sum(pair[side].canvases for pair in drawn)
            for side in (0, 1)
        )
        ratios.append(two / one)
    return statistics.stdev(ratios)


def times(plain: Model, quantised: Model) -> dict[str, Any]:
    found = [(seconds(plain), seconds(quantised)) for _ in range(ROUNDS)]
    return {
        "cpu_seconds_a_canvas_of_48_steps": {
            "plain": round(min(one for one, _ in found), 3),
            "quantised": round(min(two for _, two in found), 3),
        },
        "time_ratio": round(statistics.median(two / one for one, two in found), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="int4")
    parser.add_argument("--chats", type=int, default=40)
    parser.add_argument("--fused", action="store_true", help="the way of a GPU")
    options = parser.parse_args()
    name = f"quantised_{options.weights}{'_fused' if options.fused else ''}"
    record(name, measure(options))


if __name__ == "__main__":
    main()
