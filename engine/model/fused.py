"""The layers by fused operations: both passes over quantised weights, as `layer` and `attention` have them,
also as one.

Rows are quantised where they are normed, and every norm takes the exponents of the weight behind it.
The decoder reads nothing but tensors of fixed places, lengths included, so that it can be a CUDA graph.
Shape letters: B canvases, C positions, R rows (B · C, or T of a prompt), D hidden size, d head size,
P inputs filled up to blocks of 64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.config import LayerConfig, ModelConfig
from engine.kernels.activations import Form, Rows
from engine.kernels.attention import attention_buffers
from engine.kernels.heads import Heads
from engine.kernels.norms import FinishWeights, Reader, factor_for
from engine.kernels.operations import Operations, form_for
from engine.model.attention import attend, attend_causal, rotation
from engine.model.cache import KVCache
from engine.model.weights import LayerWeights, ModelWeights
from engine.quant.tensors import Int8Tensor, Matrix

Turn = tuple[Tensor, Tensor]  # cosine and sine of T positions, [T, d] each


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Where canvases stand behind a prefix; all on the device."""

    turns: dict[LayerConfig, Turn]
    spans: dict[bool, Tensor]  # is_sliding -> int32 [2], as `KVCache.span`

    def move(self, config: ModelConfig, cache: KVCache, ahead: int = 0) -> None:
        """To `ahead` tokens behind the end of what the cache holds, without new memory."""
        for is_sliding, span in _spans(config, cache, torch.device("cpu"), ahead).items():
            self.spans[is_sliding].copy_(span)
        for kind, (cos, sin) in self.turns.items():
            new_cos, new_sin = _turn(kind, cache.length + ahead, cos)
            cos.copy_(new_cos)
            sin.copy_(new_sin)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """A layer's weights with what reads the rows in front of them."""

    weights: LayerWeights
    input: Reader
    o: Reader
    dense: Reader
    sparse: Reader
    router: Tensor  # float32 [D], the factor of the router's input


class FusedLayers:
    """All layers of a network; bits: of the activations, 8 or 16."""

    def __init__(
        self, config: ModelConfig, weights: ModelWeights, operations: Operations, bits: int = 8
    ) -> None:
        self.operations = operations
        self._config = config
        self._bits = bits
        self._layers = tuple(self._prepare(layer) for layer in weights.layers)
        self._last = Reader(factor=weights.norm.float())
        self.head = self._last  # what reads the rows for the vocabulary
        if bits == 8 and isinstance(weights.embedding, Int8Tensor):
            factor = factor_for(weights.embedding, weights.norm)
            self.head = Reader(factor=factor, form=Form(whole=True))

    def place(self, length: int, like: Tensor) -> Place:
        """Memory for canvases of C positions; like: any tensor of the network's device and dtype."""
        kinds = set(self._config.layers)
        return Place(
            turns={
                kind: (like.new_zeros(length, kind.head_dim), like.new_zeros(length, kind.head_dim))
                for kind in kinds
            },
            spans={
                sliding: torch.zeros(2, dtype=torch.int32, device=like.device)
                for sliding in (False, True)
            },
        )

    def decode(
        self, x: Tensor, place: Place, cache: KVCache, last: Reader | None = None,
        unread: Tensor | None = None,
    ) -> Rows:  # fmt: skip
        """What the decoder's layers make of conditioned embeddings x [B, C, D], normed, [R, P].

        last: what reads the rows; without one they are those of the last norm. unread: embeddings
        [T, D] of tokens between the cache and a single canvas; `place` is T ahead. They are encoded
        in the same pass, as by `encode`, so that weights are read once for both.
        """
        flat, turns, spans, ahead = x.flatten(0, 1), place.turns, place.spans, 0
        if unread is not None:
            flat, ahead = torch.cat((unread, flat)), unread.shape[0]
            turns, spans = self._turns(cache.length, flat), _spans(self._config, cache, x.device)
        rows = self.operations.norm(flat, self._layers[0].input, self._config.rms_norm_eps)
        for index, layer in enumerate(self._layers):
            weights, before = layer.weights, None
            heads = self._project(layer, rows, turns[weights.config])
            if ahead:  # first, as the canvas sees what this writes
                before = self._look_back(index, heads.rows(0, ahead), cache, spans, stores=True)
            own, scalar = heads.rows(ahead, len(flat)), weights.decoder_scalar
            attended = self._look_around(index, own, len(x), place, cache, ahead)
            if before is not None:
                scalar = torch.cat((weights.encoder_scalar.expand(ahead), scalar.expand(len(own))))
                attended = torch.cat((before, attended))
            flat, rows = self._behind(index, flat[-len(attended) :], attended, scalar, last)
        return rows

    def hidden(self, x: Tensor, cache: KVCache) -> Tensor:
        """`decode` behind the cache as it is, as final hidden states [B, C, D]."""
        place = self.place(x.shape[1], x)
        place.move(self._config, cache)
        return self._plain(self.decode(x, place, cache), x)

    def encode(self, x: Tensor, cache: KVCache, *, stores: bool) -> Tensor | None:
        """One causal pass of embeddings x [1, T, D] behind the cache, as `Model.prefill` has it.

        With `stores` it ends with the keys and values of the last layer, else with the final
        hidden states.
        """
        flat = x[0]
        turns, spans = self._turns(cache.length, flat), _spans(self._config, cache, x.device)
        rows = self.operations.norm(flat, self._layers[0].input, self._config.rms_norm_eps)
        for index, layer in enumerate(self._layers):
            heads = self._project(layer, rows, turns[layer.weights.config])
            attended = self._look_back(index, heads, cache, spans, stores=stores)
            if attended is None:
                return None
            flat, rows = self._behind(index, flat, attended, layer.weights.encoder_scalar, None)
        return self._plain(rows, x)

    def mlp(self, x: Tensor, gate_up: Matrix, down: Matrix, norm: Tensor) -> Tensor:
        """down(gelu(gate y) · up y) of the normed rows y of x [..., D]."""
        reader = self._reader(gate_up, norm)
        rows = self.operations.norm(x.view(-1, x.shape[-1]), reader, self._config.rms_norm_eps)
        inner = self.operations.gated(rows, gate_up, down, form_for(down, self._bits), x.dtype)
        return self.operations.product(inner, down, x.dtype).view_as(x)

    def _plain(self, rows: Rows, x: Tensor) -> Tensor:
        assert isinstance(rows, Tensor)
        return rows[:, : x.shape[-1]].reshape(x.shape)

    def _turns(self, start: int, like: Tensor) -> dict[LayerConfig, Turn]:
        """Of each kind of layer, as `_turn`."""
        like = like.new_empty(len(like), 0)
        return {kind: _turn(kind, start, like) for kind in set(self._config.layers)}

    def _look_back(
        self, index: int, heads: Heads, cache: KVCache, spans: dict[bool, Tensor], *, stores: bool
    ) -> Tensor | None:
        """Mixed values [T, H d] of tokens behind the cache, each seeing backwards.

        With `stores` their keys and values are left there, and on the last layer that is all.
        """
        kind = self._config.layers[index]
        span = spans[kind.is_sliding]
        window = self._config.sliding_window if kind.is_sliding else None
        if stores and index + 1 == len(self._layers):
            self._store(index, heads, cache, span)
            return None
        if self.operations.attend_causal is None:
            own = heads.keys.transpose(0, 1), heads.values.transpose(0, 1)
            return attend_causal(heads.queries, *cache.extend(index, *own), window)
        if stores:
            self._store(index, heads, cache, span)
        return self.operations.attend_causal(
            heads.queries, heads.keys, heads.values, cache.whole(index), span, window
        ).flatten(1)

    def _store(self, index: int, heads: Heads, cache: KVCache, span: Tensor) -> None:
        """Leaves keys and values behind the cache, which ends at span[1]."""
        if self.operations.store is None:
            cache.write(index, heads.keys.transpose(0, 1), heads.values.transpose(0, 1))
        else:
            self.operations.store(cache.whole(index), heads.keys, heads.values, span[1])

    def _look_around(
        self, index: int, heads: Heads, batch: int, place: Place, cache: KVCache, ahead: int
    ) -> Tensor:
        """Mixed values [B C, H d] of canvases `ahead` tokens behind the cache."""
        kind = self._config.layers[index]
        queries, keys, values = (
            each.unflatten(0, (batch, -1)) for each in (heads.queries, heads.keys, heads.values)
        )
        if self.operations.attend is None:
            own = zip(queries, keys.transpose(1, 2), values.transpose(1, 2), strict=True)
            return torch.cat([attend(q, *cache.extend(index, k, v, ahead)) for q, k, v in own])
        mixed = torch.empty_like(queries)
        self.operations.attend(
            queries, keys, values, cache.whole(index), place.spans[kind.is_sliding],
            attention_buffers(queries, kind.num_kv_heads), mixed,
        )  # fmt: skip
        return mixed.flatten(0, 1).flatten(1)

    def _project(self, layer: _Layer, rows: Rows, turn: Turn) -> Heads:
        weights, kind = layer.weights, layer.weights.config
        joined = self.operations.product(rows, weights.qkv, weights.q_norm.dtype)
        return self.operations.heads(
            joined, weights.q_norm, weights.k_norm, *turn, kind.num_kv_heads,
            self._config.rms_norm_eps, values_are_keys=not kind.is_sliding,
        )  # fmt: skip

    def _behind(
        self, index: int, x: Tensor, attended: Tensor, scalar: Tensor, last: Reader | None
    ) -> tuple[Tensor, Rows]:
        """The layer's output [R, D] from its input x and mixed values [R, H d], and its rows."""
        layer, do, eps = self._layers[index], self.operations, self._config.rms_norm_eps
        weights, dtype = layer.weights, x.dtype
        attended = do.product(do.quantise(attended, layer.o), weights.o, dtype)
        between = do.add_norm(
            x, attended, weights.post_attention_norm, eps, layer.dense, layer.sparse, layer.router
        )
        scores = F.linear(between.router[:, : x.shape[1]], weights.router)
        chosen, share = do.route(scores, weights.per_expert_scale, self._config.top_k_experts)
        pairs = do.experts(
            between.sparse, weights.experts_gate_up, weights.experts_down, chosen,
            form_for(weights.experts_down, self._bits), dtype,
        )  # fmt: skip
        inner = do.gated(
            between.dense, weights.gate_up, weights.down, form_for(weights.down, self._bits), dtype
        )
        dense = do.product(inner, weights.down, dtype)
        norms = FinishWeights(
            dense=weights.post_feedforward_norm_1, sparse=weights.post_feedforward_norm_2,
            both=weights.post_feedforward_norm, scalar=scalar,
        )  # fmt: skip
        is_last = index + 1 == len(self._layers)
        following = (last or self._last) if is_last else self._layers[index + 1].input
        return do.finish(between.residual, dense, pairs, share, norms, eps, following)

    def _prepare(self, weights: LayerWeights) -> _Layer:
        return _Layer(
            weights=weights,
            input=self._reader(weights.qkv, weights.input_norm),
            o=self._reader(weights.o, None),
            dense=self._reader(weights.gate_up, weights.pre_feedforward_norm),
            sparse=self._reader(weights.experts_gate_up, weights.pre_feedforward_norm_2),
            router=weights.router_scale.float() * self._config.hidden_size**-0.5,
        )

    def _reader(self, weight: Matrix, norm: Tensor | None) -> Reader:
        return Reader(factor=factor_for(weight, norm), form=form_for(weight, self._bits))


def _spans(
    config: ModelConfig, cache: KVCache, device: torch.device, ahead: int = 0
) -> dict[bool, Tensor]:
    """By is_sliding, int32 [2] as `KVCache.span`."""
    one_of_each = {layer.is_sliding: index for index, layer in enumerate(config.layers)}
    return {
        is_sliding: torch.tensor(cache.span(index, ahead), dtype=torch.int32, device=device)
        for is_sliding, index in one_of_each.items()
    }


def _turn(kind: LayerConfig, start: int, like: Tensor) -> Turn:
    """Of as many positions as `like` has rows, from `start` on."""
    positions = torch.arange(start, start + like.shape[0], device=like.device)
    made = rotation(kind, positions, like.dtype)
    return made.cos[:, 0].contiguous(), made.sin[:, 0].contiguous()
