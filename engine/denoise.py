"""One batch of canvases over one prefix: the loop over denoising steps, with pinned positions.

Pins are on the canvas before the first pass and stay there; from the second pass on their
self-conditioning is the pinned token itself. Sampling, acceptance, renoising and the stop rule see
the free positions only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.config import SamplingConfig
from engine.kernels.vocabulary import VocabularyStatistics, vocabulary_statistics
from engine.messages import EngineFault, ErrorKind
from engine.model.cache import KVCache
from engine.model.network import Model
from engine.sampler import Noise, accept, confident, temperature

FREE = -1  # in `pins`


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one denoising step found, for B canvases of C positions."""

    canvas: int  # index of the canvas in the answer, from 0
    step: int  # from 1
    max_steps: int
    argmax: Tensor  # [B, C] int64; pinned positions hold their pin
    entropy: Tensor  # [B, C] float32, nats, of the tempered distribution; 0 where pinned
    accepted: Tensor  # [B, C] bool
    sampled: Tensor  # [B, C] int64
    pinned: Tensor  # [B, C] bool
    stop: Tensor  # [B] bool, canvases that have settled
    is_last: bool  # no further step follows on this canvas


@torch.inference_mode()
def denoise(
    model: Model,
    cache: KVCache,
    *,
    sampling: SamplingConfig,
    noise: Noise,
    canvas: int = 0,
    batch: int = 1,
    pins: Tensor | None = None,
) -> Iterator[StepResult]:
    """Denoises `batch` canvases behind the cached prefix, yielding every step.

    pins: int64 [C] or [B, C] with -1 (FREE) at free positions; gives the canvas its length.
    A canvas that has settled keeps its result while others of the batch go on.
    """
    pins = _full_pins(pins, batch, model.config.canvas_length, model.device)
    free = pins == FREE
    ids = torch.where(free, noise.canvas(*pins.shape), pins)
    argmax, stop = ids, torch.zeros(pins.shape[0], dtype=torch.bool, device=model.device)
    entropy = torch.zeros_like(pins, dtype=torch.float32)
    soft: Tensor | None = None
    history: deque[Tensor] = deque(maxlen=sampling.stability_threshold)
    for step in range(1, sampling.max_denoising_steps + 1):
        remaining = sampling.max_denoising_steps - step + 1
        cooled = temperature(sampling, remaining, model.device)
        seen = _statistics(model, model.decode(ids, cache, soft).flatten(0, 1), cooled, noise)
        fresh = torch.where(free, seen.argmax.view_as(pins), pins)
        new_entropy = seen.entropy.view_as(free).masked_fill(~free, 0.0)
        accepted = accept(new_entropy, free, sampling.entropy_bound)
        sampled = torch.where(free, seen.sampled.view_as(pins), pins)
        kept = torch.where(accepted, sampled, noise.canvas(*pins.shape))
        new_soft = _pin_soft(seen.soft.view(*pins.shape, -1), free, pins, model)

        # Settled canvases keep what they had.
        going = ~stop[:, None]
        argmax = torch.where(going, fresh, argmax)
        ids = torch.where(going, torch.where(free, kept, pins), ids)
        entropy = torch.where(going, new_entropy, entropy)
        soft = new_soft if soft is None else torch.where(going[..., None], new_soft, soft)

        stable = _stable(argmax, history)
        history.append(argmax)
        stop = stop | (stable & confident(entropy, free, sampling.confidence_threshold))
        is_last = step == sampling.max_denoising_steps or bool(stop.all())
        _refuse_nan(entropy)
        yield StepResult(
            canvas=canvas,
            step=step,
            max_steps=sampling.max_denoising_steps,
            argmax=argmax,
            entropy=entropy,
            accepted=accepted,
            sampled=sampled,
            pinned=~free,
            stop=stop,
            is_last=is_last,
        )
        if is_last:
            return


def _full_pins(pins: Tensor | None, batch: int, length: int, device: torch.device) -> Tensor:
    """Pins as [B, C] on the device."""
    if pins is None:
        return torch.full((batch, length), FREE, device=device)
    pins = pins.to(device=device, dtype=torch.int64)
    return pins.expand(batch, -1) if pins.ndim == 1 else pins


def _statistics(
    model: Model, hidden: Tensor, temperature: Tensor, noise: Noise
) -> VocabularyStatistics:
    """What one step sees of the vocabulary, for hidden [B C, D]."""
    noise.begin_step(hidden.shape[0])
    return vocabulary_statistics(
        hidden,
        model.weights.embedding,
        softcap=model.config.final_logit_softcapping,
        temperature=temperature,
        draw=noise.sample,
        whole=noise.draws_whole_blocks,
    )


def _stable(argmax: Tensor, history: deque[Tensor]) -> Tensor:
    """Which canvases equal each of the last `history.maxlen` steps, bool [B].

    None does before there were that many: the first step never stops.
    """
    stable = torch.full_like(argmax[:, 0], len(history) == history.maxlen, dtype=torch.bool)
    for earlier in history:
        stable &= (earlier == argmax).all(dim=-1)
    return stable


def _pin_soft(soft: Tensor, free: Tensor, pins: Tensor, model: Model) -> Tensor:
    """The expected embeddings with one-hot distributions at the pins."""
    if bool(free.all()):
        return soft
    exact = model.look_up(pins.clamp(min=0))
    return torch.where(free[..., None], soft, exact)


def _refuse_nan(entropy: Tensor) -> None:
    if not bool(torch.isfinite(entropy).all()):
        raise EngineFault(
            ErrorKind.MODEL_BROKEN,
            "The model computed values that are no numbers.",
            "Load the model again. If it happens again, download it again.",
        )
