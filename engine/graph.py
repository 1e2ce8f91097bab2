"""Fused steps as CUDA graphs where there are such, kept for later canvases of the same kind."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.fused_step import Capture as Capture
from engine.fused_step import FusedStep, Kind
from engine.fused_step import Work as Work
from engine.kernels.conditioning import TOLERANCE
from engine.model.cache import KVCache
from engine.model.network import Model
from engine.quant.tensors import Int4Tensor
from engine.sizes import STEPS_KEPT


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
    has_kernels = not any(isinstance(each.experts_down, Tensor) for each in model.weights.layers)
    return has_kernels and model.fused is not None and model.fused.operations.stays_on_device


class Graphs:
    """The steps that are kept, as capturing one takes as long as some steps; the oldest goes."""

    def __init__(
        self, capture: Capture | None = None, tolerance: float = TOLERANCE, *, merges: bool = True
    ) -> None:
        """As of `FusedStep`. merges: whether a canvas' first step encodes what is unread in front."""
        self._capture, self._tolerance, self.merges = capture, tolerance, merges
        self._kept: dict[tuple[int, Kind], tuple[KVCache, FusedStep]] = {}

    def step(self, model: Model, cache: KVCache, kind: Kind) -> FusedStep:
        """The step of such canvases behind that cache, made where there is none."""
        key = (id(cache), kind)
        found = self._kept.pop(key, None)
        if found is None:
            self._make_room(kind, model.config.canvas_length)
            capture = self._capture if _can_be_captured(model) else None
            found = cache, FusedStep(model, cache, kind, capture, self._tolerance)
        self._kept[key] = found
        return found[1]

    def _make_room(self, kind: Kind, canvas_length: int) -> None:
        """Lets the oldest steps go: the memory plan counts with so many, and so many rows."""
        while self._kept and (
            len(self._kept) >= STEPS_KEPT
            or sum(each.rows for _, each in self._kept) + kind.rows > STEPS_KEPT * canvas_length
        ):
            del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        """Gives their memory back."""
        self._kept.clear()
