"""How long a gap should be: the arithmetic on made-up numbers, the two probes on the demo model."""

from __future__ import annotations

import contextlib
import itertools
import random
import re

import pytest
import torch

from engine.editing import length
from engine.editing.edit import edit
from engine.editing.length import Scores, combinations, landing_score, spread, text_length
from engine.editing.switches import Switches
from engine.messages import EditKind, EditRequest, EngineFault, Proposal, Span
from engine.model.network import Model
from engine.pipeline import Pipeline

# A word that stands in each text once more, so that its length is decided.
DECIDED = (
    "Mara has a red boat. She likes her [[red]] boat.",
    "Paul has a green map. He likes his [[green]] map.",
    "Ruth went to the bridge. At the [[bridge]] she met Noah. The bridge was old.",
    "My friend [[Sam]] lives at the lighthouse. Every Monday Sam visits me.",
    "My friend [[Clara]] lives at the harbour. Every Friday Clara visits me.",
    "We need soup and [[plums]]. Clara brings the soup and Ada brings the plums.",
)


def test_a_landing_scores_every_length_at_once() -> None:
    """Against the sum written out by hand, where the words land, and at the edge."""
    torch.manual_seed(1)
    chances = torch.randn(30, 5).log_softmax(dim=0)
    for size in range(25):
        by_hand = sum(float(chances[size + j, j]) for j in range(5)) / 5
        assert landing_score(chances, size) == pytest.approx(by_hand, abs=1e-5)
    planted = torch.full((30, 5), -9.0)
    for j in range(5):
        planted[17 + j, j] = -0.1
    assert max(range(26), key=lambda n: landing_score(planted, n)) == 17
    assert landing_score(planted, 30) == -torch.inf


def test_the_pad_curve_counts_what_is_in_front_of_the_padding() -> None:
    for size in (0, 1, 17, 40):
        chance = torch.full((40,), 1e-6)
        chance[size:] = 1 - 1e-6
        assert text_length(chance.log()) == pytest.approx(size, abs=1e-3)


def test_combinations_differ_from_the_best_in_one_gap_only() -> None:
    rng = random.Random(2)
    for _ in range(200):
        scores = [
            {n: rng.random() for n in range(1, rng.randrange(2, 6))}
            for _ in range(rng.randrange(1, 4))
        ]
        found = combinations(scores, 5)
        totals = [
            sum(each[n] for each, n in zip(scores, lengths, strict=True)) for lengths in found
        ]
        assert totals == sorted(totals, reverse=True)
        assert len(set(found)) == len(found)
        for lengths in found[1:]:
            assert sum(a != b for a, b in zip(lengths, found[0], strict=True)) == 1


def test_long_ranges_are_looked_at_in_growing_steps() -> None:
    assert spread(range(1, 6)) == [1, 2, 3, 4, 5]
    chosen = spread(range(3, 200))
    assert chosen[:8] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert chosen[-1] == 199
    assert len(chosen) < 25
    assert all(b <= 1.5 * a + 1 for a, b in itertools.pairwise(chosen))


def test_the_demo_model_finds_the_length_of_a_decided_word(demo: Pipeline) -> None:
    errors = []
    for text in DECIDED:
        start, end = text.index("[["), text.index("]]")
        span = Span(start=start, end=start, lengths=(1, 6))
        request = EditRequest(
            text=re.sub(r"\[\[.*?\]\]", "", text), spans=(span,), kind=EditKind.INFILL, seed=1
        )
        *_, best, _recording, _last = edit(demo.loaded, 1, request, lambda: False)
        assert isinstance(best, Proposal)
        wanted = len(demo.loaded.tokenizer.encode(" " + text[start + 2 : end]))
        errors.append(abs(best.tokens[0] - wanted))
    assert sorted(errors)[len(errors) // 2] <= 1


def test_a_landing_finds_the_length_that_the_decoder_has_in_mind(
    random_model: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder is made to see a document with a middle of some length, whatever is pinned."""
    loaded, tokenizer = random_model.loaded, random_model.loaded.tokenizer
    switches = Switches(gap_steps=1, polish_steps=1, reach=16)
    before, after = "The quick brown ", " jumps over the lazy dog, and the dog sleeps."
    rng = random.Random(4)
    words = [
        token for token, text in tokenizer.vocabulary if text.startswith(" ") and len(text) > 2
    ]
    found: list[Scores] = []
    real = length._landing

    def spy(*told):
        scores = yield from real(*told)
        found.append(scores)
        return scores

    monkeypatch.setattr(length, "_landing", spy)
    wanted = []
    for seed in range(20):
        wanted.append(rng.randrange(1, 12))
        middle = [rng.choice(words) for _ in range(wanted[-1])]
        left = tokenizer.encode(before[:-1])[-16:]
        ids = [*left, *middle, *tokenizer.encode(after), tokenizer.special.turn_end]
        mind = torch.tensor(ids + [tokenizer.special.pad] * 64)

        def decode(self: Model, canvas, cache, soft, mind=mind):
            # A state along a token's own embedding makes that token the likeliest.
            return self.look_up(mind[: canvas.shape[1]]).expand(canvas.shape[0], -1, -1) * 8

        monkeypatch.setattr(Model, "decode", decode)
        span = Span(start=len(before), end=len(before), lengths=(1, 14))
        request = EditRequest(text=before + after, spans=(span,), kind=EditKind.INFILL, seed=seed)
        with contextlib.suppress(EngineFault):
            list(edit(loaded, 1, request, lambda: False, switches))
    errors = [
        abs(max(scores, key=lambda n: scores[n]) - right)
        for scores, right in zip(found, wanted, strict=True)
    ]
    assert sum(error <= 1 for error in errors) >= 0.95 * len(errors)
