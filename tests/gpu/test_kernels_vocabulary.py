"""The vocabulary and the expected embedding at the real sizes on a real chip.

Numbers of the 26B model: 256 positions, 262,144 tokens, hidden size 2816. The reference runs in float32
on the same rounded inputs, so what differs is the rounding of chances and results to bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engine.kernels.activations import Form, Int8Rows, Rows, plain_rows
from engine.kernels.conditioning import ExpectedBuffers, expected_buffers, expected_embedding
from engine.kernels.logits import Tile
from engine.kernels.noise import gumbel_noise
from engine.kernels.portable import why_not
from engine.kernels.vocabulary_scan import (
    ScanBuffers,
    VocabularyScan,
    scan_buffers,
    scan_vocabulary,
)
from engine.quant.layouts import Int8Layout
from engine.quant.tensors import Int8Tensor, Matrix
from tests.gpu.chip import GPU, capture, randn

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.skipif(why_not(torch.device("cuda")) is not None, reason="needs Triton"),
]

TOKENS, SIZE, SOFTCAP, TEMPERATURE = 262_144, 2816, 30.0, 0.7


@pytest.fixture(scope="module")
def embedding() -> Int8Tensor:
    """Like a real one: rows of one size, a shared direction, some inputs with exponents."""
    generator = torch.Generator(GPU).manual_seed(1)
    codes = torch.randint(
        -127, 128, (TOKENS, SIZE), generator=generator, device=GPU, dtype=torch.int8
    )
    exponents = torch.zeros(SIZE, dtype=torch.int8, device=GPU)
    exponents[:5] = torch.tensor([3, -2, 1, 1, 2], device=GPU)
    scale = (0.5 + torch.rand(TOKENS, generator=generator, device=GPU)) / (74 * SIZE**0.5)
    return Int8Tensor(
        layout=Int8Layout(shape=(TOKENS, SIZE)), codes=codes, scale=scale, exponents=exponents
    )


def factors(embedding: Int8Tensor) -> Tensor:
    return torch.exp2(embedding.exponents.float())


def plain_embedding(embedding: Int8Tensor, tokens: slice) -> Tensor:
    rows = embedding.rows(tokens)
    return rows.even(torch.float32) * factors(embedding)


def hidden_states(embedding: Int8Tensor, rows: int, sharpness: float) -> Tensor:
    """Rows that lean towards a token each, from not at all to `sharpness`."""
    wanted = plain_embedding(embedding, slice(0, TOKENS, TOKENS // rows))[:rows]
    lean = torch.linspace(0, sharpness, rows, device=GPU)[:, None]
    return lean * wanted / wanted.norm(dim=-1, keepdim=True) + 0.02 * randn(rows, SIZE, seed=3)


def prepared(
    kind: str, embedding: Int8Tensor, hidden: Tensor
) -> tuple[Rows, Matrix, Tensor, Callable[[slice], Tensor]]:
    """Rows, matrix, and what both stand for in float32."""
    if kind == "bfloat16":
        table = torch.cat(
            [
                plain_embedding(embedding, slice(at, at + 32_768)).bfloat16()
                for at in range(0, TOKENS, 32_768)
            ]
        )
        rows = hidden.bfloat16()
        return rows, table, rows.float(), lambda tokens: table[tokens].float()
    if kind == "w8a16":
        rows = hidden.bfloat16()
        return rows, embedding, rows.float(), lambda tokens: plain_embedding(embedding, tokens)
    coded = plain_rows(hidden * factors(embedding), Form(whole=True), torch.float32)
    assert isinstance(coded, Int8Rows)
    meant = coded.codes.float() * coded.scale / factors(embedding)
    return coded, embedding, meant, lambda tokens: plain_embedding(embedding, tokens)


def tempered(hidden: Tensor, part: Callable[[slice], Tensor]) -> Tensor:
    """float32 [R, V]; a test may hold what the engine may not."""
    parts = [hidden @ part(slice(at, at + 32_768)).T for at in range(0, TOKENS, 32_768)]
    return torch.cat(parts, dim=1).div_(SOFTCAP).tanh_().mul_(SOFTCAP / TEMPERATURE)


def scalar(value: int) -> Tensor:
    return torch.tensor(value, device=GPU)


def run_scan(rows: Rows, matrix: Matrix, buffers: ScanBuffers) -> VocabularyScan:
    return scan_vocabulary(
        rows,
        matrix,
        buffers,
        softcap=SOFTCAP,
        temperature=torch.tensor(TEMPERATURE, device=GPU),
        seed=scalar(2**40 + 9),
        step=scalar(4),
    )


def run_expected(
    scan: VocabularyScan, rows: Rows, matrix: Matrix, buffers: ExpectedBuffers, tolerance: float
) -> Tensor:
    out = torch.full((scan.count.shape[0], SIZE), torch.nan, dtype=torch.bfloat16, device=GPU)
    expected_embedding(
        scan,
        rows,
        matrix,
        buffers,
        out,
        softcap=SOFTCAP,
        temperature=torch.tensor(TEMPERATURE, device=GPU),
        tolerance=tolerance,
    )
    return out


def noise(rows: int) -> Tensor:
    parts = [
        gumbel_noise(scalar(2**40 + 9), scalar(4), some, torch.arange(TOKENS, device=GPU)).float()
        for some in torch.arange(rows, device=GPU).split(16)
    ]
    return torch.cat(parts)


@pytest.mark.parametrize("rows", [256, 137])
@pytest.mark.parametrize("kind", ["bfloat16", "w8a16", "w8a8"])
def test_vocabulary_and_expected_embedding(kind: str, rows: int, embedding: Int8Tensor) -> None:
    coded, matrix, hidden, part = prepared(kind, embedding, hidden_states(embedding, rows, 24.0))
    scan = run_scan(coded, matrix, scan_buffers(coded, matrix))
    logits = tempered(hidden, part)
    log_chances = logits.log_softmax(dim=-1)
    chances = log_chances.exp()

    # Logits up to 43 with float32 sums of 2816 products.
    torch.testing.assert_close(
        scan.entropy, -(chances * log_chances).sum(dim=-1), rtol=1e-4, atol=1e-4
    )
    assert scan.entropy.min() < 0.1 < 10 < scan.entropy.max()
    # Float32 may order two tokens otherwise that are equal to its precision.
    best = logits.gather(1, scan.argmax[:, None])[:, 0]
    assert (logits.amax(dim=-1) - best).max() < 1e-4
    noisy = logits + noise(rows)
    drawn = noisy.gather(1, scan.sampled[:, None])[:, 0]
    assert (noisy.amax(dim=-1) - drawn).max() < 1e-4

    slot = torch.arange(scan.tokens.shape[1], device=GPU)[None, :]
    is_kept = slot < scan.count[:, None]
    kept = chances.gather(1, scan.tokens.long()).where(is_kept, 0)
    torch.testing.assert_close(scan.chances.where(is_kept, 0), kept, rtol=2e-3, atol=1e-6)
    torch.testing.assert_close(scan.discarded, 1 - kept.sum(dim=-1), rtol=0, atol=2e-4)

    exact = sum(
        chances[:, at : at + 32_768] @ part(slice(at, at + 32_768))
        for at in range(0, TOKENS, 32_768)
    )
    buffers = expected_buffers(coded, matrix, torch.bfloat16)
    buffers.sums.fill_(torch.nan)
    dense = run_expected(scan, coded, matrix, buffers, -1.0).float()
    sizes = exact.norm(dim=-1)
    assert ((dense - exact).norm(dim=-1) < 1e-2 * sizes).all()
    sparse = run_expected(scan, coded, matrix, buffers, 1.0).float()
    farthest = torch.stack(
        [
            torch.cdist(sparse, part(slice(at, at + 32_768))).amax(dim=1)
            for at in range(0, TOKENS, 32_768)
        ]
    ).amax(dim=0)
    bound = scan.discarded * farthest + 2**-7 * sizes
    assert ((sparse - exact).norm(dim=-1) <= bound).all()
    both = run_expected(scan, coded, matrix, buffers, 2**-8).float()
    is_dense = (scan.discarded > 2**-8)[:, None]
    assert 0 < is_dense.sum() < rows
    assert torch.equal(both, torch.where(is_dense, dense, sparse))


def test_nothing_of_the_size_of_the_logits_is_allocated(embedding: Int8Tensor) -> None:
    rows = hidden_states(embedding, 256, 0.0).bfloat16()
    scans, buffers = (
        scan_buffers(rows, embedding),
        expected_buffers(rows, embedding, torch.bfloat16),
    )
    own = sum(x.nbytes for x in (scans.sums, scans.largest, scans.tokens, buffers.chances))
    assert own < 64e6  # float32 logits have 268e6
    run_expected(run_scan(rows, embedding, scans), rows, embedding, buffers, -1.0)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run_expected(run_scan(rows, embedding, scans), rows, embedding, buffers, -1.0)
    assert torch.cuda.max_memory_allocated() - before < 4e6


def test_the_tile_changes_no_sample(embedding: Int8Tensor) -> None:
    rows = hidden_states(embedding, 64, 10.0).bfloat16()
    samples = [
        run_scan(rows, embedding, scan_buffers(rows, embedding, tile=tile)).sampled.clone()
        for tile in (
            Tile(rows=64, tokens=128, depth=64, warps=4, stages=3),
            Tile(rows=128, tokens=64, depth=64, warps=4, stages=3),
        )
    ]
    assert torch.equal(*samples)


def test_samples_follow_the_distribution() -> None:
    """Chi-square, 499 degrees of freedom; one correct sampler in a thousand is beyond 603."""
    hidden = torch.ones(32_768, 64, device=GPU).bfloat16()
    table = (0.05 * randn(500, 64, seed=8)).bfloat16()
    sampled = run_scan(hidden, table, scan_buffers(hidden, table)).sampled
    logits = SOFTCAP * torch.tanh(table.double().sum(dim=-1) / SOFTCAP) / TEMPERATURE
    expected = 32_768 * logits.softmax(dim=-1)
    assert ((sampled.bincount(minlength=500) - expected) ** 2 / expected).sum() < 603


def test_a_captured_scan_reads_hidden_states_temperature_and_step_anew() -> None:
    hidden, table = (3 * randn(256, 128, seed=5)).bfloat16(), randn(5000, 128, seed=6).bfloat16()
    temperature, step = torch.tensor(0.8, device=GPU), scalar(1)
    buffers, sums = scan_buffers(hidden, table), expected_buffers(hidden, table, torch.bfloat16)
    out = torch.zeros_like(hidden)

    def work(buffers: ScanBuffers = buffers, out: Tensor = out) -> None:
        options = {"softcap": SOFTCAP, "temperature": temperature}
        scan = scan_vocabulary(hidden, table, buffers, seed=scalar_seed, step=step, **options)
        expected_embedding(scan, hidden, table, sums, out, **options)

    scalar_seed = scalar(3)
    graph = capture(work)
    hidden.mul_(3)
    temperature.fill_(0.4)
    step.fill_(2)
    graph.replay()
    again, result = scan_buffers(hidden, table), torch.zeros_like(hidden)
    work(again, result)
    for name in ("argmax", "sampled", "entropy", "count", "discarded"):
        assert torch.equal(getattr(buffers.result, name), getattr(again.result, name)), name
    assert torch.equal(out, result)
