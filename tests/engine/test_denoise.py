"""Pinned positions through the loop over denoising steps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.denoise import FREE
from engine.generate import steps
from engine.load import load_model
from engine.model.network import Model
from tests.engine.tiny import cases, random_reference, save

CASE = cases(8)[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder: Path = tmp_path_factory.mktemp("denoise")
    return load_model(save(random_reference(CASE.config(), 4), folder))


def test_pins_stay_and_are_known_to_the_next_step(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[torch.Tensor, torch.Tensor | None]] = []
    decode = Model.decode

    def spy(self: Model, canvas, cache, soft):
        passes.append((canvas.clone(), soft))
        return decode(self, canvas, cache, soft)

    monkeypatch.setattr(Model, "decode", spy)
    pins = torch.full((2, 20), FREE)
    pins[0, :7], pins[1, 12:] = 30, 40
    pinned = pins != FREE
    never_sure = {"max_denoising_steps": 5, "stop_ids": (), "confidence_threshold": 1e-9}
    options = {"seed": 1, "sampling": never_sure}
    results = list(steps(model, torch.arange(9), max_new_tokens=20, pins=pins, **options))

    assert len(results) == len(passes) == 5
    assert passes[0][1] is None
    for result, (canvas, soft) in zip(results, passes, strict=True):
        assert torch.equal(canvas[pinned], pins[pinned])
        assert torch.equal(result.argmax[pinned], pins[pinned])
        assert not (result.accepted & pinned).any()
        assert result.accepted.any(dim=-1).all()
        if soft is not None:
            exact = model.weights.embedding[pins[pinned]]
            assert torch.equal(soft[pinned], exact)
            assert not torch.equal(soft[~pinned][0], exact[0])


def test_a_canvas_without_a_free_position_ends_at_once(model: Model) -> None:
    pins = torch.arange(10, 22)
    results = list(steps(model, torch.arange(9), max_new_tokens=12, seed=1, pins=pins))
    assert len(results) == 2  # the first step has nothing to be stable against
    assert torch.equal(results[-1].argmax[0], pins)
