"""What a fused step keeps and works in, by the memory plan and by counting tensors as they live."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from engine.fused_step import FusedStep, Kind
from engine.graph import Graphs
from engine.kernels import attention, prefill
from engine.kernels.operations import operations
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.quant.scheme import SCHEMES
from engine.sizes import STEPS_KEPT
from engine.workspaces import Work, captured_bytes, kept_bytes, merged_bytes
from tests.engine.geometries import SAMPLING, real_config
from tests.engine.kernels.network import config, fused, meta_weights, random_model

LOOSE = 1.6  # how far a bound may lie above the truth


class Live(TorchDispatchMode):
    """The most bytes of tensors that were there at a time, of those made inside."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[int, int] = {}  # of storages that are there
        self._users: dict[int, int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {self._name(each) for each in tree_leaves((args, kwargs)) if _is_tensor(each)}
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if _is_tensor(each) and (
                self._name(each) in self._sizes or self._name(each) not in given
            ):
                self._add(each)
        self.peak = max(self.peak, sum(self._sizes.values()))
        return made

    def _add(self, tensor: Tensor) -> None:
        name = self._name(tensor)
        self._sizes[name] = tensor.untyped_storage().nbytes()
        self._users[name] = self._users.get(name, 0) + 1
        weakref.finalize(tensor, self._drop, name)

    def _drop(self, name: int) -> None:
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name], self._sizes[name]

    @staticmethod
    def _name(tensor: Tensor) -> int:
        return tensor.untyped_storage()._cdata


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor) and value.device.type == "meta"


def tensors(value: object) -> Iterator[Tensor]:
    """All that an object of ours holds, but for the network and its cache."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from tensors(each)
    elif type(value).__module__.startswith("engine.") and hasattr(value, "__dict__"):
        for name, each in vars(value).items():
            if name not in ("_model", "_fused", "_cache"):
                yield from tensors(each)


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> FusedStep:
    """Of the real model, without memory; kernels do nothing, and attention splits as often as it may."""
    monkeypatch.setattr("triton.runtime.interpreter.GridExecutor.__call__", lambda *_, **__: None)
    for module in (attention, prefill):
        monkeypatch.setattr(module, "_default_splits", lambda like, _: attention.most_splits(like))
    made = real_config()
    weights = meta_weights(made)
    model = Model(made, SAMPLING, weights, fused=FusedLayers(made, weights, operations()))
    return Graphs().step(model, model.new_cache(2048), Kind(batch=1, length=256, stability=1))


def real_work() -> Work:
    return Work(
        config=real_config(), scheme=SCHEMES["int4"], item_size=2, device="cuda", context=2048
    )


def test_what_is_kept_is_counted(step: FusedStep) -> None:
    kept = {each.untyped_storage()._cdata: each for each in tensors(step) if each.is_meta}
    found = sum(each.untyped_storage().nbytes() for each in kept.values())
    assert found > 4_000_000  # three embeddings of 256 rows
    assert found <= kept_bytes(real_work()) <= LOOSE * found


def test_what_a_step_works_in_is_counted(step: FusedStep) -> None:
    with Live() as seen:
        step.work()
    assert seen.peak <= captured_bytes(real_work()) <= LOOSE * seen.peak


def test_what_a_step_that_encodes_a_canvas_works_in_is_counted(step: FusedStep) -> None:
    with Live() as seen:
        step.work(torch.empty(256, dtype=torch.int64, device="meta"))
    assert seen.peak <= merged_bytes(real_work()) <= LOOSE * seen.peak


def test_no_more_steps_are_kept_than_the_plan_counts_with() -> None:
    model = fused(random_model(config(True)), ())
    graphs, cache = Graphs(), model.new_cache(64)
    whole = model.config.canvas_length

    def kept(*shapes: tuple[int, int]) -> list[bool]:
        """Which of the steps are still there after all have been asked for."""
        made = [
            weakref.ref(graphs.step(model, cache, Kind(batch=batch, length=length, stability=1)))
            for batch, length in shapes
        ]
        return [each() is not None for each in made]

    assert kept(*((1, length) for length in range(1, STEPS_KEPT + 2))) == [False] + STEPS_KEPT * [True]  # fmt: skip
    assert kept((1, whole), (2, whole)) == [True, True]
    assert kept((1, whole), (3, whole)) == [False, True]
    assert kept((5, whole)) == [True]
