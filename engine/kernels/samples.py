"""What each operation is tried on at the start: random numbers in the sizes of the model.

A kernel of other sizes is another kernel to the compiler, so widths are the model's own; experts and
vocabulary are few, as only the time depends on them. Shape letters as in `operations`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from engine.config import LayerConfig, ModelConfig
from engine.kernels.activations import Form, Int8Rows, Rows, plain_rows, values
from engine.kernels.attention import attend_plain, attention_buffers
from engine.kernels.conditioning import expected_buffers, expected_embedding
from engine.kernels.draws import EXPERTS, Draw
from engine.kernels.kv import plain, store_plain
from engine.kernels.noise import random_ids, random_ids_plain
from engine.kernels.norms import Between, FinishWeights, Reader
from engine.kernels.operations import NAMES, Operations, operations
from engine.kernels.prefill import attend_causal_plain
from engine.kernels.selection import Operation, Results
from engine.kernels.vocabulary_scan import scan_buffers, scan_reference, scan_vocabulary
from engine.quant.matmul import mix
from engine.quant.tensors import Int4Tensor, Int8Tensor

TOKENS = 2048  # of the vocabulary
ROUNDING = 2**-6  # of codes of eight bits, whose halves may fall either way
EPS = 1e-6


def trials(
    config: ModelConfig, dtype: torch.dtype, cache_bits: int = 16, expert_bits: int = 4
) -> tuple[Operation, ...]:
    """All operations, to be tried by `selection.choose`.

    dtype: of the network; cache_bits: of the cache's keys and values; expert_bits: 4 or 8.
    """
    kernels, plain = operations(NAMES), operations(())

    def trial(
        name: str, work: Callable[..., Results], sample: Callable[[Draw], tuple[Any, ...]]
    ) -> Operation:
        """work(operations, *sample)"""
        return Operation(
            name=name,
            kernel=partial(work, kernels),
            reference=partial(work, plain),
            sample=lambda device: sample(Draw(config, device, dtype, cache_bits)),
            tolerance=ROUNDING,
        )

    size, rows, top_k = config.hidden_size, config.canvas_length, config.top_k_experts
    width, dense = config.moe_intermediate_size, config.intermediate_size
    top_k = min(top_k, EXPERTS)
    return (
        trial("norm", _norm, lambda draw: (draw.x(rows, size), draw.factor())),
        trial("quantise", _quantise, lambda draw: (draw.x(rows, size), draw.factor())),
        trial("add_norm", _add_norm, lambda draw: (*_pair(draw), draw.factor())),
        trial(
            "finish", _finish,
            lambda draw: (
                *_pair(draw), draw.x(rows * top_k, size), draw.normal(rows, top_k).abs(),
                draw.factor(), draw.x(rows),
            ),
        ),
        trial("heads", _heads, lambda draw: (draw,)),
        trial("attend", _attend, lambda draw: (draw,)),
        trial("attend_causal", _attend_causal, lambda draw: (draw,)),
        trial("store", _store, lambda draw: (draw,)),
        trial(
            "route", _route,
            lambda draw: (draw.x(rows, config.num_experts), draw.x(config.num_experts), top_k),
        ),
        trial(
            "experts", _experts,
            lambda draw: (
                draw.rows(size), draw.experts(expert_bits, 2 * width, size, shared=True),
                draw.experts(expert_bits, size, width, shared=False), _chosen(draw, top_k), dtype,
            ),
        ),
        trial(
            "product", lambda do, x, weight: do.product(x, weight, dtype),
            lambda draw: (draw.rows(size), draw.int8(size, size)),
        ),
        trial(
            "gated",
            lambda do, x, up, down: _numbers(do.gated(x, up, down, Form(), dtype)),
            lambda draw: (draw.rows(size), draw.int8(2 * dense, size), draw.int8(size, dense)),
        ),
        Operation(
            name="vocabulary", kernel=_vocabulary, reference=_vocabulary_plain, tolerance=0.02,
            sample=lambda device: _head(Draw(config, device, dtype, cache_bits)),
        ),
    )  # fmt: skip


def _numbers(rows: Rows) -> Tensor:
    return values(rows)


def _pair(draw: Draw) -> tuple[Tensor, Tensor]:
    rows, size = draw.config.canvas_length, draw.config.hidden_size
    return draw.x(rows, size), draw.x(1, rows, size)[0]


def _eight(reader: Reader) -> Reader:
    return Reader(factor=reader.factor, form=Form())


def _norm(do: Operations, x: Tensor, reader: Reader) -> Results:
    return values(do.norm(x, reader, EPS)), values(do.norm(x, _eight(reader), EPS))


def _quantise(do: Operations, x: Tensor, reader: Reader) -> Results:
    return values(do.quantise(x, _eight(reader)))


def _add_norm(do: Operations, x: Tensor, attended: Tensor, reader: Reader) -> Results:
    weight = reader.factor.to(x.dtype)
    made: Between = do.add_norm(
        x, attended, weight, EPS, _eight(reader), _eight(reader), reader.factor
    )
    return made.residual, values(made.dense), values(made.sparse), made.router


def _finish(
    do: Operations, x: Tensor, dense: Tensor, pairs: Tensor, share: Tensor, reader: Reader,
    scalars: Tensor,
) -> Results:  # fmt: skip
    weight, found = reader.factor.to(x.dtype), []
    for scalar in (scalars[:1], scalars):
        norms = FinishWeights(dense=weight, sparse=weight, both=weight, scalar=scalar)
        out, rows = do.finish(x, dense, pairs, share, norms, EPS, _eight(reader))
        found += [out, values(rows)]
    return tuple(found)


def _kinds(config: ModelConfig) -> list[LayerConfig]:
    return list(dict.fromkeys(config.layers))


def _heads(do: Operations, draw: Draw) -> Results:
    found: list[Tensor] = []
    rows = draw.config.canvas_length
    for kind in _kinds(draw.config):
        count = draw.config.num_heads + (2 if kind.is_sliding else 1) * kind.num_kv_heads
        made = do.heads(
            draw.x(rows, count * kind.head_dim), draw.x(kind.head_dim), draw.x(kind.head_dim),
            draw.x(rows, kind.head_dim), draw.x(rows, kind.head_dim), kind.num_kv_heads, EPS,
            values_are_keys=not kind.is_sliding,
        )  # fmt: skip
        found += [made.queries, made.keys, made.values]
    return tuple(found)


def _attend(do: Operations, draw: Draw) -> Results:
    found: list[Tensor] = []
    rows, heads = draw.config.canvas_length, draw.config.num_heads
    span = torch.tensor([5, 133], dtype=torch.int32, device=draw.device)
    for kind in _kinds(draw.config):
        kv, size = kind.num_kv_heads, kind.head_dim
        queries = draw.x(1, rows, heads, size) * 0.2
        cache = draw.cache(kv, 150, size)
        out, buffers = torch.empty_like(queries), attention_buffers(queries, kv)
        own = draw.x(1, rows, kv, size)
        if do.attend is None:
            out = attend_plain(queries, own, own, cache, 5, 133)
        else:
            do.attend(queries, own, own, cache, span, buffers, out)
        found.append(out)
    return tuple(found)


def _attend_causal(do: Operations, draw: Draw) -> Results:
    found: list[Tensor] = []
    rows, heads = draw.config.canvas_length, draw.config.num_heads
    span = torch.tensor([5, 133], dtype=torch.int32, device=draw.device)
    for kind in _kinds(draw.config):
        kv, size = kind.num_kv_heads, kind.head_dim
        window = 96 if kind.is_sliding else None  # borders within the sample
        queries, own = draw.x(rows, heads, size) * 0.2, draw.x(rows, kv, size)
        cache = draw.cache(kv, 150, size)
        if do.attend_causal is None:
            found.append(attend_causal_plain(queries, own, own, cache, 5, 133, window))
        else:
            found.append(do.attend_causal(queries, own, own, cache, span, window))
    return tuple(found)


def _store(do: Operations, draw: Draw) -> Results:
    found: list[Tensor] = []
    rows, start = draw.config.canvas_length, torch.tensor(5, device=draw.device)
    for kind in _kinds(draw.config):
        kv, size = kind.num_kv_heads, kind.head_dim
        cache, fresh = draw.cache(kv, rows + 20, size), draw.x(rows, kv, size)
        if do.store is None:
            store_plain(cache, fresh.transpose(0, 1), fresh.transpose(0, 1), 5)
        else:
            do.store(cache, fresh, fresh, start)
        found += [numbers.float() for numbers in plain(cache, 0, rows + 20)]
    return tuple(found)


def _route(do: Operations, scores: Tensor, scale: Tensor, top_k: int) -> Results:
    return do.route(scores, scale, top_k)


def _chosen(draw: Draw, top_k: int) -> Tensor:
    """Experts of each token, all different; one expert has none."""
    start = torch.arange(draw.config.canvas_length, device=draw.device)[:, None]
    steps = torch.arange(top_k, device=draw.device)
    return ((start * start + steps) % max(EXPERTS - 1, top_k)).to(torch.int32)


def _experts(
    do: Operations, x: Rows, up: Int4Tensor, down: Int4Tensor, chosen: Tensor, dtype: torch.dtype
) -> Results:
    return do.experts(x, up, down, chosen, Form(), dtype)


def _head(draw: Draw) -> tuple[Rows, Tensor, Int8Tensor, float]:
    """Rows of eight bits and what they stand for; a table; the softcap."""
    table = draw.int8(TOKENS, draw.config.hidden_size)
    hidden = 3 * draw.normal(draw.config.canvas_length, draw.config.hidden_size)
    rows = plain_rows(hidden, Form(whole=True), draw.dtype)
    assert isinstance(rows, Int8Rows)
    meant = rows.codes[:, : hidden.shape[1]].float() * rows.scale
    return rows, meant, table, draw.config.final_logit_softcapping


def _constants(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Temperature, seed and step."""
    return (
        torch.tensor(0.7, device=device),
        torch.tensor(11, device=device),
        torch.tensor(2, device=device),
    )


def _vocabulary(rows: Rows, meant: Tensor, table: Int8Tensor, softcap: float) -> Results:
    cooled, seed, step = _constants(meant.device)
    buffers = scan_buffers(rows, table)
    scan = scan_vocabulary(
        rows, table, buffers, softcap=softcap, temperature=cooled, seed=seed, step=step
    )
    soft = torch.empty(meant.shape, dtype=torch.bfloat16, device=meant.device)
    expected_embedding(
        scan, rows, table, expected_buffers(rows, table, soft.dtype), soft,
        softcap=softcap, temperature=cooled, tolerance=-1.0,
    )  # fmt: skip
    ids = torch.empty(meant.shape[0], dtype=torch.int64, device=meant.device)
    random_ids(ids, seed, step, TOKENS)
    return scan.entropy, soft, ids


def _vocabulary_plain(rows: Rows, meant: Tensor, table: Int8Tensor, softcap: float) -> Results:
    cooled, seed, step = _constants(meant.device)
    chances, _ = scan_reference(
        meant, table, softcap=softcap, temperature=cooled, seed=seed, step=step
    )
    entropy = -(chances.exp() * chances).sum(dim=-1)
    places = torch.arange(meant.shape[0], device=meant.device)
    return entropy, mix(chances.exp().float(), table), random_ids_plain(places, seed, step, TOKENS)
