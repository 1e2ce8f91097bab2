"""Words that a rewriting must keep: where they land, and that they are there."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from engine.editing.soft_pins import landings
from engine.messages import Proposal, Sampling, Strength
from engine.pipeline import Pipeline
from tests.engine.editing.test_edit import of, outcome
from tests.engine.editing.test_strength import LETTER, ask


def test_one_word_lands_at_its_likeliest_place() -> None:
    torch.manual_seed(3)
    for size, end in itertools.product((1, 2, 5), (5, 9, 20)):
        chances = torch.randn(20, size).log_softmax(dim=0)
        by_hand = [
            sum(float(chances[at + j, j]) for j in range(size)) for at in range(end - size + 1)
        ]
        assert landings(chances, [size], end) == [by_hand.index(max(by_hand))]
    assert landings(torch.zeros(20, 6), [6], 5) is None


def test_words_never_overlap_and_lie_in_front_of_the_end() -> None:
    rng = random.Random(6)
    torch.manual_seed(6)
    placed = 0
    for _ in range(300):
        sizes = [rng.randrange(1, 5) for _ in range(rng.randrange(1, 5))]
        end = rng.randrange(1, 20)
        found = landings(torch.randn(20, sum(sizes)), sizes, end)
        if found is None:
            continue
        placed += 1
        taken = [at + j for at, size in zip(found, sizes, strict=True) for j in range(size)]
        assert len(taken) == len(set(taken))
        assert max(taken) < end
    assert placed > 150


@pytest.mark.parametrize("seed", range(3))
def test_a_rewriting_by_a_random_model_holds_its_words(random_model: Pipeline, seed: int) -> None:
    """It writes anything around them."""
    ranges = tuple(
        (LETTER.index(word), LETTER.index(word) + len(word)) for word in ("Karl", "lamp", "boat")
    )
    sampling = Sampling(max_denoising_steps=6)
    request = ask(LETTER, Strength.FULL, protected=ranges, seed=seed, sampling=sampling)
    for proposal in of(outcome(random_model, request) or [], Proposal):
        assert all(word in proposal.texts[0] for word in ("Karl", "lamp", "boat"))


def test_most_requests_with_protected_words_have_an_answer(demo: Pipeline) -> None:
    ranges = tuple((LETTER.index(word), LETTER.index(word) + 4) for word in ("Karl", "lamp"))
    answered = 0
    for seed in range(3):
        request = ask(LETTER, Strength.FULL, protected=ranges, seed=seed, alternatives=2)
        found = of(outcome(demo, request) or [], Proposal)
        answered += bool(found)
        assert all("Karl" in each.texts[0] and "lamp" in each.texts[0] for each in found)
    assert answered >= 2
