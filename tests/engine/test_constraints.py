"""What an edit asks of a canvas beside its pins, each held against the network itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.denoise import FREE, Constraints, PinSignal, Start, StepResult
from engine.generate import steps
from engine.load import load_model
from engine.model.network import Model
from tests.engine.tiny import cases, random_reference, save

CASE = cases(8)[2]
PROMPT = torch.arange(9)
SAMPLING = {"max_denoising_steps": 4, "stop_ids": (), "confidence_threshold": 1e-9}
PINS = torch.full((20,), FREE)
PINS[:6], PINS[15:] = 30, 40


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder: Path = tmp_path_factory.mktemp("constraints")
    return load_model(save(random_reference(CASE.config(), 4), folder))


@dataclass
class Passes:
    """What the decoder was given, pass by pass."""

    canvases: list[Tensor]
    softs: list[Tensor | None]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    seen = Passes([], [])
    decode = Model.decode

    def spy(self: Model, canvas, cache, soft):
        seen.canvases.append(canvas.clone())
        seen.softs.append(soft)
        return decode(self, canvas, cache, soft)

    monkeypatch.setattr(Model, "decode", spy)
    return seen


def run(model: Model, pins: Tensor = PINS, seed: int = 1, **constraints) -> list[StepResult]:
    loop = steps(
        model,
        PROMPT,
        max_new_tokens=pins.shape[-1],
        seed=seed,
        sampling=SAMPLING,
        pins=pins,
        constraints=Constraints(**constraints),
    )
    return list(loop)


def test_barred_ids_never_stand_where_a_rule_forbids_them(model: Model) -> None:
    size = model.config.vocab_size
    barred = torch.zeros(2, size, dtype=torch.bool)
    barred[0, ::2] = True  # even ids
    barred[1, 5:] = True
    rules = torch.zeros(1, 20, dtype=torch.int64)
    rules[0, 9] = 1
    for seed in range(8):
        for result in run(model, seed=seed, barred=barred, rules=rules):
            for ids in (result.argmax[0], result.sampled[0]):
                inside = ids[6:15]
                assert inside[3] < 5
                assert (inside[[0, 1, 2, 4, 5, 6, 7, 8]] % 2 == 1).all()
            assert torch.isfinite(result.entropy).all()
    assert any((r.argmax[0, 6:15] % 2 == 0).any() for r in run(model)), "it must be able to fail"


def test_barring_leaves_the_other_chances_in_proportion(model: Model) -> None:
    """Entropy and argmax are those of the network's own logits, renormalised."""
    barred = torch.zeros(1, model.config.vocab_size, dtype=torch.bool)
    barred[0, 20:90] = True
    rules = torch.zeros(1, 20, dtype=torch.int64)
    first, *_ = run(model, barred=barred, rules=rules)
    cache = model.new_cache(40)
    model.prefill(PROMPT, cache)
    canvas = first_canvas(model)
    logits = model.denoise(canvas, cache, None)[6:15].double() / model.sampling.t_max
    logits[:, 20:90] = -torch.inf
    expected = torch.distributions.Categorical(logits=logits)
    assert torch.allclose(first.entropy[0, 6:15].double(), expected.entropy(), atol=1e-4)
    assert torch.equal(first.argmax[0, 6:15], logits.argmax(dim=-1))


def first_canvas(model: Model) -> Tensor:
    noise = torch.randint(
        model.config.vocab_size, (20,), generator=torch.Generator().manual_seed(1)
    )
    return torch.where(PINS == FREE, noise, PINS)


def test_watched_ids_have_the_networks_probabilities(model: Model) -> None:
    watch = torch.randint(model.config.vocab_size, (20, 3))
    first, *_ = run(model, watch=watch)
    cache = model.new_cache(40)
    model.prefill(PROMPT, cache)
    logits = model.denoise(first_canvas(model), cache, None) / model.sampling.t_max
    expected = logits.log_softmax(dim=-1).gather(-1, watch)
    assert first.watched is not None
    assert torch.allclose(first.watched[0, 6:15], expected[6:15], atol=1e-4)


@pytest.mark.parametrize("signal", PinSignal)
def test_what_the_next_pass_is_told_of_a_pin(
    model: Model, passes: Passes, signal: PinSignal
) -> None:
    run(model, signal=signal)
    embedding = model.weights.embedding
    assert passes.softs[0] is None
    given = passes.softs[1]
    assert given is not None
    pinned = PINS != FREE
    exact = embedding[PINS[pinned]]
    match signal:
        case PinSignal.ONE_HOT:
            assert torch.equal(given[0][pinned], exact)
        case PinSignal.UNIFORM:
            assert torch.allclose(given[0][pinned], embedding.mean(dim=0), atol=1e-5)
        case PinSignal.NATIVE:
            cache = model.new_cache(40)
            model.prefill(PROMPT, cache)
            logits = model.denoise(passes.canvases[0][0], cache, None) / model.sampling.t_max
            assert torch.allclose(given[0], logits.softmax(-1) @ embedding, atol=1e-4)


def test_the_first_pass_can_do_without_pins(model: Model, passes: Passes) -> None:
    run(model, pins_in_first_pass=False)
    pinned = PINS != FREE
    assert not (passes.canvases[0][0][pinned] == PINS[pinned]).all()
    for canvas in passes.canvases[1:]:
        assert torch.equal(canvas[0][pinned], PINS[pinned])


def test_a_canvas_goes_on_from_where_another_ended(model: Model, passes: Passes) -> None:
    last = run(model)[-1]
    assert last.soft is not None
    before = len(passes.canvases)
    run(model, start=Start(ids=last.argmax, soft=last.soft))
    assert torch.equal(passes.canvases[before], last.argmax)
    assert passes.softs[before] is last.soft


def test_a_canvas_becomes_in_a_batch_what_it_becomes_alone(model: Model) -> None:
    pins = torch.stack([PINS, PINS.roll(2), PINS.roll(-3)])
    together = run(model, pins=pins, seed=7)
    for row in range(3):
        alone = run(model, pins=pins[row], seed=7 + row)
        for whole, single in zip(together, alone, strict=True):
            assert torch.equal(whole.argmax[row], single.argmax[0])
            assert torch.equal(whole.sampled[row], single.sampled[0])
            assert torch.allclose(whole.entropy[row], single.entropy[0], atol=1e-4)
