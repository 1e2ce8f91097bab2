"""The log-probabilities of a few ids of each row, for those who ask for more than the likeliest.

The logits of these ids are computed once more, from the rows of the table that belong to them, and
compared with the total that the scan of the whole vocabulary has found.
Shape letters: R rows, W ids of each, V tokens, D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.kernels.activations import Rows
from engine.kernels.logits import arguments, capped, num_rows, power_of_two_tile
from engine.kernels.portable import cdiv, jit, tl
from engine.kernels.vocabulary import Barred
from engine.quant.tensors import Matrix

_BLOCK_W, _BLOCK_D = 16, 128


def watched_chances(
    hidden: Rows,
    embedding: Matrix,
    ids: Tensor,
    log_total: Tensor,
    out: Tensor,
    *,
    softcap: float,
    temperature: Tensor,
    barred: Barred | None = None,
) -> None:
    """Writes the log-probabilities of ids (int64 [R, W]) to `out` (float32 [R, W]).

    log_total: float32 [R], of `VocabularyScan`, with the same hidden, embedding, softcap, temperature
    and rules. Nothing waits for the device.
    """
    rows, width = ids.shape
    assert rows == num_rows(hidden)
    assert ids.is_contiguous()
    assert out.is_contiguous()
    num_tokens, size = embedding.shape
    _watched[(rows, cdiv(width, _BLOCK_W))](
        *arguments(hidden, embedding, temperature, barred), ids, log_total, out, width, num_tokens,
        SIZE=size, SOFTCAP=softcap, BLOCK_W=_BLOCK_W, BLOCK_D=_BLOCK_D, num_warps=4,
    )  # fmt: skip


def watched_reference(chances: Tensor, ids: Tensor) -> Tensor:
    """The same of all log-probabilities, [R, V] -> [R, W]."""
    return torch.gather(chances, -1, ids)


@jit
def _watched(
    hidden, hidden_scale, stride, table, table_scale, exponents, temperature, rules, rule_rows,
    ids, log_total, out, width, num_tokens,
    SIZE: tl.constexpr, SOFTCAP: tl.constexpr, BLOCK_W: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    place = tl.program_id(1) * BLOCK_W + tl.arange(0, BLOCK_W)
    is_place = place < width
    token = tl.load(ids + row * width + place, mask=is_place, other=0)
    logits = tl.zeros((BLOCK_W,), tl.float32)
    for start in range(0, SIZE, BLOCK_D):
        depth = start + tl.arange(0, BLOCK_D)
        in_depth = depth < SIZE
        x = tl.load(hidden + row * stride + depth, mask=in_depth, other=0).to(tl.float32)
        if exponents is not None:
            shift = tl.load(exponents + depth, mask=in_depth, other=0).to(tl.int32)
            x = (x * power_of_two_tile(shift)).to(hidden.dtype.element_ty).to(tl.float32)
        w = tl.load(table + token[:, None] * SIZE + depth[None, :], mask=in_depth[None, :], other=0)
        logits += tl.sum(w.to(tl.float32) * x[None, :], axis=1)
    if hidden_scale is not None:
        logits *= tl.load(hidden_scale + row)
    if table_scale is not None:
        logits *= tl.load(table_scale + token)
    tempered = capped(logits, SOFTCAP) / tl.load(temperature)
    if rules is not None:
        rule = tl.load(rule_rows + row)
        is_barred = tl.load(rules + rule * num_tokens + token)
        tempered = tl.where(is_barred != 0, -1e30, tempered)
    tl.store(out + row * width + place, tempered - tl.load(log_total + row), mask=is_place)
