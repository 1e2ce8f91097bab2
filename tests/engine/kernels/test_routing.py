"""Routing and sorting against plain torch and against what a schedule must hold."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.routing import (
    Schedule,
    most_blocks,
    route,
    route_plain,
    schedule,
    schedule_plain,
    whole,
)


def random(*shape: int, seed: int = 3) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("rows", "count", "top_k"), [(1, 8, 2), (7, 128, 8), (255, 5, 3), (3, 4, 4)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_route(rows: int, count: int, top_k: int, dtype: torch.dtype) -> None:
    scores, scale = random(rows, count).mul(4).to(dtype), random(count, seed=4)
    found, share = route(scores, scale, top_k)
    wanted, wanted_share = route_plain(scores, scale, top_k)
    assert torch.equal(found, wanted)
    torch.testing.assert_close(share, wanted_share, rtol=1e-5, atol=1e-7)


def test_the_first_of_equal_scores_wins() -> None:
    experts, share = route(torch.zeros(2, 6), torch.ones(6), 3)
    assert experts.tolist() == [[0, 1, 2]] * 2
    torch.testing.assert_close(share, torch.full((2, 3), 1 / 3))


def test_scores_that_are_no_numbers_choose_experts_that_exist() -> None:
    scores = random(3, 5)
    scores[1] = float("nan")
    scores[2, 3] = float("inf")
    experts, share = route(scores, torch.ones(5), 2)
    assert experts.min() >= 0
    assert experts.max() < 5
    assert share[0].isfinite().all()
    assert share[1].isnan().all()


def used(made: Schedule) -> int:
    return int((made.experts >= 0).sum())


@pytest.mark.parametrize(
    ("tokens", "top_k", "count"), [(1, 2, 8), (7, 3, 5), (255, 2, 16), (700, 2, 3)]
)
@pytest.mark.parametrize("block", [16, 64])
def test_schedule(tokens: int, top_k: int, count: int, block: int) -> None:
    experts = random(tokens, count).topk(top_k).indices.to(torch.int32)
    found, wanted = schedule(experts, count, block), schedule_plain(experts, count, block)
    assert torch.equal(found.experts, wanted.experts)
    rows = used(found) * block
    assert torch.equal(found.order[:rows], wanted.order[:rows])
    assert sorted(x for x in found.order[:rows].tolist() if x < tokens * top_k) == [
        *range(tokens * top_k)
    ]


@pytest.mark.parametrize("expert", [0, 3, 31])
def test_all_rows_on_one_expert(expert: int) -> None:
    experts = torch.full((33, 1), expert, dtype=torch.int32)
    made = schedule(experts, 32, 16)
    assert made.experts.tolist()[:3] == [expert] * 3
    assert used(made) == 3
    assert made.order[:48].tolist() == [*range(33)] + [33] * 15


@pytest.mark.parametrize(
    ("pairs", "count", "block"), [(1, 8, 16), (8, 8, 16), (40, 4, 16), (300, 7, 32)]
)
def test_the_worst_case_has_room(pairs: int, count: int, block: int) -> None:
    """As many experts as can be have one pair more than fills their blocks."""
    busy = min(pairs, count)
    whole_blocks, rest = divmod(pairs - busy, block)
    ids = [*range(busy), *[0] * (block * whole_blocks), *[busy - 1] * rest]
    experts = torch.tensor(ids, dtype=torch.int32)[:, None]
    assert used(schedule_plain(experts, count, block)) == most_blocks(pairs, count, block)
    assert used(schedule(experts, count, block)) == most_blocks(pairs, count, block)


def test_a_whole_schedule_is_one_expert() -> None:
    made, wanted = whole(7, 16, torch.device("cpu")), torch.zeros(7, 1, dtype=torch.int32)
    assert torch.equal(made.order, schedule_plain(wanted, 1, 16).order)
    assert torch.equal(made.experts, schedule_plain(wanted, 1, 16).experts)
