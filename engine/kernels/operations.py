"""What the network does, each operation by its kernel or by plain torch with the same signature.

`selection` finds out which kernels work here; whatever it leaves out goes the plain way, alone.
Products take weights as they are stored: of eight bits by `dense` and `experts8`, of four by `experts`,
plain numbers by torch. Shape letters: R rows, P inputs filled up to blocks of 64, N outputs, D hidden size, H query
heads, d head size, k experts a token.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kernels import attention, dense, experts, experts8, heads, kv, norms, prefill, routing
from engine.kernels.activations import HALF, Form, Rows, device_of, plain_rows, pointers, values
from engine.kernels.attention import AttentionBuffers
from engine.kernels.heads import Heads
from engine.kernels.kv import LayerCache
from engine.kernels.norms import Between, Reader
from engine.kernels.tiles import expert_rows
from engine.quant.pack import powers_of_two
from engine.quant.tensors import Int4Tensor, Int8Tensor, Matrix, QuantisedTensor

Store = Callable[[LayerCache, Tensor, Tensor, Tensor], None]  # as `kv.store`
C = TypeVar("C", bound=Callable[..., Any])
Attend = Callable[
    [Tensor, Tensor, Tensor, LayerCache, Tensor, AttentionBuffers, Tensor], None
]  # as `attention.attend`
AttendCausal = Callable[
    [Tensor, Tensor, Tensor, LayerCache, Tensor, int | None], Tensor
]  # as `prefill.attend_causal`


@dataclass(frozen=True, kw_only=True)
class Operations:
    norm: Callable[[Tensor, Reader, float], Rows]
    quantise: Callable[[Tensor, Reader], Rows]
    add_norm: Callable[..., Between]
    finish: Callable[..., tuple[Tensor, Rows]]
    heads: Callable[..., Heads]
    attend: Attend | None  # None: the network has its own way, which copies no prefix
    attend_causal: AttendCausal | None  # alike
    store: Store | None  # alike: `KVCache.write`
    route: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
    experts: Callable[[Rows, Matrix, Matrix, Tensor, Form, torch.dtype], Tensor]
    product: Callable[[Rows, Matrix, torch.dtype], Tensor]
    gated: Callable[[Rows, Matrix, Matrix, Form, torch.dtype], Rows]
    has_vocabulary: bool
    stays_on_device: bool  # nothing waits for the device, as a graph asks: experts, attention


NAMES = (
    "norm", "quantise", "add_norm", "finish", "heads", "attend", "attend_causal", "store",
    "route", "experts", "product", "gated", "vocabulary",
)  # fmt: skip


def operations(names: Collection[str] = NAMES) -> Operations:
    """Those in `names` by their kernels, all others by plain torch."""

    def by(name: str, kernel: C, plain: C) -> C:
        return kernel if name in names else plain

    return Operations(
        norm=by("norm", norms.norm, norms.norm_plain),
        quantise=by("quantise", norms.quantise, norms.quantise_plain),
        add_norm=by("add_norm", norms.add_norm, norms.add_norm_plain),
        finish=by("finish", norms.finish, norms.finish_plain),
        heads=by("heads", heads.split_heads, heads.split_heads_plain),
        attend=attention.attend if "attend" in names else None,
        attend_causal=prefill.attend_causal if "attend_causal" in names else None,
        store=kv.store if "store" in names else None,
        route=by("route", routing.route, routing.route_plain),
        experts=by("experts", run_experts, run_experts_plain),
        product=by("product", product, product_plain),
        gated=by("gated", gated, gated_plain),
        has_vocabulary="vocabulary" in names,
        stays_on_device={"vocabulary", "attend", "experts"} <= set(names),
    )


def form_for(reader: Matrix, bits: int) -> Form:
    """How a weight wants its rows. bits: of an activation, 8 or 16."""
    if isinstance(reader, Tensor) or bits == 16:
        return HALF
    return Form(group=reader.layout.group_size if isinstance(reader, Int4Tensor) else 64)


def product(x: Rows, weight: Matrix, dtype: torch.dtype) -> Tensor:
    """x · weightᵀ, [R, N] in `dtype`; x: rows [R, P], the exponents of `weight` [N, K] in them."""
    if isinstance(weight, Int8Tensor):
        return dense.product(x, weight, dtype)
    if isinstance(weight, Int4Tensor):
        return experts.product(x, weight, _all(x), dtype)
    return product_plain(x, weight, dtype)


def product_plain(x: Rows, weight: Matrix, dtype: torch.dtype) -> Tensor:
    """`product` in plain torch."""
    if isinstance(weight, Int8Tensor):
        return dense.product_plain(x, weight, dtype)
    if isinstance(weight, Int4Tensor):
        return experts.product_plain(x, weight, _first(x).flatten(), dtype)
    return F.linear(values(x)[:, : weight.shape[1]].to(weight.dtype), weight).to(dtype)


def gated(x: Rows, weight: Matrix, behind: Matrix, form: Form, dtype: torch.dtype) -> Rows:
    """gelu(gate x) · up x as rows [R, P] for the weight behind, its exponents in them.

    weight: [2I, K], gate first; form: what the weight behind reads.
    """
    exponents = _exponents(behind)
    if isinstance(weight, Int8Tensor):
        return dense.gated_product(x, weight, exponents, form, dtype)
    if isinstance(weight, Int4Tensor):
        return experts.gated_product(x, weight, _all(x), 1, exponents, form, dtype)
    return gated_plain(x, weight, behind, form, dtype)


def gated_plain(x: Rows, weight: Matrix, behind: Matrix, form: Form, dtype: torch.dtype) -> Rows:
    """`gated` in plain torch."""
    exponents = _exponents(behind)
    if isinstance(weight, Int8Tensor):
        return dense.gated_product_plain(x, weight, exponents, form, dtype)
    if isinstance(weight, Int4Tensor):
        return experts.gated_product_plain(x, weight, _first(x), exponents, form, dtype)
    gate, up = product_plain(x, weight, torch.float32).chunk(2, dim=-1)
    inner = F.gelu(gate, approximate="tanh") * up * powers_of_two(exponents)
    return plain_rows(inner, form, dtype)


def run_experts(
    x: Rows, weight: Matrix, behind: Matrix, chosen: Tensor, form: Form, dtype: torch.dtype
) -> Tensor:
    """What each token's experts make of it, [R k, D]; weight [E, 2I, K], behind [E, D, I].

    chosen: int32 [R, k]; form: what `behind` reads. Experts that are not quantised have no kernel.
    """
    if type(weight) is not type(behind) or isinstance(weight, Tensor):
        return run_experts_plain(x, weight, behind, chosen, form, dtype)
    pairs, count = chosen.numel(), weight.shape[0]
    made = routing.schedule(chosen, count, expert_rows(pairs, count))
    top_k = chosen.shape[1]
    if isinstance(weight, Int4Tensor) and isinstance(behind, Int4Tensor):
        inner = experts.gated_product(x, weight, made, top_k, behind.exponents, form, dtype)
        return experts.product(inner, behind, made, dtype)
    assert isinstance(weight, Int8Tensor)
    assert isinstance(behind, Int8Tensor)
    inner = experts8.gated_product(x, weight, made, top_k, behind.exponents, form, dtype)
    return experts8.product(inner, behind, made, dtype)


def run_experts_plain(
    x: Rows, weight: Matrix, behind: Matrix, chosen: Tensor, form: Form, dtype: torch.dtype
) -> Tensor:
    """`run_experts` in plain torch, expert by expert."""
    owners = chosen.flatten()
    rows = values(x).repeat_interleave(chosen.shape[1], dim=0)
    out = torch.empty((owners.shape[0], behind.shape[-2]), dtype=dtype, device=owners.device)
    for expert in owners.unique().tolist():
        own = owners == expert
        first, second = _expert(weight, expert), _expert(behind, expert)
        inner = gated_plain(plain_rows(rows[own], HALF, torch.float32), first, second, form, dtype)
        out[own] = product_plain(inner, second, dtype)
    return out


def _expert(weight: Matrix, index: int) -> Matrix:
    return weight[index] if isinstance(weight, Tensor) else weight.experts(index)


def _exponents(weight: Matrix) -> Tensor:
    if isinstance(weight, QuantisedTensor):
        return weight.exponents
    return torch.zeros(weight.shape[-1], dtype=torch.int8, device=weight.device)


def _all(x: Rows) -> routing.Schedule:
    """All rows for the only expert."""
    rows = pointers(x)[0].shape[0]
    return routing.whole(rows, expert_rows(rows, 1), device_of(x))


def _first(x: Rows) -> Tensor:
    """The only expert of each row, int64 [R, 1]."""
    return torch.zeros((pointers(x)[0].shape[0], 1), dtype=torch.int64, device=device_of(x))
