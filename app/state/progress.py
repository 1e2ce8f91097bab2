"""How far an answer is and how fast it comes, from its drafts and from its final figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from app.words import number, plural, tr
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


def added(one: Usage, other: Usage) -> Usage:
    """The figures of an answer that was gone on with. The prompt is that of the last request."""
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in (
            "new_tokens",
            "canvases",
            "denoising_steps",
            "prefill_seconds",
            "denoise_seconds",
            "total_seconds",
        )
    }
    return replace(other, **sums)


def progress_text(progress: Progress) -> str:
    """One line for the status line, while an answer is written."""
    if progress.canvas == 0:
        if progress.to_read > progress.read:
            return tr(
                "Reading your message · {read} of {total} tokens",
                read=number(progress.read),
                total=number(progress.to_read),
            )
        return tr("Reading your message")
    line = tr(
        "Canvas {canvas} · step {step} of at most {most}",
        canvas=progress.canvas,
        step=progress.step,
        most=progress.max_steps,
    )
    if progress.tokens_per_second >= 2:
        line += " · " + tr("{speed} tokens/s", speed=number(progress.tokens_per_second))
    return line


def usage_text(usage: Usage) -> str:
    """One line below a finished answer; empty if the model never ran."""
    if usage.denoising_steps == 0:
        return ""
    parts = [
        plural("{count} token", "{count} tokens", usage.new_tokens),
        plural("{count} step", "{count} steps", usage.denoising_steps),
        tr("{number} tokens a step", number=number(usage.tokens_per_forward, 1)),
    ]
    if usage.total_seconds > 0 and usage.new_tokens:
        speed = usage.new_tokens / usage.total_seconds
        parts.append(tr("{speed} tokens/s", speed=number(speed)))
    return " · ".join(parts)


def usage_details(usage: Usage) -> str:
    """All figures of an answer, a line each, for who wants to know."""
    if usage.denoising_steps == 0:
        return ""
    tokens, length = usage.new_tokens, usage.denoise_seconds
    lines = [
        plural("{count} canvas", "{count} canvases", usage.canvases),
        tr("{number} tokens per forward pass", number=number(usage.tokens_per_forward, 2)),
    ]
    if length > 0 and usage.total_seconds > 0:
        lines += [
            tr("{number} denoising steps/s", number=number(usage.denoising_steps / length, 1)),
            tr("{number} tokens/s while denoising", number=number(tokens / length, 1)),
            tr("{number} tokens/s from end to end", number=number(tokens / usage.total_seconds, 1)),
        ]
    lines += [
        tr(
            "{prompt} tokens read, {reused} of them known from before",
            prompt=number(usage.prompt_tokens),
            reused=number(usage.reused_tokens),
        ),
        tr("Seed {seed}", seed=usage.seed),
    ]
    return "\n".join(lines)


def thought_text(words: int, seconds: float) -> str:
    """The line of a folded thought."""
    size = plural("{count} word", "{count} words", words)
    if seconds < 1:
        return tr("Thought · {size}", size=size)
    return tr("Thought for {seconds} s · {size}", seconds=round(seconds), size=size)


def reason_text(reason: FinishReason) -> str:
    """What to say about an ending that is not the model's own; empty where nothing needs saying."""
    match reason:
        case FinishReason.STOPPED:
            return tr("Stopped. What had settled is kept.")
        case FinishReason.LENGTH:
            return tr("Stopped at the length limit.")
        case FinishReason.CANVAS_EXHAUSTED:
            return tr("The answer has all the canvases it may have.")
        case FinishReason.THOUGHT_EXHAUSTED:
            return tr("Thinking took all the room. Continue to get an answer.")
        case FinishReason.CONTEXT_FULL:
            return tr("This chat is full. Start a new one to go on.")
        case FinishReason.TOOL_CALL:
            return tr("The model asked for a tool that Redraft does not have.")
        case FinishReason.END:
            return ""
        case _:
            assert_never(reason)
