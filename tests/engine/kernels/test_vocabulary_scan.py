"""The scan of the vocabulary against float64 and the plain path.

Tolerances: logits up to 75 (softcap 30, temperature 0.4) carry float32 errors of some 1e-5, which is
what entropies and masses inherit.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.kernels.logits import Tile, table_parts
from engine.kernels.vocabulary import Barred, vocabulary_statistics
from engine.kernels.vocabulary_scan import (
    PER_TILE,
    VocabularyScan,
    scan_buffers,
    scan_reference,
    scan_vocabulary,
)
from engine.quant.quantise import quantise_int4
from tests.engine.kernels.heads import LARGE, SMALL, TALL, Head, make_head, random_head

SOFTCAP = 30.0


def scan(
    head: Head,
    *,
    tile: Tile = SMALL,
    softcap: float = SOFTCAP,
    temperature: float = 0.7,
    seed: int = 0,
    step: int = 0,
    kept: int = 32,
    threshold: float = 1e-3,
    barred: Barred | None = None,
) -> VocabularyScan:
    return scan_vocabulary(
        head.rows,
        head.matrix,
        scan_buffers(head.rows, head.matrix, kept=kept, tile=tile),
        softcap=softcap,
        temperature=torch.tensor(temperature),
        seed=torch.tensor(seed),
        step=torch.tensor(step),
        threshold=threshold,
        barred=barred,
    )


def entropy(log_chances: Tensor) -> Tensor:
    return -torch.linalg.vecdot(log_chances.exp(), log_chances)


def expected_sample(head: Head, seed: int, step: int) -> Tensor:
    return scan_reference(
        head.hidden,
        head.embedding,
        softcap=SOFTCAP,
        temperature=torch.tensor(0.7),
        seed=torch.tensor(seed),
        step=torch.tensor(step),
    )[1]


@pytest.mark.parametrize(
    ("rows", "tokens", "size", "kind", "tile"),
    [
        (1, 1, 16, "float32", SMALL),
        (1, 500, 48, "float32", SMALL),
        (7, 100, 40, "bfloat16", TALL),
        (7, 500, 64, "w8a16", SMALL),
        (7, 193, 64, "w8a16 bfloat16", SMALL),
        (7, 1000, 64, "w8a8", LARGE),
        (17, 150, 100, "w8a8", TALL),
        (255, 300, 32, "float32", LARGE),
    ],
)
def test_it_finds_what_the_whole_distribution_says(rows, tokens, size, kind, tile) -> None:
    head = random_head(rows, tokens, size, kind=kind)
    found = scan(head, tile=tile, seed=2**40 + 3, step=5)
    exact = head.log_chances(SOFTCAP, 0.7)
    torch.testing.assert_close(found.entropy.double(), entropy(exact), rtol=0, atol=3e-5)
    assert torch.equal(found.argmax, exact.argmax(dim=-1))
    assert torch.equal(found.sampled, expected_sample(head, 2**40 + 3, 5))
    total = head.logits(SOFTCAP, 0.7).logsumexp(dim=-1)
    torch.testing.assert_close(found.log_total.double(), total, rtol=0, atol=3e-5)


def test_it_agrees_with_the_plain_path() -> None:
    head = random_head(7, 300, 48, kind="w8a16")
    plain = vocabulary_statistics(
        head.rows,
        head.matrix,
        softcap=SOFTCAP,
        temperature=torch.tensor(0.4),
        draw=lambda chance, rows: chance.argmax(dim=-1),
    )
    found = scan(head, temperature=0.4)
    assert torch.equal(found.argmax, plain.argmax)
    torch.testing.assert_close(found.entropy, plain.entropy, rtol=0, atol=3e-5)


def test_barred_ids_do_not_exist_for_their_rows() -> None:
    """As in the plain path; whole tiles are barred, and the ids a row leans to."""
    head = random_head(5, 300, 48)
    rules = torch.zeros(3, 300, dtype=torch.bool)
    rules[1, 64:192] = True
    rules[2, scan(head).argmax] = True
    barred = Barred(rules=rules, rows=torch.tensor([0, 2, 1, 2, 1]))
    plain = vocabulary_statistics(
        head.rows,
        head.matrix,
        softcap=SOFTCAP,
        temperature=torch.tensor(0.7),
        draw=lambda chance, rows: chance.argmax(dim=-1),
        barred=barred,
    )
    found = scan(head, barred=barred)
    assert torch.equal(found.argmax, plain.argmax)
    torch.testing.assert_close(found.entropy, plain.entropy, rtol=0, atol=3e-5)
    for row, rule in enumerate(barred.rows):
        seen = [found.sampled[row], *found.tokens[row, : found.count[row]]]
        assert not rules[rule, torch.stack([x.long() for x in seen])].any()


def test_a_row_with_all_mass_on_one_token() -> None:
    hidden = torch.zeros(3, 16)
    hidden[:, 3] = 1000.0
    embedding = torch.zeros(200, 16)
    embedding[77, 3] = 1.0
    found = scan(make_head(hidden, embedding), temperature=0.4)
    assert (found.argmax == 77).all()
    assert (found.sampled == 77).all()
    assert (found.entropy < 1e-20).all()  # e^-75 · 75 a token
    assert (found.entropy >= 0).all()
    assert (found.count == 1).all()
    assert (found.tokens[:, 0] == 77).all()
    assert (found.discarded == 0).all()


def test_a_flat_row_ties_at_the_lowest_token() -> None:
    found = scan(make_head(torch.zeros(2, 16), torch.randn(1000, 16)))
    assert (found.argmax == 0).all()
    torch.testing.assert_close(found.entropy, torch.full((2,), math.log(1000)), rtol=1e-6, atol=0)
    assert (found.count == 32).all()  # all have 0.001; as many as fit
    torch.testing.assert_close(found.discarded, torch.full((2,), 1 - 0.032), rtol=1e-5, atol=0)


def test_a_row_without_a_likely_token_keeps_its_likeliest() -> None:
    head = random_head(3, 150, 32, sharpness=0.01)
    found, chances = scan(head, threshold=0.5), head.log_chances(SOFTCAP, 0.7).exp()
    assert (chances < 0.5).all()
    assert (found.count == 1).all()
    assert torch.equal(found.tokens[:, 0].long(), found.argmax)


@pytest.mark.parametrize("scale", [1e-30, 1e4, 1e30])
def test_logits_far_beyond_the_softcap_tie_as_torch_says(scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    hidden, embedding = torch.zeros(4, 16), torch.zeros(150, 16)
    hidden[:, 0] = scale
    embedding[:, 0] = torch.randn(150, generator=generator).sign()
    embedding[:20] = 0
    head = make_head(hidden, embedding)
    found = scan(head, temperature=0.4)
    exact = head.log_chances(SOFTCAP, 0.4)
    assert torch.equal(found.argmax, exact.argmax(dim=-1))
    torch.testing.assert_close(found.entropy.double(), entropy(exact), rtol=1e-5, atol=1e-5)


def test_a_softcap_of_almost_nothing_makes_a_row_flat() -> None:
    head = random_head(2, 100, 32)
    found = scan(head, softcap=1e-6)
    torch.testing.assert_close(found.entropy, torch.full((2,), math.log(100)), rtol=1e-5, atol=0)


def test_a_row_of_nan_stays_nan_and_spoils_no_other() -> None:
    whole, broken = random_head(5, 150, 32), random_head(5, 150, 32)
    broken.rows[2, 7] = torch.nan
    expected, found = scan(whole), scan(broken)
    others = torch.tensor([0, 1, 3, 4])
    assert found.entropy[2].isnan()
    assert found.discarded[2].isnan() or found.discarded[2] == 1
    for ids in (found.argmax, found.sampled, found.tokens):
        assert (ids >= 0).all()
        assert (ids < 150).all()
    for name in ("argmax", "entropy", "sampled", "log_total", "count", "discarded"):
        assert torch.equal(getattr(found, name)[others], getattr(expected, name)[others]), name


def test_the_kept_tokens_are_those_above_the_threshold() -> None:
    head = random_head(9, 200, 48, sharpness=1.5)
    found, chances = scan(head, tile=TALL, threshold=5e-3), head.log_chances(SOFTCAP, 0.7).exp()
    assert found.count.max() > 3
    for row, chance in enumerate(chances):
        expected = (chance >= 5e-3).nonzero().flatten()
        count = int(found.count[row])
        assert sorted(found.tokens[row, :count].tolist()) == expected.tolist()
        torch.testing.assert_close(
            found.chances[row, :count].double(),
            chance[found.tokens[row, :count].long()],
            rtol=5e-5,
            atol=0,
        )
        discarded = 1 - chance[expected].sum()
        torch.testing.assert_close(found.discarded[row].double(), discarded, rtol=0, atol=2e-5)


def test_of_too_many_tokens_the_likeliest_are_kept() -> None:
    head = random_head(3, 400, 48, sharpness=0.4)
    found, chances = scan(head, tile=TALL, kept=8, threshold=1e-4), head.log_chances(SOFTCAP, 0.7)
    assert (found.count == 8).all()
    for row, chance in enumerate(chances.exp()):
        tokens = found.tokens[row].long()
        assert set(tokens.tolist()) == set(chance.topk(8).indices.tolist())
        assert found.discarded[row] == pytest.approx(1 - float(chance[tokens].sum()), abs=2e-5)


def test_what_a_tile_may_not_report_counts_as_discarded() -> None:
    embedding = torch.zeros(64, 16)
    embedding[8 : 8 + PER_TILE + 3, 0] = 1.0  # one tile, and more than it reports
    hidden = torch.zeros(1, 16)
    hidden[0, 0] = 25.0
    head = make_head(hidden, embedding)
    found, chance = scan(head), head.log_chances(SOFTCAP, 0.7).exp()[0]
    assert found.count.item() == PER_TILE
    assert found.tokens[0, :PER_TILE].tolist() == list(range(8, 8 + PER_TILE))
    assert found.discarded.item() == pytest.approx(1 - PER_TILE * float(chance[8]), abs=1e-5)


def test_the_tile_changes_no_sample() -> None:
    head = random_head(10, 150, 32, sharpness=0.05)
    tiles = [SMALL, LARGE, TALL]
    samples = [scan(head, tile=tile, seed=11, step=2).sampled for tile in tiles]
    assert torch.equal(samples[0], samples[1])
    assert torch.equal(samples[0], samples[2])
    assert samples[0].unique().numel() > 7


def test_another_step_and_another_seed_draw_anew_and_the_same_ones_again() -> None:
    head = random_head(10, 150, 32, sharpness=0.05)
    first = scan(head, tile=LARGE, seed=11, step=2).sampled
    assert torch.equal(first, scan(head, tile=LARGE, seed=11, step=2).sampled)
    for seed, step in [(11, 3), (12, 2), (11 + 2**32, 2)]:
        assert (scan(head, tile=LARGE, seed=seed, step=step).sampled == first).sum() < 4


def test_four_bits_are_refused() -> None:
    with pytest.raises(TypeError):
        table_parts(quantise_int4(torch.randn(32, 64), name="embedding"))
