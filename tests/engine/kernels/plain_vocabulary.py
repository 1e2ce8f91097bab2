"""What the fused step asks of the vocabulary, in plain torch: a stand-in where no kernel can run fast.

The same approximations as the kernels make: a tile reports its few largest logits, likely tokens are
kept, and rows that discarded little get the mean of those. Its own tests compare it with the kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

from engine.kernels.activations import Int8Rows, Rows, values
from engine.kernels.conditioning import TOLERANCE, ExpectedBuffers
from engine.kernels.noise import gumbel_noise, random_ids_plain
from engine.kernels.vocabulary import Barred
from engine.kernels.vocabulary_scan import PER_TILE, THRESHOLD, ScanBuffers, VocabularyScan
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int8Tensor, Matrix, dequantise


@contextmanager
def plain_vocabulary() -> Iterator[None]:
    """Fused steps go this way inside; nobody may watch ids there."""
    names = {
        "scan_vocabulary": scan_vocabulary,
        "expected_embedding": expected_embedding,
        "random_ids": random_ids,
    }
    with patch.multiple("engine.fused_step", **names):
        yield


def tempered(
    hidden: Rows, embedding: Matrix, softcap: float, temperature: Tensor, barred: Barred | None
) -> Tensor:
    """float32 [R, V]."""
    meant = values(hidden)[:, : embedding.shape[1]]
    if isinstance(hidden, Int8Rows) and isinstance(embedding, Int8Tensor):
        meant = meant / powers_of_two(embedding.exponents)
    logits = softcap * torch.tanh(meant @ table_of(embedding).T / softcap) / temperature
    if barred is not None:
        logits.masked_fill_(barred.rules[barred.rows], -torch.inf)
    return logits


def table_of(embedding: Matrix) -> Tensor:
    return embedding.float() if isinstance(embedding, Tensor) else dequantise(embedding)


def scan_vocabulary(
    hidden: Rows, embedding: Matrix, buffers: ScanBuffers, *, softcap: float, temperature: Tensor,
    seed: Tensor, step: Tensor, threshold: float = THRESHOLD, barred: Barred | None = None,
) -> VocabularyScan:  # fmt: skip
    """As `engine.kernels.vocabulary_scan.scan_vocabulary`."""
    logits, result = tempered(hidden, embedding, softcap, temperature, barred), buffers.result
    log_chance = logits.log_softmax(dim=-1)
    rows, tokens = (torch.arange(size, device=logits.device) for size in logits.shape)
    noisy = logits + gumbel_noise(seed, step, rows, tokens)
    result.argmax.copy_(logits.argmax(dim=-1))
    result.sampled.copy_(noisy.argmax(dim=-1))
    chance = log_chance.exp()
    result.entropy.copy_(-torch.special.xlogy(chance, chance).sum(dim=-1))
    result.log_total.copy_(logits.logsumexp(dim=-1))
    _keep(result, chance, buffers.tile.tokens, threshold)
    return result


def _keep(result: VocabularyScan, chance: Tensor, tile: int, threshold: float) -> None:
    """The likeliest tokens among what the tiles report."""
    size, kept = chance.shape[1], result.tokens.shape[1]
    tiles = torch.nn.functional.pad(chance, (0, -size % tile), value=-1.0).unflatten(1, (-1, tile))
    best, place = tiles.topk(min(PER_TILE, tile), dim=-1)
    ids = place + torch.arange(tiles.shape[1], device=chance.device)[:, None] * tile
    best, order = best.flatten(1).sort(dim=-1, descending=True)
    ids, best = ids.flatten(1).gather(1, order)[:, :kept], best[:, :kept]
    likely = best >= threshold
    likely[:, 0] = True
    result.count.copy_(likely.sum(dim=-1))
    result.tokens.zero_()[:, : ids.shape[1]] = torch.where(likely, ids, 0)
    result.chances.zero_()[:, : ids.shape[1]] = torch.where(likely, best, 0.0)
    result.discarded.copy_(1 - result.chances.sum(dim=-1))


def expected_embedding(
    scan: VocabularyScan, hidden: Rows, embedding: Matrix, buffers: ExpectedBuffers, out: Tensor, *,
    softcap: float, temperature: Tensor, tolerance: float = TOLERANCE, barred: Barred | None = None,
) -> None:  # fmt: skip
    """As `engine.kernels.conditioning.expected_embedding`."""
    table = table_of(embedding)
    mass = scan.chances.sum(dim=-1, keepdim=True)
    sparse = (scan.chances[..., None] * table[scan.tokens.long()]).sum(dim=1) / mass
    out.copy_(sparse)
    exact = ~(scan.discarded <= tolerance)
    if exact.any():
        logits = tempered(hidden, embedding, softcap, temperature, barred)[exact]
        out[exact] = (logits.softmax(dim=-1) @ table).to(out.dtype)


def random_ids(out: Tensor, seed: Tensor, step: Tensor, num_tokens: int) -> None:
    """As `engine.kernels.noise.random_ids`."""
    places = torch.arange(out.numel(), device=out.device)
    out.copy_(random_ids_plain(places, seed, step, num_tokens).view(out.shape))
