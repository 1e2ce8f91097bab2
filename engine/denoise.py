"""One batch of canvases over one prefix: the loop over denoising steps, with pinned positions.

Pins are on the canvas before the first pass and stay there; from the second pass on their
self-conditioning is the pinned token itself. Sampling, acceptance, renoising and the stop rule see
the free positions only, and the vocabulary is computed for them only. What else an edit asks of a
canvas is in `Constraints`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import Tensor

from engine.config import SamplingConfig
from engine.faults import no_numbers
from engine.fused_step import Canvases, Kind
from engine.graph import Graphs, runs_fused
from engine.kernels.vocabulary import Barred, VocabularyStatistics, vocabulary_statistics
from engine.model.cache import KVCache
from engine.model.network import Model
from engine.quant.matmul import mix
from engine.sampler import CanvasState, CounterNoise, Noise, advance, first_state, temperature

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


Step = Callable[[int], CanvasState]  # takes the number of a step, from 1


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
    graphs: Graphs | None = None,
    unread: Tensor | None = None,
) -> Iterator[StepResult]:
    """Denoises `batch` canvases behind the cached prefix, yielding every step.

    pins: int64 [C] or [B, C] with -1 (FREE) at free positions; gives the canvas its length.
    A canvas that has settled keeps its result while others of the batch go on.
    graphs: where fused steps are kept from canvas to canvas; their results lie in host memory.
    unread: int64 [T], up to a canvas of tokens behind the cached prefix. They are encoded first: where
    the `graphs` merge both, by the pass of the first step. Raises ValueError when the cache is too small.
    """
    constraints = constraints or Constraints()
    pins = _full_pins(pins, batch, model.config.canvas_length, model.device)
    state = _start(pins, noise, constraints, sampling.stability_threshold)
    pinned = pins != FREE
    if isinstance(noise, CounterNoise) and runs_fused(model):
        pinned = pinned.cpu()
        take = _fused_step(model, cache, pins, state, sampling, noise, constraints, graphs, unread)
    else:
        if unread is not None:
            model.prefill(unread, cache)
        take = _plain_step(model, cache, pins, state, sampling, noise, constraints)
    for step in range(1, sampling.max_denoising_steps + 1):
        state = take(step)
        is_last = step == sampling.max_denoising_steps or bool(state.stop.all())
        _refuse_nan(state.entropy)
        yield StepResult(
            canvas=canvas,
            step=step,
            max_steps=sampling.max_denoising_steps,
            argmax=state.argmax,
            entropy=state.entropy,
            accepted=state.accepted,
            sampled=state.sampled,
            pinned=pinned,
            stop=state.stop,
            is_last=is_last,
            soft=state.soft if is_last else None,
            watched=state.watched,
        )
        if is_last:
            return


def _start(pins: Tensor, noise: Noise, constraints: Constraints, stability: int) -> CanvasState:
    start, soft = constraints.start, None
    ids = noise.canvas(*pins.shape) if start is None else start.ids.to(pins.device)
    if constraints.pins_in_first_pass:
        ids = torch.where(pins == FREE, ids, pins)
    if start is not None and start.soft is not None:
        soft = start.soft.to(pins.device)
    return first_state(ids, soft, stability)


def _plain_step(
    model: Model, cache: KVCache, pins: Tensor, state: CanvasState, sampling: SamplingConfig,
    noise: Noise, constraints: Constraints,
) -> Step:  # fmt: skip
    """The step by the model's own passes and plain torch."""
    free = pins == FREE

    def take(step: int) -> CanvasState:
        nonlocal state
        remaining = sampling.max_denoising_steps - step + 1
        cooled = temperature(sampling, remaining, model.device)
        hidden = model.decode(state.ids, cache, state.soft)
        seen = _look(model, hidden, free, cooled, noise, constraints)
        seen = replace(seen, soft=_pin_soft(seen.soft, free, pins, model, constraints.signal))
        state = advance(
            state, seen, noise.canvas(*pins.shape), pins,
            entropy_bound=sampling.entropy_bound,
            confidence_threshold=sampling.confidence_threshold,
        )  # fmt: skip
        return state

    return take


def _fused_step(
    model: Model, cache: KVCache, pins: Tensor, state: CanvasState, sampling: SamplingConfig,
    noise: CounterNoise, constraints: Constraints, graphs: Graphs | None, unread: Tensor | None,
) -> Step:  # fmt: skip
    """The step as `engine.graph` takes it."""
    graphs = graphs or Graphs(merges=False)
    if unread is not None and not (graphs.merges and len(pins) == 1):
        model.prefill(unread, cache)
        unread = None
    shape = (pins.shape[0], pins.shape[1])
    watch = constraints.watch
    is_given = (pins != FREE) & (constraints.signal is not PinSignal.NATIVE)
    barred = _barred(constraints, torch.ones_like(is_given))
    kind = Kind(
        batch=shape[0], length=shape[1], stability=sampling.stability_threshold,
        rules=0 if barred is None else barred.rules.shape[0],
        watched=0 if watch is None else watch.shape[-1],
    )  # fmt: skip
    step = graphs.step(model, cache, kind)
    nothing = model.weights.norm.new_zeros(*shape, model.config.hidden_size)
    given = _pin_soft(nothing, ~is_given, pins, model, constraints.signal)
    canvases = Canvases(
        pins=pins, given=given, is_given=is_given, barred=barred,
        watch=None if watch is None else watch.to(pins.device).expand(shape[0], -1, -1),
    )  # fmt: skip
    step.begin(canvases, state, sampling, noise, unread)
    return step


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
