"""One denoising step over fixed memory: layers, vocabulary and sampler, to be captured as a CUDA graph.

Everything that changes from step to step or from canvas to canvas lies in tensors: ids, pins, lengths,
places in the cache, temperature, seed and turn of the noise. The host launches a step, waits once for
what it found, and launches the next one before it passes that on: the GPU works while a draft is shown.
Shape letters: B canvases, C positions, V vocabulary, D hidden size, S steps that must agree to stop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from engine.config import SamplingConfig
from engine.faults import is_lost, is_out_of_memory
from engine.kernels.activations import Rows
from engine.kernels.conditioning import TOLERANCE, expected_buffers, expected_embedding
from engine.kernels.noise import random_ids
from engine.kernels.vocabulary import Barred, VocabularyStatistics
from engine.kernels.vocabulary_scan import VocabularyScan, scan_buffers, scan_vocabulary
from engine.kernels.watched import watched_chances
from engine.model.cache import KVCache
from engine.model.fused import FusedLayers, Place
from engine.model.network import Model
from engine.outbox import Outbox
from engine.sampler import CanvasState, CounterNoise, advance, first_state, temperature
from engine.sizes import MOST_STEPS

log = logging.getLogger(__name__)

Work = Callable[[], None]
Capture = Callable[[Work], Work]  # takes what has run once, and gives what does the same again


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvases:
    """What does not change while a batch of canvases is denoised."""

    pins: Tensor  # int64 [B, C], below zero where free
    given: Tensor  # [B, C, D], the self-conditioning
    is_given: Tensor  # bool [B, C], where it is that
    barred: Barred | None  # of all B · C rows
    watch: Tensor | None = None  # int64 [B, C, W]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Settings:
    """The sampling and the noise, on the device."""

    temperatures: Tensor  # float32 [MOST_STEPS], by step
    entropy_bound: Tensor  # float32 []
    confidence_threshold: Tensor  # float32 []
    seed: Tensor  # int64 []
    turn: Tensor  # int64 []
    step: Tensor  # int64 [], from 0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the memory of a step is made for: other canvases of the kind need no other step."""

    batch: int
    length: int  # positions of a canvas
    stability: int  # steps that must agree to stop
    rules: int = 0  # of `Barred`
    watched: int = 0  # ids of each position

    @property
    def rows(self) -> int:
        return self.batch * self.length


Parts = CanvasState | Canvases | Barred


class FusedStep:
    """The step of a kind of canvases behind one cache; `begin`, then a call for each step."""

    def __init__(
        self, model: Model, cache: KVCache, kind: Kind, capture: Capture | None,
        tolerance: float = TOLERANCE,
    ) -> None:  # fmt: skip
        """capture: None runs every step operation by operation. tolerance: of `expected_embedding`."""
        assert model.fused is not None
        self._model, self._fused, self._cache = model, model.fused, cache
        self._capture, self._tolerance = capture, tolerance
        self._replay: Work | None = None
        self._has_run = self._is_launched = False
        self._last = 0
        with torch.inference_mode():
            self._allocate(model, model.fused, kind)

    def _allocate(self, model: Model, fused: FusedLayers, kind: Kind) -> None:
        norm = model.weights.norm
        shape, size = (kind.batch, kind.length), model.config.hidden_size
        self._place: Place = fused.place(kind.length, norm)
        ids = torch.zeros(shape, dtype=torch.int64, device=model.device)
        soft = norm.new_zeros(*shape, size)
        watch = ids.new_zeros(*shape, kind.watched) if kind.watched else None
        watched = None if watch is None else torch.zeros_like(watch, dtype=torch.float32)
        # `first_state` shares tensors; here each has its own memory.
        fresh = replace(first_state(ids, soft, kind.stability), watched=watched)
        self._state: CanvasState = _each(fresh, torch.clone)
        self._outbox = Outbox(_shown(self._state))
        self._state = replace(self._state, **self._outbox.tensors)
        self._renoise = torch.zeros_like(ids)
        self._fresh_soft = torch.zeros_like(soft)
        nowhere = torch.zeros_like(ids, dtype=torch.bool)
        barred = None
        if kind.rules:
            forbidden = nowhere.new_zeros(kind.rules, model.config.vocab_size)
            barred = Barred(rules=forbidden, rows=torch.zeros_like(ids).flatten())
        self._canvases = Canvases(
            pins=ids.clone(), given=soft.clone(), is_given=nowhere, barred=barred, watch=watch
        )
        number = torch.zeros((), device=model.device)
        whole = torch.zeros((), dtype=torch.int64, device=model.device)
        self._settings = _Settings(
            temperatures=torch.ones(MOST_STEPS, device=model.device),
            entropy_bound=number.clone(), confidence_threshold=number.clone(),
            seed=whole.clone(), turn=whole.clone(), step=whole.clone(),
        )  # fmt: skip

    @torch.inference_mode()
    def begin(
        self, canvases: Canvases, start: CanvasState, sampling: SamplingConfig,
        noise: CounterNoise, unread: Tensor | None = None,
    ) -> None:  # fmt: skip
        """Another batch of canvases, behind the cache as it is now.

        unread: int64 [T], tokens to append to the cache in front of a single canvas. They are
        encoded by the pass of its first step, which is then launched here, operation by operation:
        it is taken once a canvas, at places that the host knows. Raises ValueError when the cache
        is too small.
        """
        ahead = [] if unread is None else unread.tolist()
        self._cache.reserve(len(ahead))
        most, settings = sampling.max_denoising_steps, self._settings
        table = [temperature(sampling, most - step, torch.device("cpu")) for step in range(most)]
        settings.temperatures[:most].copy_(torch.stack(table))
        settings.entropy_bound.fill_(sampling.entropy_bound)
        settings.confidence_threshold.fill_(sampling.confidence_threshold)
        settings.seed.fill_(noise.seed)
        settings.turn.fill_(noise.turn)
        settings.step.zero_()
        _copy(self._canvases, canvases)
        # Before the first step there is no self-conditioning: that of zeros is none.
        soft = torch.zeros_like(self._fresh_soft) if start.soft is None else start.soft
        _copy(self._state, replace(start, soft=soft, watched=self._state.watched))
        self._place.move(self._model.config, self._cache, len(ahead))
        self._noise, self._last, self._is_launched = noise, most, unread is not None
        if unread is not None:
            self.work(unread.to(self._model.device))
            self._outbox.send()
            self._cache.append(ahead)

    @torch.inference_mode()
    def __call__(self, step: int) -> CanvasState:
        """What the step (from 1) finds, in host memory; the self-conditioning only of the last."""
        if not self._is_launched:
            self._launch()
        found = self._outbox.receive()
        self._noise.turn += 1
        is_last = step == self._last or bool(found["stop"].all())
        self._is_launched = False
        soft = self._state.soft
        if is_last:
            soft = None if soft is None else soft.clone()
        else:
            self._launch()
        return replace(self._state, **found, soft=soft if is_last else None)

    def _launch(self) -> None:
        self._is_launched = True
        if self._replay is None and self._capture is not None and self._has_run:
            self._replay = self._captured(self._capture)
        (self._replay or self.work)()
        self._outbox.send()
        self._has_run = True  # all is compiled now, so that it can be captured

    def _captured(self, capture: Capture) -> Work | None:
        try:
            return capture(self.work)
        except Exception as error:
            if is_lost(error) or is_out_of_memory(error):
                raise
            log.warning("steps run without a graph: %s", error)
            self._capture = None
            return None

    @torch.inference_mode()
    def work(self, unread: Tensor | None = None) -> None:
        """The step itself: keeps nothing but what is in the tensors of this object.

        What it needs meanwhile is allocated here, so that all graphs work in the same memory.
        unread: as of `begin`; their keys and values are left behind the cache.
        """
        model, state, settings, canvases = self._model, self._state, self._settings, self._canvases
        embedding, softcap = model.weights.embedding, model.config.final_logit_softcapping
        x = model.condition(model.embed(state.ids), state.soft)
        before = None if unread is None else model.embed(unread)
        rows = self._fused.decode(x, self._place, self._cache, self._fused.head, before)
        cooled = settings.temperatures.take(settings.step)
        scan = scan_vocabulary(
            rows, embedding, scan_buffers(rows, embedding), softcap=softcap, temperature=cooled,
            seed=settings.seed, step=settings.turn, barred=canvases.barred,
        )  # fmt: skip
        scan.discarded.masked_fill_(canvases.is_given.flatten(), 0.0)  # nobody reads those sums
        expected_embedding(
            scan, rows, embedding, expected_buffers(rows, embedding, model.dtype),
            self._fresh_soft.flatten(0, 1),
            softcap=softcap, temperature=cooled, tolerance=self._tolerance,
            barred=canvases.barred,
        )  # fmt: skip
        settings.turn.add_(1)
        settings.step.add_(1)
        random_ids(self._renoise, settings.seed, settings.turn, model.config.vocab_size)
        shape = state.ids.shape
        seen = VocabularyStatistics(
            argmax=scan.argmax.view(shape),
            entropy=scan.entropy.view(shape),
            sampled=scan.sampled.view(shape),
            soft=torch.where(canvases.is_given[..., None], canvases.given, self._fresh_soft),
            watched=self._watched(rows, scan, cooled),
        )
        after = advance(
            state, seen, self._renoise, canvases.pins,
            entropy_bound=settings.entropy_bound,
            confidence_threshold=settings.confidence_threshold,
        )  # fmt: skip
        _copy(state, after)

    def _watched(self, rows: Rows, scan: VocabularyScan, cooled: Tensor) -> Tensor | None:
        """float32 [B, C, W], zeros where the self-conditioning is given."""
        model, canvases = self._model, self._canvases
        if canvases.watch is None:
            return None
        found = torch.empty_like(canvases.watch, dtype=torch.float32)
        watched_chances(
            rows, model.weights.embedding, canvases.watch.flatten(0, 1), scan.log_total,
            found.flatten(0, 1), softcap=model.config.final_logit_softcapping, temperature=cooled,
            barred=canvases.barred,
        )  # fmt: skip
        return found.masked_fill_(canvases.is_given[..., None], 0.0)


def _shown(state: CanvasState) -> dict[str, Tensor]:
    """What the host wants to know of a state."""
    names = ("argmax", "entropy", "accepted", "sampled", "stop", "watched")
    values = {name: getattr(state, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _each(state: CanvasState, change: Callable[[Tensor], Tensor]) -> CanvasState:
    tensors = {field.name: getattr(state, field.name) for field in fields(state)}
    changed = {name: change(value) for name, value in tensors.items() if value is not None}
    return replace(state, **changed)


def _copy(to: Parts, source: Parts) -> None:
    """All tensors of one into those of the other, where there are any."""
    for field in fields(to):
        target, value = getattr(to, field.name), getattr(source, field.name)
        if isinstance(target, Tensor):
            target.copy_(value)
        elif target is not None:
            _copy(target, value)
