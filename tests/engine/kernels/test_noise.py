from __future__ import annotations

import math

import pytest
import torch

from engine.kernels.noise import gumbel_noise, gumbel_tile, philox, random_ids, random_ids_plain
from engine.kernels.portable import jit, tl

ONES = 0xFFFFFFFF


@jit
def _noise(out, seed, step, ROWS: tl.constexpr, TOKENS: tl.constexpr, first_token):
    rows = tl.arange(0, ROWS)[:, None]
    place = tl.arange(0, TOKENS)[None, :]
    noise = gumbel_tile(tl.load(seed), tl.load(step), rows, first_token + place)
    tl.store(out + rows * TOKENS + place, noise)


@pytest.mark.parametrize(
    ("word", "rounds", "expected"),
    [
        # Known answers that the authors of Philox publish with Random123.
        (0, 7, (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)),
        (0, 10, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (ONES, 10, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ],
)
def test_philox_gives_the_published_numbers(word: int, rounds: int, expected: tuple) -> None:
    counter = [torch.tensor(word)] * 4
    seed = torch.tensor(0 if word == 0 else -1)
    assert tuple(int(part) for part in philox(counter, seed, rounds)) == expected


@pytest.mark.parametrize(("seed", "step"), [(0, 0), (2**63 - 1, 47), (-5, 3)])
def test_the_kernel_draws_the_numbers_of_the_reference(seed: int, step: int) -> None:
    key, at = torch.tensor(seed), torch.tensor(step)
    out = torch.empty(16, 512)
    _noise[(1,)](out, key, at, 16, 512, 261_000)
    expected = gumbel_noise(key, at, torch.arange(16), torch.arange(261_000, 261_512))
    # The outer logarithm turns a relative error of float32 into an absolute one.
    torch.testing.assert_close(out.double(), expected, rtol=1e-6, atol=1e-6)


def test_the_noise_is_gumbel() -> None:
    """Kolmogorov-Smirnov: one correct stream in a thousand is beyond 1.95 / sqrt(n)."""
    noise = gumbel_noise(
        torch.tensor(7), torch.tensor(1), torch.arange(128), torch.arange(1024)
    ).flatten()
    share = torch.arange(1, noise.numel() + 1) / noise.numel()
    distance = (noise.sort().values.neg().exp().neg().exp() - share).abs().max()
    assert distance < 1.95 / math.sqrt(noise.numel())
    assert noise.isfinite().all()


def test_the_noise_samples_the_softmax() -> None:
    """Chi-square, 31 degrees of freedom; one correct sampler in a thousand is beyond 61."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(32, generator=generator)
    noise = torch.empty(8192, 32)
    _noise[(1,)](noise, torch.tensor(3), torch.tensor(9), 8192, 32, 0)
    counts = (logits + noise).argmax(dim=-1).bincount(minlength=32)
    expected = 8192 * logits.double().softmax(dim=-1)
    assert ((counts - expected) ** 2 / expected).sum() < 61


def test_rows_and_neighbours_are_not_correlated() -> None:
    noise = gumbel_noise(torch.tensor(3), torch.tensor(9), torch.arange(200), torch.arange(500))
    centred = (noise - noise.mean()) / noise.std()
    limit = 4 / math.sqrt(noise.numel())  # four standard deviations
    assert abs((centred[1:] * centred[:-1]).mean()) < limit
    assert abs((centred[:, 1:] * centred[:, :-1]).mean()) < limit


def test_random_ids_are_uniform_and_the_kernels() -> None:
    seed, step = torch.tensor(7), torch.tensor(3)
    out = torch.zeros(2, 300, dtype=torch.int64)
    random_ids(out, seed, step, 1000)
    assert torch.equal(out.flatten(), random_ids_plain(torch.arange(600), seed, step, 1000))
    many = random_ids_plain(torch.arange(100_000), seed, step, 10)
    assert many.min() == 0
    assert many.max() == 9
    expected = len(many) / 10
    assert (
        (many.bincount() - expected).square() / expected
    ).sum() < 40  # chi² of 9, one in 100,000
    assert (
        many == random_ids_plain(torch.arange(100_000), seed, step + 1, 10)
    ).float().mean() < 0.11
