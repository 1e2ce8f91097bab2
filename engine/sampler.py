"""One denoising step on tensors: temperature, entropy bound, acceptance, renoising, stop rule.

Pure functions, and the sources of random numbers. Nothing here waits for the device. Source of the rules:
`generation_diffusion_gemma.py` in transformers; the bound is from arXiv 2505.24857.
Shape letters: B canvases, C positions, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.config import SamplingConfig
from engine.kernels.noise import gumbel_noise, random_ids_plain
from engine.kernels.vocabulary import VocabularyStatistics


def temperature(sampling: SamplingConfig, remaining: int, device: torch.device) -> Tensor:
    """t_min + (t_max - t_min) · remaining / max steps, a float32 scalar; t_max on the first step."""
    share = torch.tensor(remaining, dtype=torch.int32, device=device) / sampling.max_denoising_steps
    return sampling.t_min + (sampling.t_max - sampling.t_min) * share


def accept(entropy: Tensor, free: Tensor, bound: float | Tensor) -> Tensor:
    """Which positions keep their sampled token, bool [B, C].

    entropy: float32 [B, C] in nats; free: bool [B, C]. Takes the free positions with the lowest
    entropies h₁ ≤ h₂ ≤ ... as long as h₁ + ... + hₖ - hₖ <= bound, so always at least one.
    """
    # Pinned positions sort behind all others; inf - inf is NaN there, which no bound admits.
    ordered, order = entropy.masked_fill(~free, torch.inf).sort(dim=-1)
    within = ordered.cumsum(dim=-1) - ordered <= bound
    return torch.zeros_like(free).scatter(-1, order, within)


def confident(entropy: Tensor, free: Tensor, threshold: float | Tensor) -> Tensor:
    """Whether the mean entropy of the free positions is below the threshold, bool [B]."""
    total = entropy.masked_fill(~free, 0.0).sum(dim=-1)
    return total / free.sum(dim=-1).clamp(min=1) < threshold


@dataclass(frozen=True, kw_only=True)
class CanvasState:
    """What a batch of canvases holds between two steps."""

    ids: Tensor  # int64 [B, C], what the next step reads
    argmax: Tensor  # int64 [B, C]
    entropy: Tensor  # float32 [B, C]
    accepted: Tensor  # bool [B, C]
    sampled: Tensor  # int64 [B, C]
    stop: Tensor  # bool [B], canvases that have settled and keep what they have
    history: Tensor  # int64 [S, B, C], the last argmaxes, -1 before there were any
    soft: Tensor | None  # [B, C, D], unscaled expected embeddings; None before the first step
    watched: Tensor | None = None  # float32 [B, C, W]


def first_state(ids: Tensor, soft: Tensor | None, stability: int) -> CanvasState:
    """Before the first step on ids [B, C]; stability: how many steps must agree to stop."""
    nowhere = torch.zeros_like(ids, dtype=torch.bool)
    return CanvasState(
        ids=ids,
        argmax=ids,
        entropy=torch.zeros_like(ids, dtype=torch.float32),
        accepted=nowhere,
        sampled=ids,
        stop=nowhere[:, 0],
        history=torch.full((stability, *ids.shape), -1, dtype=ids.dtype, device=ids.device),
        soft=soft,
    )


def advance(
    state: CanvasState,
    seen: VocabularyStatistics,
    renoise: Tensor,
    pins: Tensor,
    *,
    entropy_bound: float | Tensor,
    confidence_threshold: float | Tensor,
) -> CanvasState:
    """The state after a step that has `seen` the vocabulary, whose fields are [B, C, ...].

    renoise: fresh ids [B, C]; pins: int64 [B, C], below zero where free.
    """
    free = pins < 0
    fresh_entropy = seen.entropy.masked_fill(~free, 0.0)
    accepted = accept(fresh_entropy, free, entropy_bound)
    sampled = torch.where(free, seen.sampled, pins)
    kept = torch.where(accepted, sampled, renoise)
    going = ~state.stop[:, None]
    argmax = torch.where(going, torch.where(free, seen.argmax, pins), state.argmax)
    entropy = torch.where(going, fresh_entropy, state.entropy)
    soft = seen.soft
    if state.soft is not None:
        soft = torch.where(going[..., None], soft, state.soft)
    stable = (state.history == argmax).all(dim=-1).all(dim=0)
    return CanvasState(
        ids=torch.where(going, torch.where(free, kept, pins), state.ids),
        argmax=argmax,
        entropy=entropy,
        accepted=accepted,
        sampled=sampled,
        stop=state.stop | (stable & confident(entropy, free, confidence_threshold)),
        history=torch.cat((state.history, argmax[None]))[1:],
        soft=soft,
        watched=seen.watched,
    )


class Noise(Protocol):
    """Where a run's random numbers come from."""

    @property
    def draws_whole_blocks(self) -> bool:
        """Whether `sample` must see all rows of a step at once."""

    def canvas(self, batch: int, length: int) -> Tensor:
        """Uniform random ids, int64 [B, C]."""

    def begin_step(self, wanted: Tensor) -> None:
        """Called once before the samples of a step, which are those of `wanted` (bool [B, C])."""

    def sample(self, chance: Tensor, rows: slice) -> Tensor:
        """One id per row of probabilities [r, V]; `rows` is their place in the step."""


class NativeNoise:
    """The engine's own streams: one uniform number a row, inverted through the distribution.

    Canvas b of a batch has the stream of seed + b, so it becomes what it would become alone.
    """

    draws_whole_blocks = False

    def __init__(self, seed: int, vocab_size: int, device: torch.device) -> None:
        self._seed = seed
        self._streams: list[torch.Generator] = []
        self._vocab_size = vocab_size
        self._device = device
        self._uniform = torch.empty(0, device=device)

    def canvas(self, batch: int, length: int) -> Tensor:
        rows = [
            torch.randint(self._vocab_size, (length,), generator=stream, device=self._device)
            for stream in self._first_streams(batch)
        ]
        return torch.stack(rows)

    def begin_step(self, wanted: Tensor) -> None:
        rows = [
            torch.rand(wanted.shape[1], generator=stream, device=self._device)
            for stream in self._first_streams(wanted.shape[0])
        ]
        self._uniform = torch.stack(rows)[wanted][:, None]

    def _first_streams(self, count: int) -> list[torch.Generator]:
        for index in range(len(self._streams), count):
            self._streams.append(torch.Generator(self._device).manual_seed(self._seed + index))
        return self._streams[:count]

    def sample(self, chance: Tensor, rows: slice) -> Tensor:
        cumulative = chance.cumsum(dim=-1)
        # The last sum stands in for 1, which rounding may miss; `right` skips ids of chance zero.
        target = self._uniform[rows] * cumulative[:, -1:]
        found = torch.searchsorted(cumulative, target, right=True).squeeze(-1)
        return found.clamp(max=chance.shape[-1] - 1)


class ReferenceNoise:
    """Draws in the order and by the functions of transformers' generate.

    On the CPU in float32 this gives the reference's tokens for the same seed.
    """

    draws_whole_blocks = True

    def __init__(self, seed: int, vocab_size: int, device: torch.device) -> None:
        self._generator = torch.Generator(device).manual_seed(seed)
        self._vocab_size = vocab_size
        self._device = device

    def canvas(self, batch: int, length: int) -> Tensor:
        return torch.randint(
            0, self._vocab_size, (batch, length), generator=self._generator, device=self._device
        )

    def begin_step(self, wanted: Tensor) -> None:
        pass

    def sample(self, chance: Tensor, rows: slice) -> Tensor:
        return torch.multinomial(chance, num_samples=1, generator=self._generator).squeeze(-1)


class CounterNoise:
    """The numbers that the fused step draws by itself, so that any step can have the same.

    Samples are the largest of log-probabilities with Gumbel noise. Each canvas of random ids begins
    the next turn.
    """

    draws_whole_blocks = False

    def __init__(self, seed: int, vocab_size: int, device: torch.device) -> None:
        self.seed = seed
        self.turn = 0
        self._vocab_size = vocab_size
        self._device = device
        self._places = self._number(0)

    def canvas(self, batch: int, length: int) -> Tensor:
        self.turn += 1
        places = torch.arange(batch * length, device=self._device)
        drawn = random_ids_plain(
            places, self._number(self.seed), self._number(self.turn), self._vocab_size
        )
        return drawn.view(batch, length)

    def begin_step(self, wanted: Tensor) -> None:
        self._places = wanted.flatten().nonzero().flatten()

    def sample(self, chance: Tensor, rows: slice) -> Tensor:
        tokens = torch.arange(chance.shape[1], device=self._device)
        seed, turn = self._number(self.seed), self._number(self.turn)
        noise = gumbel_noise(seed, turn, self._places[rows], tokens)
        return (chance.double().log() + noise).argmax(dim=-1)

    def _number(self, value: int) -> Tensor:
        return torch.tensor(value, device=self._device)


def make_noise(kind: str, seed: int, vocab_size: int, device: torch.device) -> Noise:
    """`kind` is "native", "counter" or "reference"."""
    kinds: dict[str, type[NativeNoise] | type[ReferenceNoise] | type[CounterNoise]] = {
        "native": NativeNoise,
        "counter": CounterNoise,
        "reference": ReferenceNoise,
    }
    if kind not in kinds:
        raise ValueError(f"noise is one of {', '.join(kinds)}, not {kind!r}")
    return kinds[kind](seed, vocab_size, device)
