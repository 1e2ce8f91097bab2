"""`chat` and `infill` without a window: one request through the pipeline, its outcome as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.editing.prove import fill
from engine.messages import (
    Channel,
    ChatRequest,
    Committed,
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Finished,
    LoadRequest,
    Proposal,
    RequestEvent,
    Role,
    Span,
    ToolCall,
    Turn,
)
from engine.pipeline import Pipeline, load_pipeline

Outcome = dict[str, Any]

# A hole: [[...]], [[ ]], or [[5]] for one of five tokens.
_HOLE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_SEAM = 16  # characters shown on each side of a border


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


def infill(
    pipeline: Pipeline,
    file: Path,
    *,
    instruction: str,
    tokens: int,
    alternatives: int,
    seed: int | None,
) -> Outcome:
    """Fills the holes of a text file; the best document and all proposals. Raises EngineFault."""
    text, spans = find_holes(read_text(file), tokens)
    request = EditRequest(
        text=text,
        spans=spans,
        kind=EditKind.INFILL,
        instruction=instruction,
        alternatives=alternatives,
        seed=seed,
    )
    finished, events = _outcome(pipeline.run(1, request, lambda: False))
    proposals = [event for event in events if isinstance(event, Proposal)]
    return {
        "document": fill(text, spans, proposals[0].texts) if proposals else text,
        "proposals": [
            {
                "text": " ".join(proposal.texts),
                "texts": list(proposal.texts),
                "score": round(proposal.score, 4),
                "seams": _seams(text, spans, proposal.texts),
            }
            for proposal in proposals
        ],
        "reason": finished.reason.value,
        "steps": finished.usage.denoising_steps,
        "seconds": round(finished.usage.total_seconds, 3),
    }


def find_holes(marked: str, tokens: int) -> tuple[str, tuple[Span, ...]]:
    """The text without its hole marks, and an empty span of `tokens` tokens where each was."""
    text, spans, at = "", [], 0
    for hole in _HOLE.finditer(marked):
        text += marked[at : hole.start()]
        words = hole[1].strip()
        length = int(words) if words.isdecimal() else tokens
        hint = "" if words.isdecimal() else words.strip(".…")
        spans.append(Span(start=len(text), end=len(text), hint=hint, length_hint=length))
        at = hole.end()
    return text + marked[at:], tuple(spans)


def read_text(file: Path) -> str:
    """A text file in UTF-8. Raises EngineFault."""
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as fault:
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            f"The file {file.name} cannot be read.",
            "Check its name and its permissions.",
            str(fault),
        ) from fault
    except UnicodeDecodeError as fault:
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            f"The file {file.name} is not UTF-8 text.",
            "Save it as UTF-8 and try again.",
            str(fault),
        ) from fault


def _outcome(events: Iterable[RequestEvent]) -> tuple[Finished, list[RequestEvent]]:
    """All events of a request, and its last one. Raises EngineFault."""
    received = list(events)
    last = received[-1]
    assert isinstance(last, Finished)
    return last, received


def _seams(text: str, spans: tuple[Span, ...], texts: tuple[str, ...]) -> list[list[str]]:
    """What meets at the two borders of each gap, as [left, right] pairs."""
    seams: list[list[str]] = []
    for span, new in zip(spans, texts, strict=True):
        left, right = text[: span.start][-_SEAM:], text[span.end :][:_SEAM]
        seams += [[left, new[:_SEAM]], [new[-_SEAM:], right]]
    return seams
