"""Log-probabilities of chosen ids against those of the whole distribution."""

from __future__ import annotations

import pytest
import torch

from engine.kernels.vocabulary import Barred
from engine.kernels.watched import watched_chances
from tests.engine.kernels.test_vocabulary_scan import SOFTCAP, random_head

TEMPERATURE = 0.7


@pytest.mark.parametrize("kind", ["float32", "w8a16", "w8a8"])
@pytest.mark.parametrize(("rows", "tokens", "width"), [(1, 1, 1), (7, 300, 5), (3, 150, 33)])
def test_they_are_those_of_the_whole_distribution(kind, rows, tokens, width) -> None:
    head = random_head(rows, tokens, 150, kind=kind, sharpness=1.0)
    ids = torch.randint(tokens, (rows, width), generator=torch.Generator().manual_seed(1))
    wanted = head.log_chances(SOFTCAP, TEMPERATURE)
    total = head.logits(SOFTCAP, TEMPERATURE).logsumexp(dim=-1).float()
    out = torch.full((rows, width), torch.nan)
    watched_chances(
        head.rows, head.matrix, ids, total, out, softcap=SOFTCAP,
        temperature=torch.tensor(TEMPERATURE),
    )  # fmt: skip
    torch.testing.assert_close(out.double(), wanted.gather(1, ids), rtol=0, atol=1e-4)


def test_a_barred_id_has_no_chance() -> None:
    head = random_head(4, 100, 32)
    rules = torch.arange(100) < torch.tensor([[0], [50]])
    barred = Barred(rules=rules, rows=torch.tensor([0, 1, 1, 0]))
    ids = torch.tensor([[3, 70]]).repeat(4, 1)
    out = torch.zeros(4, 2)
    watched_chances(
        head.rows, head.matrix, ids, torch.zeros(4), out, softcap=SOFTCAP,
        temperature=torch.tensor(TEMPERATURE), barred=barred,
    )  # fmt: skip
    assert (out < -1e20).tolist() == [[False, False], [True, False], [True, False], [False, False]]
