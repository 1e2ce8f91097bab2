"""`steps`: the one loop over canvases. Everything that generates goes through it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.denoise import Constraints, StepResult, denoise
from engine.graph import Graphs, runs_fused
from engine.messages import Sampling
from engine.model.cache import KVCache
from engine.model.network import Model
from engine.sampler import make_noise
from engine.sizes import USUAL


@dataclass(frozen=True, kw_only=True)
class Generation:
    token_ids: tuple[int, ...]  # end before the stop id
    canvases: int
    steps: int  # decoder passes
    stopped: bool  # by a stop id


def steps(
    model: Model,
    prompt_ids: Tensor,
    *,
    max_new_tokens: int,
    seed: int,
    sampling: Sampling | dict[str, Any] | None = None,
    noise: str = "native",
    pins: Tensor | None = None,
    batch: int = 1,
    cache: KVCache | None = None,
    constraints: Constraints | None = None,
    graphs: Graphs | None = None,
) -> Iterator[StepResult]:
    """Generates behind prompt_ids (int64 [T]), yielding every denoising step.

    Runs ⌈max_new_tokens / canvas_length⌉ canvases, fewer once one holds a stop id. Between two
    canvases the settled one is encoded into the cache. `pins` and `constraints` (see `denoise`)
    apply to the first canvas. `batch` > 1 or pins [B, C] denoise several canvases over the same
    prefix, one canvas each. A given `cache` is reused as far as it holds the same tokens, and keeps
    the prompt and all canvases but the last. Where the model takes fused steps, `graphs` keeps them
    for later calls with the same cache and encodes a canvas, or a short rest of the prompt, by the
    pass of the next first step, and "native" noise is that of these steps. Raises ValueError for an
    empty prompt or when the cache is too small.
    """
    if prompt_ids.numel() == 0:
        raise ValueError("the prompt is empty")
    config = model.sampling.merged(sampling)
    if pins is not None and pins.ndim == 2:
        batch = pins.shape[0]
    canvases = math.ceil(max_new_tokens / model.config.canvas_length)
    if batch > 1 and canvases > 1:
        raise ValueError("several canvases over one prefix cannot be continued")
    if cache is None:
        cache = model.new_cache(prompt_ids.numel() + canvases * model.config.canvas_length)
    unread = _read(model, prompt_ids, cache)
    if noise == "native" and runs_fused(model):
        noise = "counter"
    source = make_noise(noise, seed, model.config.vocab_size, model.device)
    stop_ids = torch.tensor(config.stop_ids)
    for index in range(canvases):
        result = None
        for result in denoise(
            model,
            cache,
            sampling=config,
            noise=source,
            canvas=index,
            batch=batch,
            pins=pins,
            constraints=constraints,
            graphs=graphs if model.portions == USUAL else None,
            unread=unread,
        ):
            yield result
        assert result is not None
        if index + 1 == canvases or torch.isin(result.argmax.cpu(), stop_ids).any():
            return
        unread = result.argmax[0]
        pins = constraints = None


def _read(model: Model, prompt_ids: Tensor, cache: KVCache) -> Tensor | None:
    """Puts the prompt into the cache; returns a short rest of it, which the first step can read."""
    fresh = prompt_ids[cache.keep_prefix(prompt_ids.tolist()) :]
    if 0 < len(fresh) <= model.config.canvas_length:
        return fresh
    model.prefill(fresh, cache)
    return None


def generate(model: Model, prompt_ids: Tensor, **options: Any) -> Generation:
    """All of `steps` (same options, one canvas at a time) as the finished tokens."""
    ids: list[int] = []
    stop_ids = set(model.sampling.merged(options.get("sampling")).stop_ids)
    canvases = passes = 0
    for result in steps(model, prompt_ids, **options):
        passes += 1
        if result.is_last:
            canvases += 1
            ids.extend(result.argmax[0].tolist())
    end = next((place for place, token in enumerate(ids) if token in stop_ids), None)
    return Generation(
        token_ids=tuple(ids[:end]), canvases=canvases, steps=passes, stopped=end is not None
    )
