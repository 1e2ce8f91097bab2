"""`chat` without a window: one request through the pipeline, its outcome as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.messages import (
    Channel,
    ChatRequest,
    Committed,
    Finished,
    LoadRequest,
    RequestEvent,
    Role,
    ToolCall,
    Turn,
)
from engine.pipeline import Pipeline, load_pipeline

Outcome = dict[str, Any]


def open_pipeline(model: str, *, device: str, noise: str) -> Pipeline:
    """A loaded model. Raises EngineFault."""
    request = LoadRequest(model=model, device=device)
    return load_pipeline(request, lambda what, done, total: None, lambda: False, noise=noise)


def chat(
    pipeline: Pipeline,
    prompt: str,
    *,
    system: str,
    thinking: bool,
    seed: int | None,
    max_new_tokens: int | None,
) -> Outcome:
    """One answer. Raises EngineFault."""
    turns = (Turn.of(Role.SYSTEM, system),) if system else ()
    request = ChatRequest(
        turns=(*turns, Turn.of(Role.USER, prompt)),
        thinking=thinking,
        seed=seed,
        max_new_tokens=max_new_tokens,
    )
    texts = {Channel.THOUGHT: "", Channel.ANSWER: ""}
    calls: list[Outcome] = []
    finished, events = _outcome(pipeline.run(1, request, lambda: False))
    for event in events:
        if isinstance(event, Committed):
            texts[event.channel] += event.text
        elif isinstance(event, ToolCall):
            calls.append({"name": event.name, "arguments": event.arguments})
    usage = finished.usage
    return {
        "text": texts[Channel.ANSWER],
        "thought": texts[Channel.THOUGHT],
        "tool_calls": calls,
        "reason": finished.reason.value,
        "seed": usage.seed,
        "steps": usage.denoising_steps,
        "canvases": usage.canvases,
        "tokens": usage.new_tokens,
        "tokens_per_forward": round(usage.tokens_per_forward, 3),
        "seconds": round(usage.total_seconds, 3),
    }


def _outcome(events: Iterable[RequestEvent]) -> tuple[Finished, list[RequestEvent]]:
    """All events of a request, and its last one. Raises EngineFault."""
    received = list(events)
    last = received[-1]
    assert isinstance(last, Finished)
    return last, received
