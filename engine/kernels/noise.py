"""Counter-based random numbers: the same for a seed, a step, a row and a token, on every device.

Nothing is drawn in order, so a kernel may cover the vocabulary with tiles of any size. The generator
is Philox 4x32 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011) with the seed as
key and (token, row, step, 0) as counter, of random ids (0, row, step, 1); seven rounds are the fewest
that pass their tests.

Gumbel noise g makes argmax(s + g) a sample of softmax(s). g = -ln E with E = -ln(1 - u): the noise is
large where u is small, and there a float has its finest steps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.portable import cdiv, constant, jit, tl

ROUNDS = 7

_IDS = 256  # that a program draws
_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)

_ROUNDS = constant(ROUNDS)
_MASK = constant(_WORD)
_UNIT = constant(2.0**-32)


@jit
def gumbel_tile(seed, step, rows, tokens):
    """Noise (float32 [R, V]) of rows [R, 1] and tokens [1, V], int32; seed and step are scalars."""
    token = tokens + rows * 0
    row = rows + tokens * 0
    bits, _, _, _ = tl.philox(seed, token, row, row * 0 + step.to(tl.int32), row * 0, _ROUNDS)
    u = (bits.to(tl.float32) + 0.5) * _UNIT
    rest = ((bits ^ _MASK).to(tl.float32) + 0.5) * _UNIT  # 1 - u, without its rounding near 0
    # Where u is small, 1 - u would round the noise into steps, so there by the series of -ln(1 - u).
    exponential = tl.where(u < 0.01, u * (1 + u * (0.5 + u * (1 / 3 + u * 0.25))), -tl.log(rest))
    return -tl.log(exponential)


def gumbel_noise(seed: Tensor, step: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
    """The reference of `gumbel_tile`, float64 [R, V] of rows and tokens (int64 [R] and [V])."""
    counter = torch.broadcast_tensors(
        tokens, rows[:, None], step.to(torch.int64), torch.zeros_like(step, dtype=torch.int64)
    )
    bits = philox(counter, seed)[0]
    return -(-torch.log1p(-(bits.double() + 0.5) * 2.0**-32)).log()


def random_ids(out: Tensor, seed: Tensor, step: Tensor, num_tokens: int) -> None:
    """Fills `out` (int64, contiguous) with uniform ids below num_tokens, a row for each place."""
    assert out.is_contiguous()
    _random_ids[(cdiv(out.numel(), _IDS),)](out, seed, step, out.numel(), num_tokens, BLOCK=_IDS)


def random_ids_plain(rows: Tensor, seed: Tensor, step: Tensor, num_tokens: int) -> Tensor:
    """The ids (int64 [R]) that `random_ids` puts at the places `rows` (int64 [R])."""
    none, turn = torch.zeros_like(rows), step + torch.zeros_like(rows)
    return philox((none, rows, turn, none + 1), seed)[0] * num_tokens >> 32


@jit
def _random_ids(out, seed, step, num_rows, num_tokens, BLOCK: tl.constexpr):
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    turn = row * 0 + tl.load(step).to(tl.int32)
    bits, _, _, _ = tl.philox(tl.load(seed), row * 0, row, turn, row * 0 + 1, _ROUNDS)
    ids = bits.to(tl.int64) * num_tokens >> 32
    tl.store(out + row, ids, mask=row < num_rows)


def philox(
    counter: tuple[Tensor, ...] | list[Tensor], seed: Tensor, rounds: int = ROUNDS
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox 4x32: four words from four words (int64 below 2^32) and a key of 64 bits (int64)."""
    a, b, c, d = counter
    keys = (seed & _WORD, seed >> 32 & _WORD)
    for _ in range(rounds):
        # An int64 product wraps, but its bits are those of the unsigned one.
        low, high = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a, b, c, d = (
            high >> 32 & _WORD ^ b ^ keys[0],
            high & _WORD,
            low >> 32 & _WORD ^ d ^ keys[1],
            low & _WORD,
        )
        keys = (keys[0] + _KEY_STEPS[0] & _WORD, keys[1] + _KEY_STEPS[1] & _WORD)
    return a, b, c, d
