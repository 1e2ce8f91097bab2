"""The bits, against loops in plain Python."""

from __future__ import annotations

import itertools

import pytest
import torch

from engine.quant.pack import pack, powers_of_two, unpack

SHAPES = [(1, 64), (16, 64), (3, 192), (5, 7, 128), (2, 1, 704), (2, 3, 4, 64)]


@pytest.mark.parametrize("shape", SHAPES)
def test_there_and_back(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(len(shape))
    codes = torch.randint(16, shape, generator=generator, dtype=torch.uint8)
    packed = pack(codes)
    *lead, outputs, inputs = shape
    assert packed.shape == (*lead, inputs // 64, outputs, 32)
    assert packed.is_contiguous()
    assert torch.equal(unpack(packed), codes)


def test_every_byte_survives() -> None:
    every = torch.arange(256, dtype=torch.uint8)
    shifted = torch.stack([every.roll(step) for step in range(64)])  # each byte at each place
    packed = shifted.view(2, 32, 8, 32)  # two experts, 32 blocks, 8 outputs
    assert torch.equal(pack(unpack(packed)), packed)
    assert unpack(packed).max() == 15


def test_where_each_code_lies() -> None:
    codes = torch.randint(16, (2, 3, 128), generator=torch.Generator().manual_seed(0)).byte()
    packed, plain = pack(codes).tolist(), codes.tolist()
    for e, block, n, j in itertools.product(range(2), range(2), range(3), range(32)):
        low, high = plain[e][n][64 * block + j], plain[e][n][64 * block + j + 32]
        assert packed[e][block][n][j] == low + 16 * high


def test_powers_of_two_are_exact() -> None:
    exponents = torch.arange(-126, 128, dtype=torch.int8)
    assert powers_of_two(exponents).tolist() == [2.0**e for e in range(-126, 128)]
