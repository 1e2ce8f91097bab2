"""The demo model's network for training: the text part of `DiffusionGemmaForBlockDiffusion`.

Numerically the class of transformers 5.23 (`tests/demo_model/test_network.py` compares logits), laid
out for speed on a CPU: prompts and canvases are padded batches, experts run on tokens sorted by
expert, and the vocabulary projection is computed only where a loss is asked for. Parameter names
are those of the Hugging Face layout below `model.decoder.`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Sizes of the network; field names are those of the checkpoint's `text_config`."""

    vocab_size: int
    layer_types: tuple[str, ...]
    hidden_size: int = 128
    intermediate_size: int = 128
    moe_intermediate_size: int = 64
    num_experts: int = 8
    top_k_experts: int = 2
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    num_global_key_value_heads: int = 1
    head_dim: int = 32
    global_head_dim: int = 64
    sliding_window: int = 256
    sliding_theta: float = 10_000.0
    full_theta: float = 1_000_000.0
    partial_rotary_factor: float = 0.25
    final_logit_softcapping: float = 30.0
    rms_norm_eps: float = 1e-6

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class RMSNorm(torch.autograd.Function):
    """x / rms(x) * weight over the last dimension, with a backward pass in few passes over memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        scale = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = (scale.square_().div_(x.shape[-1]).add_(eps)).rsqrt_()
        normed = x * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        normed, scale, weight = ctx.saved_tensors
        product = grad * normed
        weight_grad = product.flatten(0, -2).sum(dim=0)
        mean = (product @ weight).unsqueeze(-1).div_(-normed.shape[-1])
        return (grad * weight).addcmul_(normed, mean).mul_(scale), weight_grad, None


class Norm(nn.Module):
    def __init__(self, size: int, eps: float, start: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), start))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return RMSNorm.apply(x, self.weight, self.eps)


def unweighted_norm(x: Tensor, eps: float) -> Tensor:
    return RMSNorm.apply(x, x.new_ones(x.shape[-1]), eps)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding, split-half pairs. x [B, T, H, d]; cos, sin [B, T, 1, d]."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    """Grouped-query attention with normalised q, k and v and scale 1; on full layers v is raw k."""

    def __init__(self, config: NetworkConfig, full: bool) -> None:
        super().__init__()
        self.full = full
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_global_key_value_heads if full else config.num_key_value_heads
        self.head_dim = config.global_head_dim if full else config.head_dim
        self.eps = config.rms_norm_eps
        hidden, dim = config.hidden_size, self.head_dim
        self.q_proj = nn.Linear(hidden, self.heads * dim, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * dim, bias=False)
        self.v_proj = None if full else nn.Linear(hidden, self.kv_heads * dim, bias=False)
        self.o_proj = nn.Linear(self.heads * dim, hidden, bias=False)
        # The scale is 1, so norm weights of one would start as near one-hot attention.
        self.q_norm = Norm(dim, self.eps, dim**-0.25)
        self.k_norm = Norm(dim, self.eps, dim**-0.25)

    def project(self, x: Tensor, rope: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, T, hidden] -> q [B, H, T, d], k and v [B, KV, T, d]."""
        weights = [self.q_proj.weight, self.k_proj.weight]
        if self.v_proj is not None:
            weights.append(self.v_proj.weight)
        out = F.linear(x, torch.cat(weights)).unflatten(-1, (-1, self.head_dim))
        q, k, *rest = out.split([self.heads] + [self.kv_heads] * (len(weights) - 1), dim=2)
        v = unweighted_norm(rest[0] if rest else k, self.eps)
        q, k = rotate(self.q_norm(q), *rope), rotate(self.k_norm(k), *rope)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """mask: additive float [B, 1, Tq, Tk] (sizes of one broadcast) -> [B, Tq, hidden]."""
        batch, _, length, dim = q.shape
        group = self.heads // self.kv_heads
        # Queries that share a key head become one longer query: no copy of keys and values.
        q = q.reshape(batch, self.kv_heads, group * length, dim)
        scores = (q @ k.transpose(2, 3)).unflatten(2, (group, length)) + mask.unsqueeze(2)
        out = scores.softmax(dim=-1).flatten(2, 3) @ v
        out = out.reshape(batch, self.heads, length, dim).transpose(1, 2)
        return self.o_proj(out.reshape(batch, length, -1))


def gated(x: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    """The gated feed-forward block. gate_up [2 * inner, hidden], down [hidden, inner]."""
    gate, up = F.linear(x, gate_up).chunk(2, dim=-1)
    return F.linear(F.gelu(gate, approximate="tanh") * up, down)


class FeedForward(nn.Module):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate_up = torch.cat((self.gate_proj.weight, self.up_proj.weight))
        return gated(x, gate_up, self.down_proj.weight)


class Router(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.top_k, self.eps = config.top_k_experts, config.rms_norm_eps
        self.proj = nn.Linear(config.hidden_size, config.num_experts, bias=False)
        self.scale = nn.Parameter(torch.ones(config.hidden_size))
        self.per_expert_scale = nn.Parameter(torch.ones(config.num_experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x [T, hidden] -> weights [T, k], experts [T, k], the balance loss (a scalar)."""
        weight = self.proj.weight * (self.scale * x.shape[-1] ** -0.5)
        probabilities = F.linear(unweighted_norm(x, self.eps), weight).softmax(dim=-1)
        weights, experts = probabilities.topk(self.top_k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True) * self.per_expert_scale[experts]
        count = probabilities.shape[-1]
        share = torch.bincount(experts.flatten(), minlength=count) / experts.numel()
        return weights, experts, count * (share * probabilities.mean(dim=0)).sum()


class Experts(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        shape = (config.num_experts, 2 * config.moe_intermediate_size, config.hidden_size)
        self.gate_up_proj = nn.Parameter(torch.empty(shape))
        self.down_proj = nn.Parameter(torch.empty(shape[0], shape[2], shape[1] // 2))

    def forward(self, x: Tensor, weights: Tensor, experts: Tensor) -> Tensor:
        """x [T, hidden], weights and experts [T, k] -> [T, hidden].

        Token-expert pairs are sorted by expert, so that each expert is one dense product.
        """
        count, top_k = experts.shape
        order = experts.flatten().argsort(stable=True)
        sizes = torch.bincount(experts.flatten(), minlength=len(self.gate_up_proj)).tolist()
        parts = x.index_select(0, order // top_k).split(sizes)
        out = torch.cat(
            [gated(part, self.gate_up_proj[i], self.down_proj[i]) for i, part in enumerate(parts)]
        )
        back = torch.empty_like(order).scatter_(0, order, torch.arange(len(order), device=x.device))
        out = out.index_select(0, back).view(count, top_k, -1)
        return (out * weights.unsqueeze(-1)).sum(dim=1)


class Layer(nn.Module):
    def __init__(self, config: NetworkConfig, full: bool) -> None:
        super().__init__()
        hidden, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = Attention(config, full)
        self.mlp = FeedForward(hidden, config.intermediate_size)
        self.router = Router(config)
        self.experts = Experts(config)
        self.input_layernorm = Norm(hidden, eps)
        self.post_attention_layernorm = Norm(hidden, eps)
        self.pre_feedforward_layernorm = Norm(hidden, eps)
        self.post_feedforward_layernorm = Norm(hidden, eps)
        self.post_feedforward_layernorm_1 = Norm(hidden, eps)
        self.post_feedforward_layernorm_2 = Norm(hidden, eps)
        self.pre_feedforward_layernorm_2 = Norm(hidden, eps)
        self.register_buffer("layer_scalar", torch.ones(1))

    def mix(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The feed-forward half: dense block plus experts. Returns the new x and the balance loss."""
        dense = self.post_feedforward_layernorm_1(self.mlp(self.pre_feedforward_layernorm(x)))
        flat = x.flatten(0, -2)
        weights, experts, balance = self.router(flat)
        sparse = self.experts(self.pre_feedforward_layernorm_2(flat), weights, experts)
        sparse = self.post_feedforward_layernorm_2(sparse).view_as(x)
        return (x + self.post_feedforward_layernorm(dense + sparse)) * self.layer_scalar, balance


class SelfConditioning(FeedForward):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config.hidden_size, config.intermediate_size)
        self.pre_norm = Norm(config.hidden_size, config.rms_norm_eps)
        self.eps = config.rms_norm_eps

    def forward(self, x: Tensor, signal: Tensor | None = None) -> Tensor:
        """x [B, C, hidden]; signal [B, C, hidden] soft embeddings, None on the first step."""
        if signal is not None:
            x = x + super().forward(self.pre_norm(signal))
        return unweighted_norm(x, self.eps)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Keys and values of the prompts, one pair [B, KV, T, d] a layer, and what the encoder saw."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    lengths: Tensor  # int64 [B], prompts are padded on the right
    hidden: Tensor  # [B, T, hidden] (or [N, hidden] where only some were wanted), normed
    balance: Tensor  # scalar


class Network(nn.Module):
    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [Layer(config, kind == "full_attention") for kind in config.layer_types]
        )
        self.norm = Norm(config.hidden_size, config.rms_norm_eps)
        self.self_conditioning = SelfConditioning(config)
        self.embed_scale = config.hidden_size**0.5

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Random weights, but for two habits that take thousands of steps to form by chance.

        The heads of the first layer look at the neighbours of a place: the embeddings share a
        direction, the only thing that is the same for all tokens, and there the rotary embedding
        turns it into a distance. The heads of the other layers copy: what they write is what they
        see, in its own direction, so that it counts as a vote for the same token.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                std = weight.shape[-1] ** -0.5
                if name.startswith("embed_tokens"):
                    std = 0.05
                weight.copy_(torch.randn(weight.shape, generator=generator) * std)
        shared = torch.randn(self.config.hidden_size, generator=generator) * 0.05
        self.embed_tokens.weight.add_(shared)
        first, *others = (layer.self_attn for layer in self.layers)
        self._look_at_neighbours(first, shared / shared.norm())
        for attention in others:
            value = attention.k_proj if attention.v_proj is None else attention.v_proj
            group = attention.heads // attention.kv_heads
            heads = value.weight.unflatten(0, (attention.kv_heads, attention.head_dim))
            attention.o_proj.weight.copy_(heads.repeat_interleave(group, dim=0).flatten(0, 1).T)

    def _look_at_neighbours(self, attention: Attention, shared: Tensor) -> None:
        """Heads that see one place to the left, one to the right, two to the left, two to the right.

        Three pairs of the rotary embedding turn fast enough to tell neighbours apart.
        """
        dim, pairs = attention.head_dim, 3
        key = torch.zeros(1, 1, 1, dim)
        key[..., :pairs] = 1.0
        places = torch.tensor([[-1, 1, -2, 2]])
        cos, sin = self.rope(places[:, : attention.heads], attention.full)
        queries = rotate(key.expand(1, attention.heads, 1, dim), cos, sin).flatten()
        keys = key.expand(1, attention.kv_heads, 1, dim).flatten()
        strength = shared.numel() ** 0.5
        for weight, wanted in ((attention.q_proj.weight, queries), (attention.k_proj.weight, keys)):
            weight.mul_(0.3).add_(strength * wanted[:, None] * shared[None])

    def rope(self, positions: Tensor, full: bool) -> tuple[Tensor, Tensor]:
        """positions int64 [B, T] -> cos, sin [B, T, 1, d]."""
        config = self.config
        dim = config.global_head_dim if full else config.head_dim
        theta = config.full_theta if full else config.sliding_theta
        frequencies = theta ** (-torch.arange(0, dim, 2, device=positions.device) / dim)
        if full:  # "proportional": the pairs behind the rotating share do not turn at all
            frequencies[int(config.partial_rotary_factor * dim // 2) :] = 0
        angles = positions[..., None].float() * frequencies
        angles = torch.cat((angles, angles), dim=-1).unsqueeze(2)
        return angles.cos(), angles.sin()

    def last(self, index: int, x: Tensor, wanted: Tensor | None) -> Tensor:
        """Before the feed-forward half of the last layer: only the wanted positions go on."""
        return x[wanted] if wanted is not None and index == len(self.layers) - 1 else x

    def encode(self, ids: Tensor, lengths: Tensor, wanted: Tensor | None = None) -> Encoded:
        """The causal pass. ids int64 [B, T], padded on the right; lengths int64 [B].

        With `wanted` (bool [B, T]) the hidden states are [N, hidden], of those positions alone.
        """
        span = torch.arange(ids.shape[1], device=ids.device)
        ahead = span[None, :] > span[:, None]
        beyond = span[:, None] - span[None, :] >= self.config.sliding_window
        masks = (additive(ahead | beyond)[None, None], additive(ahead)[None, None])
        ropes = [self.rope(span[None], full) for full in (False, True)]
        x = F.embedding(ids, self.embed_tokens.weight) * self.embed_scale
        keys, values, balance = [], [], x.new_zeros(())
        for index, layer in enumerate(self.layers):
            full = layer.self_attn.full
            q, k, v = layer.self_attn.project(layer.input_layernorm(x), ropes[full])
            attended = layer.self_attn.attend(q, k, v, masks[full])
            x = self.last(index, x + layer.post_attention_layernorm(attended), wanted)
            x, extra = layer.mix(x)
            balance = balance + extra
            keys.append(k)
            values.append(v)
        return Encoded(
            keys=tuple(keys),
            values=tuple(values),
            lengths=lengths,
            hidden=self.norm(x),
            balance=balance,
        )

    def decode(
        self,
        canvas: Tensor,
        prompt: Encoded,
        soft: Tensor | None = None,
        wanted: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The bidirectional pass over a canvas and its prompt.

        canvas int64 [B, C]; soft [B, C, hidden] soft embeddings of the step before (all-zero rows
        mean none) or None. Returns normed hidden states [B, C, hidden], or [N, hidden] of the
        positions in `wanted` (bool [B, C]), and the balance loss.
        """
        batch, length = canvas.shape
        lengths = prompt.lengths.expand(batch)
        span = torch.arange(length, device=canvas.device)
        positions = lengths[:, None] + span[None]
        ropes = [self.rope(positions, full) for full in (False, True)]
        past = torch.arange(prompt.keys[0].shape[2], device=canvas.device)[None]
        ended = past >= lengths[:, None]
        beyond = past < lengths[:, None] - (self.config.sliding_window - 1)
        own = canvas.new_zeros((batch, length), dtype=torch.bool)
        masks = [
            additive(torch.cat((gone, own), dim=1))[:, None, None]
            for gone in (ended | beyond, ended)
        ]
        x = F.embedding(canvas, self.embed_tokens.weight) * self.embed_scale
        x = self.self_conditioning(x, soft)
        balance = x.new_zeros(())
        past_states = zip(prompt.keys, prompt.values, strict=True)
        for index, (layer, (past_k, past_v)) in enumerate(
            zip(self.layers, past_states, strict=True)
        ):
            full = layer.self_attn.full
            q, k, v = layer.self_attn.project(layer.input_layernorm(x), ropes[full])
            k = torch.cat((past_k.expand(batch, -1, -1, -1), k), dim=2)
            v = torch.cat((past_v.expand(batch, -1, -1, -1), v), dim=2)
            attended = layer.self_attn.attend(q, k, v, masks[full])
            x = self.last(index, x + layer.post_attention_layernorm(attended), wanted)
            x, extra = layer.mix(x)
            balance = balance + extra
        return self.norm(x), balance

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden [.., hidden] -> softcapped logits float32 [.., V]."""
        cap = self.config.final_logit_softcapping
        return (F.linear(hidden, self.embed_tokens.weight) / cap).tanh() * cap

    def soften(self, logits: Tensor) -> Tensor:
        """Tempered logits [.., V] -> the soft embeddings of the next step's input [.., hidden]."""
        return logits.softmax(dim=-1) @ self.embed_tokens.weight * self.embed_scale


def additive(gone: Tensor) -> Tensor:
    """bool, True where nothing may be seen -> float mask to add to attention scores."""
    return torch.zeros_like(gone, dtype=torch.float32).masked_fill_(gone, -math.inf)
