"""Attention of a prompt over a cached prefix and itself, against float64 and the network's own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.kernels.attention import AttentionTile
from engine.kernels.kv import LayerCache
from engine.kernels.prefill import attend_causal, attend_causal_plain
from engine.model.attention import attend_causal as network_attend
from tests.engine.kernels.test_attention import Case, make_case

SMALL = AttentionTile(rows=16, keys=16, warps=4, stages=1)
LARGE = AttentionTile(rows=256, keys=256, warps=4, stages=1)


def own(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    return case.queries[0], case.keys[0], case.values[0]


def run(
    case: Case, begin: int, end: int, window: int | None, tile: AttentionTile = SMALL, splits: int = 2
) -> Tensor:  # fmt: skip
    span = torch.tensor([begin, end], dtype=torch.int32)
    return attend_causal(*own(case), case.cache, span, window, splits=splits, tile=tile)


def exact(case: Case, begin: int, end: int, window: int | None) -> Tensor:
    cache = case.cache
    if cache.key_scale is None:
        cache = replace(cache, keys=cache.keys.double(), values=cache.values.double())
    return attend_causal_plain(*(x.double() for x in own(case)), cache, begin, end, window)


@pytest.mark.parametrize(
    ("rows", "window"),
    [(1, None), (1, 1), (7, None), (7, 40), (255, None), (255, 40), (1025, None), (1025, 1024)],
)
def test_prompts_of_awkward_lengths(rows: int, window: int | None) -> None:
    case = make_case(canvas=rows, kv_heads=1, group=2, places=300)
    found = run(case, 3, 290, window, tile=LARGE if rows > 9 else SMALL)
    torch.testing.assert_close(found.double(), exact(case, 3, 290, window), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("prefix", "window"),
    [(0, 15), (0, 33), (1, 16), (15, 17), (16, 15), (16, 16), (17, 17), (63, 33)],
)
def test_windows_whose_borders_meet_those_of_tiles(prefix: int, window: int) -> None:
    case = make_case(canvas=33, kv_heads=2, group=2)
    found = run(case, 1, 1 + prefix, window, splits=3)
    torch.testing.assert_close(
        found.double(), exact(case, 1, 1 + prefix, window), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("window", [None, 9])
def test_a_prefix_of_eight_bits(window: int | None) -> None:
    case = make_case(canvas=20, cached=torch.int8)
    found = run(case, 4, 50, window)
    torch.testing.assert_close(found.double(), exact(case, 4, 50, window), rtol=0, atol=1e-4)


@pytest.mark.parametrize("window", [None, 7, 30])
def test_it_is_what_the_network_computes(window: int | None) -> None:
    case = make_case(canvas=21, kv_heads=2, group=4, size=32)
    keys, values = (
        torch.cat((old[:, 9:50], new[0].transpose(0, 1)), dim=1)
        for old, new in ((case.cache.keys, case.keys), (case.cache.values, case.values))
    )
    expected = network_attend(case.queries[0], keys, values, window).view(21, 8, 32)
    torch.testing.assert_close(run(case, 9, 50, window), expected, rtol=0, atol=1e-4)


def test_no_key_beyond_the_window_or_ahead_is_read() -> None:
    """Keys that nobody sees are no numbers: what is read and masked would spread through 0 · NaN."""
    case = make_case(canvas=40)
    before = run(case, 0, 64, 24, splits=1)
    torn = LayerCache(keys=case.cache.keys.clone(), values=case.cache.values.clone())
    for part in torn.parts:
        part[:, : 64 - 23] = torch.nan  # the first position looks back at 23 tokens
    assert torch.equal(run(replace(case, cache=torn), 0, 64, 24, splits=1), before)
    ahead = replace(case, values=case.values.clone())
    ahead.values[0, 16:] = torch.nan  # four positions a tile of 16 rows, so a border of tiles
    assert torch.equal(run(ahead, 0, 64, 24, splits=1)[:16], before[:16])


def test_bfloat16() -> None:
    case = make_case(canvas=23, size=32, dtype=torch.bfloat16)
    found, want = run(case, 0, 64, 50).double(), exact(case, 0, 64, 50)
    assert (found - want).abs().max() < 2**-7 * (want.abs().max() + case.values.abs().max())
