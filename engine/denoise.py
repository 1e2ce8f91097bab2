"""One batch of canvases over one prefix: the loop over denoising steps, with pinned positions.

Pins are on the canvas before the first pass and stay there; from the second pass on their
self-conditioning is the pinned token itself. Sampling, acceptance, renoising and the stop rule see
the free positions only, and the vocabulary is computed for them only. What else an edit asks of a
canvas is in `Constraints`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from engine.config import SamplingConfig
from engine.faults import no_numbers
from engine.kernels.vocabulary import Barred, VocabularyStatistics, vocabulary_statistics
from engine.model.cache import KVCache
from engine.model.network import Model
from engine.quant.matmul import mix
from engine.sampler import Noise, accept, confident, temperature

FREE = -1  # in `pins`


class PinSignal(Enum):
    """What the self-conditioning says at a pinned position from the second pass on."""

    ONE_HOT = "one_hot"  # the pinned token
    NATIVE = "native"  # what the model itself would have put there
    UNIFORM = "uniform"  # every token alike


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a canvas begins with in place of noise and of no self-conditioning."""

    ids: Tensor  # int64 [B, C]
    soft: Tensor | None  # [B, C, D], expected embeddings as in `StepResult.soft`; None as at first


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What a batch of canvases has to respect beside its pins, and what to report of it."""

    signal: PinSignal = PinSignal.ONE_HOT
    pins_in_first_pass: bool = True  # False: the first pass sees noise in place of the pins
    barred: Tensor | None = None  # bool [K, V], each row a rule: ids that it forbids
    rules: Tensor | None = None  # int64 [B, C], the rule of each position
    watch: Tensor | None = None  # int64 [C, W], ids whose log-probabilities to report
    start: Start | None = None


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
    soft: Tensor | None = None  # of the last step: [B, C, D] expected embeddings, to go on from
    watched: Tensor | None = None  # [B, C, W] float32, as `Constraints.watch`; 0 where pinned


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
    constraints: Constraints | None = None,
) -> Iterator[StepResult]:
    """Denoises `batch` canvases behind the cached prefix, yielding every step.

    pins: int64 [C] or [B, C] with -1 (FREE) at free positions; gives the canvas its length.
    A canvas that has settled keeps its result while others of the batch go on.
    """
    constraints = constraints or Constraints()
    pins = _full_pins(pins, batch, model.config.canvas_length, model.device)
    free = pins == FREE
    start = constraints.start
    ids = noise.canvas(*pins.shape) if start is None else start.ids
    ids = torch.where(free, ids, pins) if constraints.pins_in_first_pass else ids
    argmax, stop = ids, torch.zeros(pins.shape[0], dtype=torch.bool, device=model.device)
    entropy = torch.zeros_like(pins, dtype=torch.float32)
    soft = None if start is None else start.soft
    history: deque[Tensor] = deque(maxlen=sampling.stability_threshold)
    for step in range(1, sampling.max_denoising_steps + 1):
        remaining = sampling.max_denoising_steps - step + 1
        cooled = temperature(sampling, remaining, model.device)
        seen = _look(model, model.decode(ids, cache, soft), free, cooled, noise, constraints)
        fresh = torch.where(free, seen.argmax, pins)
        new_entropy = seen.entropy.masked_fill(~free, 0.0)
        accepted = accept(new_entropy, free, sampling.entropy_bound)
        sampled = torch.where(free, seen.sampled, pins)
        kept = torch.where(accepted, sampled, noise.canvas(*pins.shape))
        new_soft = _pin_soft(seen.soft, free, pins, model, constraints.signal)

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
            soft=soft if is_last else None,
            watched=seen.watched,
        )
        if is_last:
            return


def _full_pins(pins: Tensor | None, batch: int, length: int, device: torch.device) -> Tensor:
    """Pins as [B, C] on the device."""
    if pins is None:
        return torch.full((batch, length), FREE, device=device)
    pins = pins.to(device=device, dtype=torch.int64)
    return pins.expand(batch, -1) if pins.ndim == 1 else pins


def _look(
    model: Model,
    hidden: Tensor,
    free: Tensor,
    temperature: Tensor,
    noise: Noise,
    constraints: Constraints,
) -> VocabularyStatistics:
    """What one step sees of the vocabulary, for hidden [B, C, D]; zeros where nobody looks."""
    native = constraints.signal is PinSignal.NATIVE
    wanted = torch.ones_like(free) if native or noise.draws_whole_blocks else free
    noise.begin_step(wanted)
    seen = vocabulary_statistics(
        hidden.flatten(0, 1) if bool(wanted.all()) else hidden[wanted],
        model.weights.embedding,
        softcap=model.config.final_logit_softcapping,
        temperature=temperature,
        draw=noise.sample,
        whole=noise.draws_whole_blocks,
        block_rows=model.portions.logits_rows,
        barred=_barred(constraints, wanted),
        watch=_watch(constraints, wanted),
    )
    return VocabularyStatistics(
        argmax=_spread(seen.argmax, wanted),
        entropy=_spread(seen.entropy, wanted),
        sampled=_spread(seen.sampled, wanted),
        soft=_spread(seen.soft, wanted),
        watched=None if seen.watched is None else _spread(seen.watched, wanted),
    )


def _spread(values: Tensor, wanted: Tensor) -> Tensor:
    """Values of the wanted positions [R, ...] at their places, [B, C, ...]; zeros elsewhere."""
    if wanted.numel() == values.shape[0]:
        return values.view(*wanted.shape, *values.shape[1:])
    spread = values.new_zeros(*wanted.shape, *values.shape[1:])
    spread[wanted] = values
    return spread


def _barred(constraints: Constraints, wanted: Tensor) -> Barred | None:
    if constraints.barred is None or constraints.rules is None:
        return None
    return Barred(rules=constraints.barred, rows=constraints.rules[wanted])


def _watch(constraints: Constraints, wanted: Tensor) -> Tensor | None:
    if constraints.watch is None:
        return None
    return constraints.watch.expand(wanted.shape[0], -1, -1)[wanted]


def _stable(argmax: Tensor, history: deque[Tensor]) -> Tensor:
    """Which canvases equal each of the last `history.maxlen` steps, bool [B].

    None does before there were that many: the first step never stops.
    """
    stable = torch.full_like(argmax[:, 0], len(history) == history.maxlen, dtype=torch.bool)
    for earlier in history:
        stable &= (earlier == argmax).all(dim=-1)
    return stable


def _pin_soft(soft: Tensor, free: Tensor, pins: Tensor, model: Model, signal: PinSignal) -> Tensor:
    """The expected embeddings with what `signal` says at the pins."""
    if bool(free.all()) or signal is PinSignal.NATIVE:
        return soft
    if signal is PinSignal.ONE_HOT:
        given = model.look_up(pins.clamp(min=0))
    else:
        size = model.config.vocab_size
        alike = torch.full((1, size), 1 / size, dtype=soft.dtype, device=soft.device)
        given = mix(alike, model.weights.embedding).expand_as(soft)
    return torch.where(free[..., None], soft, given)


def _refuse_nan(entropy: Tensor) -> None:
    if not bool(torch.isfinite(entropy).all()):
        raise no_numbers()
