"""One request on its way: the loaded model it uses, what it has done so far, reading its prompt."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from engine.graph import Graphs, runs_fused
from engine.messages import (
    EngineFault,
    ErrorKind,
    FinishReason,
    Prefill,
    Role,
    TextPart,
    Turn,
    Usage,
)
from engine.model.cache import KVCache
from engine.model.network import Model
from engine.spill import SpillWatch
from engine.text.template import ChatTemplate
from engine.text.tokenizer import Tokenizer

MAX_CANVASES = 32  # of one answer; the user can ask to continue

IsCancelled = Callable[[], bool]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model with its text side and the cache of the last conversation."""

    model: Model
    tokenizer: Tokenizer
    template: ChatTemplate
    cache: KVCache
    context: int  # tokens
    noise: str  # as in `engine.generate.steps`
    needed_bytes: int = 0  # what a request takes for a moment, as planned
    watch: SpillWatch = field(default_factory=SpillWatch)
    graphs: Graphs = field(default_factory=Graphs)  # the fused steps of the cache


@dataclass(kw_only=True)
class Run:
    """What one request has done so far; becomes its `Usage`."""

    seed: int
    prompt_tokens: int
    reused_tokens: int = 0
    new_tokens: int = 0
    canvases: int = 0
    denoising_steps: int = 0
    prefill_seconds: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    def usage(self) -> Usage:
        total = time.perf_counter() - self.began
        return Usage(
            seed=self.seed,
            prompt_tokens=self.prompt_tokens,
            reused_tokens=self.reused_tokens,
            new_tokens=self.new_tokens,
            canvases=self.canvases,
            denoising_steps=self.denoising_steps,
            prefill_seconds=self.prefill_seconds,
            denoise_seconds=total - self.prefill_seconds,
            total_seconds=total,
        )


def drawn(seed: int | None) -> int:
    """The seed that was asked for, or a new one."""
    return secrets.randbits(32) if seed is None else seed


def room(loaded: Loaded, prompt: int, wanted: int | None) -> tuple[int, FinishReason]:
    """How many canvases may follow `prompt` tokens, and why not more. Raises EngineFault for none.

    `wanted` is in tokens; None asks for as much as there is room for.
    """
    length = loaded.model.config.canvas_length
    canvases = (loaded.context - prompt) // length
    if canvases < 1:
        raise EngineFault(
            ErrorKind.PROMPT_TOO_LONG,
            f"This conversation takes {prompt:,} tokens; with room for an answer "
            f"{loaded.context - length:,} fit.",
            "Shorten the message, or start a new chat.",
        )
    asked = MAX_CANVASES if wanted is None else -(-wanted // length)
    limit = FinishReason.CANVAS_EXHAUSTED if wanted is None else FinishReason.LENGTH
    return (asked, limit) if asked <= canvases else (canvases, FinishReason.CONTEXT_FULL)


def refuse_hopeless(loaded: Loaded, turns: Sequence[Turn]) -> None:
    """Raises EngineFault for turns that cannot fit, at once: not a character of them is read.

    What the model said is left out, because thoughts are taken from it; so are the spaces around a
    text, because templates trim them.
    """
    said = sum(
        len(part.text.strip())
        for turn in turns
        if turn.role is not Role.MODEL
        for part in turn.parts
        if isinstance(part, TextPart)
    )
    fits = loaded.context - loaded.model.config.canvas_length
    if said > fits and (fewest := loaded.tokenizer.fewest(said)) > fits:
        raise EngineFault(
            ErrorKind.PROMPT_TOO_LONG,
            f"This conversation takes at least {fewest:,} tokens; with room for an answer "
            f"{fits:,} fit.",
            "Shorten the message, or start a new chat.",
        )


def turn_ends(prompt: Sequence[int], turn_end: int) -> list[int]:
    """How long the prompt is with each of its turns: an answer is made again behind the last one,
    a question asked in other words behind the one before."""
    return [at for at, token in enumerate(prompt, 1) if token == turn_end]


def prefill(
    loaded: Loaded, request_id: int, prompt: Sequence[int], run: Run, cancelled: IsCancelled
) -> Iterator[Prefill]:
    """Encodes what the cache does not hold yet, in chunks that can be cancelled.

    A rest of up to a canvas is left to the first step where steps are fused: one pass reads both.
    """
    began = time.perf_counter()
    cache = loaded.cache
    run.reused_tokens = cache.keep_prefix(list(prompt))
    for end in turn_ends(prompt, loaded.tokenizer.special.turn_end):
        cache.mark(end)
    yield Prefill(request_id=request_id, done=cache.length, total=len(prompt))
    rest = loaded.model.config.canvas_length if runs_fused(loaded.model) else 0
    while cache.length + rest < len(prompt) and not cancelled():
        at = cache.length
        loaded.model.prefill(torch.tensor(prompt[at : at + loaded.model.portions.chunk]), cache)
        yield Prefill(request_id=request_id, done=cache.length, total=len(prompt))
    run.prefill_seconds += time.perf_counter() - began
