"""The layers by fused operations against the network's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.kernels.operations import NAMES
from engine.load import load_model
from engine.model.network import Model
from tests.engine.kernels.network import (
    VOCABULARY,
    config,
    fused,
    likeness_of_layers,
    random_model,
)

PROMPT = torch.arange(9)


def draw(*shape: int) -> Tensor:
    return torch.randint(VOCABULARY, shape, generator=torch.Generator().manual_seed(1))


def passes(model: Model, batch: int = 1, length: int = 5) -> list[Tensor]:
    """Final hidden states of a decoder pass, and the keys and values that the encoder leaves."""
    soft = torch.randn(batch, length, 80, generator=torch.Generator().manual_seed(2))
    cache = model.new_cache(32)
    model.prefill(PROMPT, cache)
    hidden = model.decode(draw(batch, length), cache, soft)
    kept = [torch.cat(cache.read(layer)).flatten(0, 1) for layer in range(len(model.config.layers))]
    return [hidden.flatten(0, 1), *kept]


def cosine(found: Tensor, wanted: Tensor) -> float:
    return float(torch.cosine_similarity(found.flatten(), wanted.flatten(), dim=0))


@pytest.mark.parametrize("weights", ["int4", "int4-small"])
@pytest.mark.parametrize("sliding", [True, False])
def test_a_layer_of_eight_bit_rows_is_the_networks(sliding: bool, weights: str) -> None:
    """All experts run, as a near tie of two would be another layer; choosing is tested exactly."""
    made = config(sliding)
    model = random_model(replace(made, top_k_experts=made.num_experts), weights)
    names = NAMES if weights == "int4" and sliding else ()  # kernels are these up to rounding
    for found, wanted in zip(passes(fused(model, names), 2), passes(model, 2), strict=True):
        assert cosine(found, wanted) >= 0.999


@pytest.mark.parametrize("weights", ["int4", "int4-small", "int8", "source"])
def test_sixteen_bit_rows_leave_only_rounding(weights: str) -> None:
    """By plain operations; int8 experts and plain weights have no kernels anyway."""
    model = random_model(config(True, False), weights)
    same(passes(fused(model, (), bits=16)), passes(model))


@pytest.mark.parametrize("name", NAMES[:-1])
def test_one_kernel_among_plain_operations(name: str) -> None:
    """All of them together are in test_graph.py."""
    model = random_model(config(True, False))
    same(passes(fused(model, [name], bits=16)), passes(model))


def same(found: list[Tensor], wanted: list[Tensor]) -> None:
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_each_trained_layer_in_eight_bits_is_the_networks() -> None:
    model = load_model("demo", weights="int4")
    found = likeness_of_layers(model, torch.arange(3, 60), ())
    assert len(found) == 2 * len(model.config.layers)
    assert min(found) >= 0.999


def test_scores_are_the_networks() -> None:
    model = random_model(config(True, False))
    scores = []
    for each in (model, fused(model, ())):
        cache = each.new_cache(32)
        each.prefill(PROMPT, cache)
        scores.append(each.score(draw(7), cache))
        assert cache.ids == PROMPT.tolist()
    torch.testing.assert_close(*scores, rtol=0.02, atol=0.02)
