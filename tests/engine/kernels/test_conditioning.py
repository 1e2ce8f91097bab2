"""The expected embedding, sparse and exact, against float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.kernels.conditioning import expected_buffers, expected_embedding
from engine.kernels.logits import Tile
from engine.kernels.vocabulary import Barred
from engine.kernels.vocabulary_scan import (
    ScanBuffers,
    VocabularyScan,
    scan_buffers,
    scan_vocabulary,
)
from tests.engine.kernels.heads import LARGE, SMALL, TALL, WIDE, Head, make_head, random_head

SOFTCAP, TEMPERATURE = 30.0, 0.7
EXACT, SPARSE = -1.0, 1.0  # tolerances


def scan(head: Head, tile: Tile = SMALL) -> VocabularyScan:
    return scan_vocabulary(
        head.rows,
        head.matrix,
        scan_buffers(head.rows, head.matrix, kept=16, tile=tile),
        softcap=SOFTCAP,
        temperature=torch.tensor(TEMPERATURE),
        seed=torch.tensor(0),
        step=torch.tensor(0),
        threshold=1e-3,
    )


def expected(
    head: Head,
    found: VocabularyScan,
    tolerance: float,
    *,
    tile: Tile = SMALL,
    chunk: int = 256,
    barred: Barred | None = None,
) -> Tensor:
    """From memory full of NaN, so that nothing unwritten goes unnoticed."""
    dtype = head.rows.dtype if isinstance(head.rows, Tensor) else torch.float32
    buffers = expected_buffers(head.rows, head.matrix, dtype, chunk=chunk, tile=tile)
    buffers.sums.fill_(torch.nan)
    buffers.chances.fill_(torch.nan)
    out = torch.full(head.hidden.shape, torch.nan, dtype=dtype)
    expected_embedding(
        found,
        head.rows,
        head.matrix,
        buffers,
        out,
        softcap=SOFTCAP,
        temperature=torch.tensor(TEMPERATURE),
        tolerance=tolerance,
        barred=barred,
    )
    return out


def chances(head: Head) -> Tensor:
    return head.log_chances(SOFTCAP, TEMPERATURE).exp()


def nothing_kept(buffers: ScanBuffers) -> VocabularyScan:
    for each in vars(buffers.result).values():
        each.zero_()
    return buffers.result


@pytest.mark.parametrize(
    ("rows", "tokens", "size", "kind", "tile", "chunk"),
    [
        (1, 1, 16, "float32", SMALL, 256),
        (7, 1000, 48, "float32", SMALL, 256),
        (7, 193, 150, "w8a16", SMALL, 64),
        (17, 150, 100, "w8a8", TALL, 2048),
        (255, 300, 16, "float32", WIDE, 512),
    ],
)
def test_the_sum_over_all_tokens_is_exact(rows, tokens, size, kind, tile, chunk) -> None:
    head = random_head(rows, tokens, size, kind=kind, sharpness=1.0)
    found = nothing_kept(scan_buffers(head.rows, head.matrix, kept=16, tile=tile))
    found.log_total.copy_(head.logits(SOFTCAP, TEMPERATURE).logsumexp(dim=-1))
    out = expected(head, found, EXACT, tile=tile, chunk=chunk)
    # Chances inherit the float32 error of logits up to 43, some 1e-5; embeddings reach 10.
    torch.testing.assert_close(out.double(), chances(head) @ head.embedding, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["bfloat16", "w8a16 bfloat16"])
def test_the_exact_sum_in_bfloat16(kind: str) -> None:
    head = random_head(7, 200, 48, kind=kind, sharpness=1.0)
    out = expected(head, scan(head), EXACT)
    want = chances(head) @ head.embedding
    # Chances are rounded before the product, the result after it; the interpreter cuts off bits.
    limit = 2**-7 * (chances(head) @ head.embedding.abs() + want.abs())
    assert ((out.double() - want).abs() <= limit).all()


@pytest.mark.parametrize("kind", ["float32", "w8a16", "w8a8"])
@pytest.mark.parametrize("sharpness", [0.2, 1.0, 2.0])
def test_the_sparse_error_stays_below_its_bound(kind: str, sharpness: float) -> None:
    head = random_head(7, 300, 48, kind=kind, sharpness=sharpness)
    found = scan(head, LARGE)
    out = expected(head, found, SPARSE, tile=LARGE)
    error = (out.double() - chances(head) @ head.embedding).norm(dim=-1)
    farthest = (head.embedding[None] - out.double()[:, None]).norm(dim=-1).amax(dim=-1)
    assert (error <= found.discarded.double() * farthest + 3e-5).all()


def test_the_bound_is_not_idle() -> None:
    """Half of the mass on a token that may not be kept: the error is half of the distance."""
    embedding = torch.zeros(64, 16)
    embedding[8:16, 0] = 1.0  # eight equal tokens in one tile, of which it reports four
    embedding[12:16, 1] = 3.0
    hidden = torch.zeros(1, 16)
    hidden[0, 0] = 25.0
    head = make_head(hidden, embedding)
    found = scan(head)
    out = expected(head, found, SPARSE)
    assert found.discarded.item() == pytest.approx(0.5, abs=1e-4)
    torch.testing.assert_close(out[0, :3], torch.tensor([1.0, 0, 0]), rtol=0, atol=1e-6)
    error = (out.double() - chances(head) @ head.embedding).norm()
    assert error.item() == pytest.approx(0.5 * 3.0, abs=1e-3)


def test_one_likely_token_gives_its_own_embedding() -> None:
    head = make_head(1000 * torch.eye(64)[:5], torch.eye(64))
    found = scan(head)
    out = expected(head, found, 2**-8)
    assert (found.count == 1).all()
    assert torch.equal(out, torch.eye(64)[:5])


def test_barred_ids_are_no_part_of_the_sum() -> None:
    head = random_head(3, 200, 16, sharpness=0.5)
    rules = torch.zeros(1, 200, dtype=torch.bool)
    rules[0, 20:150] = True
    barred = Barred(rules=rules, rows=torch.zeros(3, dtype=torch.int64))
    logits = head.logits(SOFTCAP, TEMPERATURE).masked_fill(rules, -torch.inf)
    found = nothing_kept(scan_buffers(head.rows, head.matrix, tile=SMALL))
    found.log_total.copy_(logits.logsumexp(dim=-1))
    out = expected(head, found, EXACT, barred=barred)
    want = logits.softmax(dim=-1) @ head.embedding
    torch.testing.assert_close(out.double(), want, rtol=0, atol=1e-4)


def test_a_pinned_row_gives_the_embedding_of_its_pin() -> None:
    head = random_head(3, 100, 16, kind="w8a16", sharpness=0.1)
    found = scan(head)
    free = expected(head, found, 2**-8)
    found.tokens[1, 0], found.chances[1, 0], found.count[1], found.discarded[1] = 42, 1, 1, 0
    out = expected(head, found, 2**-8)
    torch.testing.assert_close(out[1].double(), head.embedding[42], rtol=1e-6, atol=0)
    assert torch.equal(out[[0, 2]], free[[0, 2]])


def test_each_row_goes_its_own_way() -> None:
    """Rows of one block: some sure, some flat. Each equals what it would be in a block of its kind."""
    is_flat = torch.arange(12) % 3 == 0
    hidden = torch.where(is_flat, 5.0, 1000.0)[:, None] * torch.eye(64)[:12]
    head = make_head(hidden, torch.eye(64))
    found = scan(head)
    out = expected(head, found, 2**-8)
    assert torch.equal(found.discarded > 2**-8, is_flat)
    exact, sparse = (expected(head, found, tolerance) for tolerance in (EXACT, SPARSE))
    want = torch.where(is_flat[:, None], exact, sparse)
    assert torch.equal(out, want)


def test_a_row_of_nan_stays_nan_and_spoils_no_other() -> None:
    head = random_head(4, 150, 32)
    good = expected(head, scan(head), 2**-8)
    head.rows[1, 5] = torch.nan
    out = expected(head, scan(head), 2**-8)
    assert out[1].isnan().all()
    others = torch.tensor([0, 2, 3])
    torch.testing.assert_close(out[others], good[others], rtol=0, atol=0)
