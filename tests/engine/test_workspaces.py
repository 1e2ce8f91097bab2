"""The bounds on temporary memory against what torch's allocator gives."""

from __future__ import annotations

import random

import pytest
import torch

from engine.denoise import denoise
from engine.model.network import Model
from engine.quant.scheme import SCHEMES
from engine.sampler import make_noise
from engine.sizes import SLACK
from engine.workspaces import Work, prefill_bytes, step_bytes
from tests.engine.geometries import build, peak_bytes, random_config
from tests.seeds import new_seed

SEED = new_seed()
LOOSE = 2.2  # how far a bound may lie above the truth
FIXED = 256 << 10  # small change: indices, masks of canvases


@pytest.fixture(params=range(6), ids=lambda number: f"seed{SEED + number}")
def case(request) -> tuple[Model, Work, int]:
    draw = random.Random(SEED + request.param)
    config, name = random_config(draw), list(SCHEMES)[request.param % len(SCHEMES)]
    torch.manual_seed(0)
    context, bits = draw.choice([300, SLACK + 500, 2 * SLACK]), draw.choice([16, 8])
    work = Work(
        config=config, scheme=SCHEMES[name], item_size=4, device="cpu", context=context,
        cache_bits=bits,
    )  # fmt: skip
    return build(config, work.scheme), work, draw.choice([1, 3])


def test_bounds_hold_and_are_not_idle(case) -> None:
    model, work, batch = case
    config, context = work.config, work.context
    cache = model.new_cache(context, work.cache_bits)
    ids = torch.randint(config.vocab_size, (context,))
    last = min(SLACK, context)
    if context > last:
        model.prefill(ids[:-last], cache)
    prefill = peak_bytes(lambda: model.prefill(ids[-last:], cache))

    noise = make_noise("native", 0, config.vocab_size, model.device)
    steps = denoise(model, cache, sampling=model.sampling, noise=noise, batch=batch)
    next(steps)
    step = peak_bytes(lambda: (next(steps), next(steps)))
    score = peak_bytes(lambda: model.score(ids[: config.canvas_length], cache))

    assert prefill <= prefill_bytes(work) <= LOOSE * prefill + FIXED
    assert max(step, score) <= step_bytes(work, batch) <= LOOSE * max(step, score) + FIXED
