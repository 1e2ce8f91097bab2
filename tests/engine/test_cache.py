"""The cache: keys stay where they lie, and what is cut, scored or tried leaves nothing behind."""

from __future__ import annotations

import pytest
import torch

import engine.model.attention
from engine.load import load_model
from engine.model.network import Model
from engine.sizes import SLACK
from tests.engine.quant.allocations import Allocations
from tests.engine.tiny import Case, cases, random_reference, save

TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=cases(30)[1:4], ids=lambda case: case.name)
def both(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Model]:
    case: Case = request.param
    folder = tmp_path_factory.mktemp("model")
    save(random_reference(case.config(), case.seed), folder)
    return case, load_model(folder)


def draw(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 193, (count,), generator=torch.Generator().manual_seed(seed))


def test_a_step_copies_no_prefix(both) -> None:
    case, model = both
    prefix = 4000
    cache = model.new_cache(prefix)
    model.prefill(draw(prefix), cache)
    with Allocations() as made:
        logits = model.denoise(draw(case.canvas, 1), cache, None)
    keys, _ = cache.read(len(model.config.layers) - 1)
    assert keys.shape[1] == prefix
    assert made.largest_beside(logits) < keys.nbytes


def test_a_full_cache_has_room_for_a_canvas(both) -> None:
    case, model = both
    prompt, canvas = draw(50), draw(case.canvas, 1)
    roomy, full = model.new_cache(2 * SLACK), model.new_cache(50)
    model.prefill(prompt, roomy)
    model.prefill(prompt, full)
    assert torch.equal(model.denoise(canvas, roomy, None), model.denoise(canvas, full, None))


def test_canvases_side_by_side_do_not_see_each_other(both) -> None:
    case, model = both
    cache = model.new_cache(60)
    model.prefill(draw(60), cache)
    canvases = torch.stack([draw(case.canvas, seed) for seed in (1, 2, 3)])
    together = model.denoise(canvases, cache, None)
    for canvas, found in zip(canvases, together, strict=True):
        assert (model.denoise(canvas, cache, None) - found).abs().max() <= TOLERANCE


def test_a_score_is_the_same_wherever_the_cache_was_cut(both) -> None:
    """A sliding layer that has moved on may lack exactly the token that scoring reads again."""
    _, model = both
    window = model.config.sliding_window
    text, ids = draw(SLACK + 3 * window), draw(9, 1)
    cache = model.new_cache(SLACK + 4 * window)
    model.prefill(text, cache)
    kept = 0
    for length in range(len(text) - window, 2 * window, -1):
        if length > cache.sliding_start + window + 2 and length % 199:
            continue  # near the end of what is kept all of them, elsewhere a few
        if cache.cut(length) == 0:
            break
        kept += 1
        fresh = model.new_cache(length)
        model.prefill(text[:length], fresh)
        assert (model.score(ids, cache) - model.score(ids, fresh)).abs().max() <= 2 * TOLERANCE
        assert cache.ids == text[:length].tolist()
    assert kept >= 3


def test_queries_attend_a_few_at_a_time(both, monkeypatch: pytest.MonkeyPatch) -> None:
    case, model = both
    prompt, canvas = draw(97), draw(case.canvas, 1)
    results = []
    for queries in (256, 7, 1):
        monkeypatch.setattr(engine.model.attention, "masked_queries", lambda _, some=queries: some)
        cache = model.new_cache(97)
        model.prefill(prompt, cache, chunk=40)
        results.append(model.denoise(canvas, cache, None))
    assert (results[0] - results[1]).abs().max() <= TOLERANCE
    assert (results[0] - results[2]).abs().max() <= TOLERANCE
