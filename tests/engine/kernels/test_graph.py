"""The fused step against the plain one with the same noise, and what replays it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.denoise import Constraints, PinSignal, Start, StepResult, denoise
from engine.fused_step import Kind
from engine.generate import steps
from engine.graph import Capture, Graphs, Work, runs_fused
from engine.kernels.operations import NAMES, operations
from engine.model.fused import FusedLayers
from engine.model.network import Model
from engine.sampler import make_noise
from tests.engine.geometries import SAMPLING as SAMPLING_26B
from tests.engine.geometries import real_config
from tests.engine.kernels.network import VOCABULARY, config, fused, meta_weights, random_model

PROMPT = torch.arange(11)
SAMPLING = {"entropy_bound": 3.0, "max_denoising_steps": 4, "stop_ids": ()}
PINS = torch.tensor([-1, 5, -1, -1, 7, -1])
SCAN = ("vocabulary",)  # all layers by plain operations, which is quick here


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(config(True, False))


def agree(found: Iterator[StepResult], wanted: Iterator[StepResult]) -> int:
    """How many steps there were, and all the same up to the rounding of sums."""
    count = 0
    for one, other in zip(found, wanted, strict=True):
        count += 1
        for name in ("canvas", "step", "is_last"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("argmax", "sampled", "accepted", "pinned", "stop"):
            assert torch.equal(getattr(one, name), getattr(other, name)), (name, one.step)
        torch.testing.assert_close(one.entropy, other.entropy, rtol=1e-3, atol=1e-3)
        for name in ("soft", "watched"):
            mine, theirs = getattr(one, name), getattr(other, name)
            assert (mine is None) == (theirs is None)
            if mine is not None:
                torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)
    return count


def run(model: Model, **options) -> Iterator[StepResult]:
    given = {"max_new_tokens": 16, "seed": 3, "noise": "counter", "sampling": SAMPLING}
    return steps(model, PROMPT, **{**given, "graphs": exact(), **options})


def exact(capture: Capture | None = None) -> Graphs:
    """With all tokens in the self-conditioning, as the plain step has it."""
    return Graphs(capture, tolerance=-1.0)


def test_steps_by_kernels_from_end_to_end_are_the_plain_ones(model: Model) -> None:
    sampling = {**SAMPLING, "max_denoising_steps": 2}
    found = run(fused(model, NAMES, bits=16), pins=PINS, sampling=sampling)
    assert agree(found, run(model, pins=PINS, sampling=sampling)) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"max_new_tokens": 32},  # the settled canvas is encoded in between
        {"pins": torch.stack([PINS, PINS.flip(0), torch.full_like(PINS, -1)])},
        {"pins": PINS, "constraints": Constraints(signal=PinSignal.UNIFORM)},
        {
            "pins": PINS,
            "constraints": Constraints(
                signal=PinSignal.NATIVE,
                pins_in_first_pass=False,
                start=Start(ids=PINS[None].abs(), soft=torch.ones(1, 6, 80)),
            ),
        },
        # Canvases that settle, each at its own step.
        {"batch": 3, "sampling": {**SAMPLING, "confidence_threshold": 1.0, "stability_threshold": 0}},
    ],
    ids=["two canvases", "three pinned", "uniform signal", "a given start", "settling"],
)  # fmt: skip
def test_every_step_is_the_plain_one(model: Model, options: dict) -> None:
    """The layers by plain operations here; the rest of the step as on a GPU."""
    assert agree(run(fused(model, SCAN, bits=16), **options), run(model, **options)) > 1


def test_eight_bit_rows_and_a_sparse_self_conditioning_say_much_the_same() -> None:
    """Two steps from given ids, the second one with what the first expects."""
    whole = random_model(replace(config(True, False), top_k_experts=3))  # see test_fused.py
    found, wanted = [], []
    for each, results in ((fused(whole, SCAN), found), (whole, wanted)):
        soft = None
        for _ in range(2):
            start = Start(ids=torch.arange(48).view(3, 16), soft=soft)
            options = {"constraints": Constraints(start=start), "graphs": None, "batch": 3}
            *_, last = run(each, sampling={**SAMPLING, "max_denoising_steps": 1}, **options)
            results.append(last)
            soft = last.soft
    for one, other, least in zip(found, wanted, (0.999, 0.99), strict=True):
        both = one.soft.flatten(), other.soft.flatten()
        assert torch.cosine_similarity(*both, dim=0) >= least
        assert (one.entropy - other.entropy).abs().mean() <= 0.1
        # Where two tokens are nearly as likely, either may come first.
        assert (one.argmax == other.argmax).float().mean() >= 0.9


def test_a_step_of_26b_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors without memory have no values to wait for. Kernels are only counted."""
    launched: list[str] = []

    def count(executor: Any, *args: object, **options: object) -> None:
        launched.append(executor.fn.__name__)

    monkeypatch.setattr("triton.runtime.interpreter.GridExecutor.__call__", count)
    made = real_config()
    weights = meta_weights(made)
    layers = FusedLayers(made, weights, operations())
    own = Model(made, SAMPLING_26B, weights, fused=layers)
    Graphs().step(own, own.new_cache(2048), Kind(batch=1, length=256, stability=1)).work()
    assert launched.count("_attend") == 30
    assert len(launched) <= 14 * 30 + 30


class FakeGraphs:
    """Captures as a GPU does: nothing happens until the replay. Counts both."""

    def __init__(self) -> None:
        self.captured = self.replayed = 0

    def capture(self, work: Work) -> Work:
        self.captured += 1

        def replay() -> None:
            self.replayed += 1
            work()

        return replay


def test_a_step_is_captured_once_for_canvases_of_a_shape(model: Model) -> None:
    """And reads all that is new from its own memory: length, pins, seed, sampling."""
    own, fake = fused(model, SCAN, bits=16), FakeGraphs()
    graphs, cache, other = exact(fake.capture), own.new_cache(64), model.new_cache(64)
    two = {**SAMPLING, "max_denoising_steps": 2}
    canvases = [
        {"seed": 3, "pins": PINS},
        {"seed": 4, "pins": PINS.flip(0), "sampling": {**two, "t_min": 0.7, "entropy_bound": 1.0}},
        {"seed": 5, "pins": PINS, "prompt": torch.arange(20)},
    ]
    for each in canvases:
        prompt = each.pop("prompt", PROMPT)
        options = {"max_new_tokens": 6, "noise": "counter", "sampling": two, **each}
        found = steps(own, prompt, cache=cache, graphs=graphs, **options)
        assert agree(found, steps(model, prompt, cache=other, **options)) == 2
    assert fake.captured == 1
    # The very first step compiles; two others encode what is new of their prompts, and are no graphs.
    assert fake.replayed == 3 * 2 - 3
    list(steps(own, PROMPT, cache=cache, graphs=graphs, **{**options, "pins": PINS[:5]}))
    assert fake.captured == 2


def test_where_nothing_can_be_captured_steps_run_all_the_same(
    model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(work: Work) -> Work:
        raise RuntimeError("operation not permitted when stream is capturing")

    own = fused(model, SCAN, bits=16)
    graphs = exact(fails)
    assert agree(run(own, pins=PINS, graphs=graphs), run(model, pins=PINS)) == 4
    assert caplog.text.count("without a graph") == 1


def test_a_lost_gpu_is_not_taken_for_that(model: Model) -> None:
    def fails(work: Work) -> Work:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        list(run(fused(model, SCAN), pins=PINS, graphs=Graphs(fails)))


def test_a_canvas_left_between_two_steps_leaves_nothing_behind(model: Model) -> None:
    own = fused(model, SCAN, bits=16)
    graphs, cache = exact(FakeGraphs().capture), own.new_cache(64)
    loop = run(own, pins=PINS, graphs=graphs, cache=cache)
    next(loop)
    next(loop)
    loop.close()
    again = run(own, pins=PINS, graphs=graphs, cache=cache)
    assert agree(again, run(model, pins=PINS)) == 4


@pytest.mark.parametrize("left_out", ["vocabulary", "layers"])
def test_native_noise_is_that_of_the_step_that_is_taken(model: Model, left_out: str) -> None:
    own = fused(model, SCAN if left_out == "layers" else (), bits=16)
    assert runs_fused(own) == (left_out == "layers")
    noise = "counter" if left_out == "layers" else "native"
    found = run(own, pins=PINS, noise="native")
    assert agree(found, run(model, pins=PINS, noise=noise)) == 4


@pytest.mark.parametrize("watch", [None, torch.full((6, 2), 120)], ids=["barred", "watched"])
def test_forbidden_ids_never_come_up(model: Model, watch: Tensor | None) -> None:
    rules = torch.arange(VOCABULARY) < torch.tensor([[100], [120]])
    rows = torch.tensor([[0, 0, 1, 1, 0, 1]])
    constraints = Constraints(barred=rules, rules=rows, watch=watch)
    own, noise = fused(model, SCAN, bits=16), "counter"
    options = {"pins": PINS, "constraints": constraints, "noise": noise}
    found = list(run(own, **options))
    assert agree(iter(found), run(model, **options)) == 4
    assert (found[0].watched is None) == (watch is None)
    free = ~found[-1].pinned
    assert (found[-1].argmax[free] >= torch.tensor([100, 120])[rows][free]).all()


def test_numbers_that_are_none_end_the_canvas(model: Model) -> None:
    own = fused(model, SCAN)
    cache = own.new_cache(32)
    own.prefill(PROMPT, cache)
    cache.whole(1).keys[:] = torch.nan
    noise = make_noise("counter", 0, VOCABULARY, own.device)
    with pytest.raises(Exception, match=r"numbers"):
        next(denoise(own, cache, sampling=own.sampling, noise=noise))
