"""How far an answer is and how fast it comes, from its drafts and from its final figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.messages import Draft, FinishReason, TokenState, Usage


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Counts from 1. `canvas` is 0 while the question is still being read."""

    canvas: int = 0
    step: int = 0
    max_steps: int = 0
    tokens_per_second: float = 0.0
    read: int = 0  # tokens
    to_read: int = 0


class Meter:
    """Counts the tokens that have settled or are accepted, over the time since the first draft."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: float | None = None
        self._canvas = 0
        self._earlier = 0  # tokens of the canvases before this one
        self._in_canvas = 0  # tokens that the current canvas will keep

    def draft(self, draft: Draft) -> Progress:
        now = self._clock()
        if self._began is None:
            self._began = now
        if draft.canvas != self._canvas:
            self._earlier += self._in_canvas
            self._canvas = draft.canvas
        self._in_canvas = len(draft.pieces) - draft.states.count(TokenState.BEYOND_END)
        sure = draft.states.count(TokenState.ACCEPTED) + draft.states.count(TokenState.SETTLED)
        seconds = now - self._began
        return Progress(
            canvas=draft.canvas + 1,
            step=draft.step,
            max_steps=draft.max_steps,
            tokens_per_second=(self._earlier + sure) / seconds if seconds > 0 else 0.0,
        )


def progress_text(progress: Progress) -> str:
    """One line for the status line, while an answer is written."""
    if progress.canvas == 0:
        if progress.to_read > progress.read:
            return f"Reading your message · {progress.read:,} of {progress.to_read:,} tokens"
        return "Reading your message"
    line = f"Canvas {progress.canvas} · step {progress.step} of at most {progress.max_steps}"
    if progress.tokens_per_second >= 2:
        line += f" · {progress.tokens_per_second:,.0f} tokens/s"
    return line


def usage_text(usage: Usage) -> str:
    """One line below a finished answer; empty if the model never ran."""
    if usage.denoising_steps == 0:
        return ""
    steps = f"{usage.denoising_steps:,} {'step' if usage.denoising_steps == 1 else 'steps'}"
    line = f"{usage.new_tokens:,} tokens in {steps} · {usage.tokens_per_forward:.1f} tokens a step"
    if usage.total_seconds > 0 and usage.new_tokens:
        line += f" · {usage.new_tokens / usage.total_seconds:,.0f} tokens/s"
    return line


def reason_text(reason: FinishReason) -> str:
    """What to say about an ending that is not the model's own; empty where nothing needs saying."""
    return {
        FinishReason.STOPPED: "Stopped. What had settled is kept.",
        FinishReason.LENGTH: "Stopped at the length limit.",
        FinishReason.CANVAS_EXHAUSTED: "The model used all its steps before it was sure.",
        FinishReason.THOUGHT_EXHAUSTED: "The model spent its whole answer on thinking.",
        FinishReason.CONTEXT_FULL: "This conversation is full. Start a new chat to go on.",
        FinishReason.TOOL_CALL: "The model asked for a tool that Redraft does not have.",
    }.get(reason, "")
