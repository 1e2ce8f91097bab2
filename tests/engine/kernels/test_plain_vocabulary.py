"""The plain stand-in for the vocabulary's kernels against these, so that what is measured with it holds."""

from __future__ import annotations

import pytest
import torch

from engine.kernels import conditioning, noise, vocabulary_scan
from engine.kernels.vocabulary import Barred
from tests.engine.kernels import plain_vocabulary as plain
from tests.engine.kernels.heads import SMALL, Head, random_head
from tests.engine.kernels.network import config, fused, random_model
from tests.engine.kernels.test_graph import PINS, SCAN, agree, run

SOFTCAP = 30.0


def scans(head: Head, barred: Barred | None) -> list[vocabulary_scan.VocabularyScan]:
    given = {
        "softcap": SOFTCAP, "temperature": torch.tensor(0.7), "seed": torch.tensor(2**40 + 3),
        "step": torch.tensor(5), "threshold": 1e-3, "barred": barred,
    }  # fmt: skip
    return [
        module.scan_vocabulary(
            head.rows, head.matrix,
            vocabulary_scan.scan_buffers(head.rows, head.matrix, kept=32, tile=SMALL), **given,
        )
        for module in (vocabulary_scan, plain)
    ]  # fmt: skip


@pytest.mark.parametrize("sharpness", [0.3, 2.0])
@pytest.mark.parametrize("kind", ["float32", "w8a16", "w8a8"])
@pytest.mark.parametrize("is_barred", [False, True])
def test_it_says_what_the_kernels_say(kind: str, sharpness: float, is_barred: bool) -> None:
    head = random_head(7, 500, 64, kind=kind, sharpness=sharpness)
    rules = torch.arange(500) < torch.tensor([[0], [130]])
    barred = Barred(rules=rules, rows=torch.arange(7) % 2) if is_barred else None
    wanted, found = scans(head, barred)
    for name in ("argmax", "sampled", "count"):
        assert torch.equal(getattr(found, name), getattr(wanted, name)), name
    for name in ("entropy", "log_total", "discarded"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name), rtol=0, atol=5e-5)
    for row, count in enumerate(wanted.count.tolist()):
        mine, theirs = ({*each.tokens[row, :count].tolist()} for each in (found, wanted))
        assert mine == theirs
    sums = []
    for module, scan in ((conditioning, wanted), (plain, found)):
        out = torch.empty(7, 64)
        buffers = conditioning.expected_buffers(head.rows, head.matrix, out.dtype, tile=SMALL)
        module.expected_embedding(
            scan, head.rows, head.matrix, buffers, out, softcap=SOFTCAP,
            temperature=torch.tensor(0.7), tolerance=0.02, barred=barred,
        )  # fmt: skip
        sums.append(out)
    torch.testing.assert_close(sums[1], sums[0], rtol=0, atol=2e-4)


def test_it_draws_the_same_ids() -> None:
    found, wanted = torch.zeros(2, 3, 5, dtype=torch.int64).unbind()
    for module, out in ((plain, found), (noise, wanted)):
        module.random_ids(out, torch.tensor(9), torch.tensor(4), 3000)
    assert torch.equal(found, wanted)


def test_whole_steps_are_those_by_kernels() -> None:
    model = fused(random_model(config(True, False)), SCAN)
    wanted = list(run(model, pins=PINS))
    with plain.plain_vocabulary():
        assert agree(run(model, pins=PINS), iter(wanted)) == 4
