"""Everything the sampler wants to know of the vocabulary, in one pass over blocks of rows.

A float32 tensor [C, V] has 256 MiB for 256 positions and 262,144 tokens, and a naive sampler
holds several. Here the logits of a few rows live at a time; what leaves is small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.quant.matmul import linear, mix
from engine.quant.tensors import Matrix
from engine.sizes import LOGITS_BLOCK as _BLOCK
from engine.sizes import MIN_LOGITS_ROWS as _MIN_ROWS


@dataclass(frozen=True, kw_only=True)
class VocabularyStatistics:
    """Per row of the input, of the softmax over the tempered logits."""

    argmax: Tensor  # [R] int64
    entropy: Tensor  # [R] float32, nats
    sampled: Tensor  # [R] int64
    soft: Tensor  # [R, D], Σ probability · embedding, unscaled
    watched: Tensor | None = None  # [R, W] float32, log-probabilities of the watched ids


@dataclass(frozen=True, kw_only=True)
class Barred:
    """Ids that must not stand at a row. A few rules, and which of them holds for each row."""

    rules: Tensor  # bool [K, V], true where a rule forbids an id
    rows: Tensor  # int64 [R], index of a rule


# Far below every logit, and finite: minus infinity times a chance of zero would be NaN.
_NEVER = -1e30


def softcapped_logits(hidden: Tensor, embedding: Matrix, softcap: float) -> Tensor:
    """softcap · tanh(hidden · embeddingᵀ / softcap) in float32; [..., D] -> [..., V]."""
    return linear(hidden, embedding).float().div_(softcap).tanh_().mul_(softcap)


def vocabulary_statistics(
    hidden: Tensor,
    embedding: Matrix,
    *,
    softcap: float,
    temperature: Tensor,
    draw: Callable[[Tensor, slice], Tensor],
    whole: bool = False,
    block_rows: int | None = None,
    barred: Barred | None = None,
    watch: Tensor | None = None,
) -> VocabularyStatistics:
    """Statistics of rows `hidden` [R, D] over `embedding` [V, D].

    `temperature` is a float32 scalar tensor. `draw(probabilities, rows)` samples one token id per
    row of a block. `whole` takes all rows as one block, for random streams that depend on it;
    else a block has `block_rows` rows, or as many as suit the device.
    `watch` [R, W] asks for the log-probabilities of some ids of each row. Barred ids have chance 0.
    """
    rows, size = hidden.shape[0], embedding.shape[0]
    usual = block_rows or max(_BLOCK[hidden.device.type] // size, _MIN_ROWS)
    step = max(rows, 1) if whole else usual
    blocks = [
        _block(
            hidden, embedding, softcap, temperature, draw, slice(at, min(at + step, rows)),
            barred, watch,
        )
        for at in range(0, max(rows, 1), step)
    ]  # fmt: skip
    if len(blocks) == 1:
        return blocks[0]
    return VocabularyStatistics(
        argmax=torch.cat([block.argmax for block in blocks]),
        entropy=torch.cat([block.entropy for block in blocks]),
        sampled=torch.cat([block.sampled for block in blocks]),
        soft=torch.cat([block.soft for block in blocks]),
        watched=None if watch is None else torch.cat([_watched(block) for block in blocks]),
    )


def _watched(block: VocabularyStatistics) -> Tensor:
    assert block.watched is not None
    return block.watched


def _block(
    hidden: Tensor,
    embedding: Matrix,
    softcap: float,
    temperature: Tensor,
    draw: Callable[[Tensor, slice], Tensor],
    rows: slice,
    barred: Barred | None,
    watch: Tensor | None,
) -> VocabularyStatistics:
    tempered = softcapped_logits(hidden[rows], embedding, softcap).div_(temperature)
    if barred is not None:
        tempered.masked_fill_(barred.rules[barred.rows[rows]], _NEVER)
    log_chance = F.log_softmax(tempered, dim=-1)
    chance = log_chance.exp()
    return VocabularyStatistics(
        argmax=tempered.argmax(dim=-1),
        entropy=-torch.linalg.vecdot(chance, log_chance),
        sampled=draw(chance, rows),
        soft=_soft(tempered, chance, embedding, hidden.dtype),
        watched=None if watch is None else log_chance.gather(-1, watch[rows]),
    )


def _soft(tempered: Tensor, chance: Tensor, embedding: Matrix, dtype: torch.dtype) -> Tensor:
    """As the reference: the tempered logits pass through the network's dtype before the softmax."""
    if dtype != torch.float32:
        chance = tempered.to(dtype).softmax(dim=-1, dtype=torch.float32)
    return mix(chance.to(dtype), embedding)
