"""One denoising step over fixed memory: layers, vocabulary and sampler, as a CUDA graph where there is one.

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
from engine.kernels.activations import Rows, empty_rows
from engine.kernels.conditioning import (
    TOLERANCE,
    ExpectedBuffers,
    expected_buffers,
    expected_embedding,
)
from engine.kernels.noise import random_ids
from engine.kernels.vocabulary import Barred, VocabularyStatistics
from engine.kernels.vocabulary_scan import ScanBuffers, scan_buffers, scan_vocabulary
from engine.model.cache import KVCache
from engine.model.fused import FusedLayers, Place
from engine.model.network import Model
from engine.quant.tensors import Int4Tensor
from engine.sampler import CanvasState, CounterNoise, advance, first_state, temperature

log = logging.getLogger(__name__)

MOST_STEPS = 4096  # as `SamplingConfig` allows
MOST_GRAPHS = 3  # of 26B about 150 MB each

Work = Callable[[], None]
Capture = Callable[[Work], Work]  # takes what has run once, and gives what does the same again


def cuda_capture() -> Capture:
    """Makes CUDA graphs that share their memory: only one runs at a time, and nothing stays in it."""
    pool = torch.cuda.graph_pool_handle()

    def capture(work: Work) -> Work:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            work()
        replay: Work = graph.replay
        return replay

    return capture


def runs_fused(model: Model) -> bool:
    """Whether a whole step of the model can stay on the device."""
    if model.fused is None or isinstance(model.weights.embedding, Int4Tensor):
        return False
    return model.fused.operations.has_vocabulary


def _can_be_captured(model: Model) -> bool:
    has_kernels = all(isinstance(each.experts_down, Int4Tensor) for each in model.weights.layers)
    return has_kernels and model.fused is not None and model.fused.operations.stays_on_device


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvases:
    """What does not change while a batch of canvases is denoised."""

    pins: Tensor  # int64 [B, C], below zero where free
    given: Tensor  # [B, C, D], the self-conditioning
    is_given: Tensor  # bool [B, C], where it is that
    barred: Barred | None  # of all B · C rows


@dataclass(frozen=True, kw_only=True, eq=False)
class _Settings:
    """The sampling and the noise, on the device."""

    temperatures: Tensor  # float32 [MOST_STEPS], by step
    entropy_bound: Tensor  # float32 []
    confidence_threshold: Tensor  # float32 []
    seed: Tensor  # int64 []
    turn: Tensor  # int64 []
    step: Tensor  # int64 [], from 0


Parts = CanvasState | Canvases | Barred


class FusedStep:
    """The step of B canvases of C positions behind one cache; `begin`, then a call for each step."""

    def __init__(
        self, model: Model, cache: KVCache, shape: tuple[int, int], stability: int,
        num_rules: int, capture: Capture | None, tolerance: float = TOLERANCE,
    ) -> None:  # fmt: skip
        """num_rules: of `Barred`, 0 for none. capture: None runs every step operation by operation.
        tolerance: of `expected_embedding`.
        """
        assert model.fused is not None
        self._model, self._fused, self._cache = model, model.fused, cache
        self._capture, self._tolerance = capture, tolerance
        self._replay: Work | None = None
        self._has_run = self._is_launched = False
        self._last = 0
        with torch.inference_mode():
            self._allocate(model, model.fused, shape, stability, num_rules)

    def _allocate(
        self, model: Model, fused: FusedLayers, shape: tuple[int, int], stability: int, rules: int
    ) -> None:
        embedding, norm, size = (
            model.weights.embedding,
            model.weights.norm,
            model.config.hidden_size,
        )
        rows: Rows = empty_rows(
            fused.head.form, shape[0] * shape[1], size, model.dtype, model.device
        )
        self._place: Place = fused.place(*shape, norm)
        self._scan: ScanBuffers = scan_buffers(rows, embedding)
        self._expected: ExpectedBuffers = expected_buffers(rows, embedding, model.dtype)
        ids = torch.zeros(shape, dtype=torch.int64, device=model.device)
        soft = norm.new_zeros(*shape, size)
        self._state: CanvasState = first_state(ids, soft, stability)
        # `first_state` shares tensors; here each has its own memory.
        self._state = _each(self._state, torch.clone)
        self._renoise = torch.zeros_like(ids)
        self._fresh_soft = torch.zeros_like(soft)
        nowhere = torch.zeros_like(ids, dtype=torch.bool)
        forbidden = nowhere.new_zeros(rules, model.config.vocab_size)
        self._canvases = Canvases(
            pins=ids.clone(), given=soft.clone(), is_given=nowhere,
            barred=Barred(rules=forbidden, rows=torch.zeros_like(ids).flatten()) if rules else None,
        )  # fmt: skip
        number = torch.zeros((), device=model.device)
        whole = torch.zeros((), dtype=torch.int64, device=model.device)
        self._settings = _Settings(
            temperatures=torch.ones(MOST_STEPS, device=model.device),
            entropy_bound=number.clone(), confidence_threshold=number.clone(),
            seed=whole.clone(), turn=whole.clone(), step=whole.clone(),
        )  # fmt: skip
        self._found = {
            name: torch.empty_like(value, device="cpu", pin_memory=value.is_cuda)
            for name, value in _shown(self._state).items()
        }

    @torch.inference_mode()
    def begin(
        self, canvases: Canvases, start: CanvasState, sampling: SamplingConfig, noise: CounterNoise
    ) -> None:
        """Another batch of canvases, behind the cache as it is now."""
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
        _copy(self._state, replace(start, soft=soft))
        self._place.move(self._model.config, self._cache)
        self._noise, self._last, self._is_launched = noise, most, False

    @torch.inference_mode()
    def __call__(self, step: int) -> CanvasState:
        """What the step (from 1) finds, in host memory; the self-conditioning only of the last."""
        if not self._is_launched:
            self._launch()
        for name, value in _shown(self._state).items():
            self._found[name].copy_(value, non_blocking=True)
        if self._renoise.is_cuda:
            torch.cuda.current_stream().synchronize()
        found = {name: value.clone() for name, value in self._found.items()}
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
    def work(self) -> None:
        """The step itself: reads and writes the tensors of this object and nothing else."""
        model, state, settings, canvases = self._model, self._state, self._settings, self._canvases
        embedding, softcap = model.weights.embedding, model.config.final_logit_softcapping
        x = model.condition(model.embed(state.ids), state.soft)
        rows = self._fused.decode(x, self._place, self._cache, self._fused.head)
        cooled = settings.temperatures.take(settings.step)
        scan = scan_vocabulary(
            rows, embedding, self._scan, softcap=softcap, temperature=cooled,
            seed=settings.seed, step=settings.turn, barred=canvases.barred,
        )  # fmt: skip
        scan.discarded.masked_fill_(canvases.is_given.flatten(), 0.0)  # nobody reads those sums
        expected_embedding(
            scan, rows, embedding, self._expected, self._fresh_soft.flatten(0, 1),
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
        )
        after = advance(
            state, seen, self._renoise, canvases.pins,
            entropy_bound=settings.entropy_bound,
            confidence_threshold=settings.confidence_threshold,
        )  # fmt: skip
        _copy(state, after)


class Graphs:
    """The steps that are kept, as capturing one takes as long as some steps; the oldest goes."""

    def __init__(self, capture: Capture | None = None, tolerance: float = TOLERANCE) -> None:
        """As of `FusedStep`."""
        self._capture, self._tolerance = capture, tolerance
        self._kept: dict[tuple[int, ...], tuple[KVCache, FusedStep]] = {}

    def step(
        self,
        model: Model,
        cache: KVCache,
        shape: tuple[int, int],
        stability: int,
        num_rules: int = 0,
    ) -> FusedStep:
        """The step of canvases [B, C] behind that cache, made where there is none."""
        key = (id(cache), *shape, stability, num_rules)
        found = self._kept.pop(key, None)
        if found is None:
            while len(self._kept) >= MOST_GRAPHS:
                del self._kept[next(iter(self._kept))]
            capture = self._capture if _can_be_captured(model) else None
            made = FusedStep(model, cache, shape, stability, num_rules, capture, self._tolerance)
            found = cache, made
        self._kept[key] = found
        return found[1]

    def clear(self) -> None:
        """Gives their memory back."""
        self._kept.clear()


def _shown(state: CanvasState) -> dict[str, Tensor]:
    """What the host wants to know of a state."""
    names = ("argmax", "entropy", "accepted", "sampled", "stop")
    return {name: getattr(state, name) for name in names}


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
