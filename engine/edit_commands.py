"""`infill` and `rewrite` without a window: one edit through the pipeline, its outcome as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.editing.prove import fill
from engine.messages import (
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Finished,
    Proposal,
    Schema,
    Span,
    Strength,
)
from engine.pipeline import Pipeline

Outcome = dict[str, Any]

# A hole: [[...]], [[ ]], [[5]] for one of five tokens, [[number]] for a form, [[a hint]].
_HOLE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
_RANGE = re.compile(r"(\d+):(\d+)")
_SEAM = 16  # characters shown on each side of a border


def infill(
    pipeline: Pipeline,
    file: Path,
    *,
    instruction: str,
    tokens: int | None,
    alternatives: int,
    seed: int | None,
) -> Outcome:
    """Fills the holes of a text file; the best document and all proposals. Raises EngineFault."""
    text, spans = find_holes(read_text(file), tokens)
    return _outcome(
        pipeline,
        EditRequest(
            text=text,
            spans=spans,
            kind=EditKind.INFILL,
            instruction=instruction,
            alternatives=alternatives,
            seed=seed,
        ),
    )


def rewrite(
    pipeline: Pipeline,
    file: Path,
    *,
    where: str,
    instruction: str,
    strength: str,
    alternatives: int,
    seed: int | None,
) -> Outcome:
    """Writes a range of a text file anew; without an instruction only mistakes are corrected.

    where: `A:B` in code points of the decoded file, B exclusive; strength: a value of `Strength`.
    Raises EngineFault.
    """
    text = read_text(file)
    found = _RANGE.fullmatch(where)
    if found is None or not int(found[1]) < int(found[2]) <= len(text):
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            f"The range {where} is not a part of this text, which has {len(text):,} characters.",
            "Write it as A:B, with B behind A.",
        )
    return _outcome(
        pipeline,
        EditRequest(
            text=text,
            spans=(Span(start=int(found[1]), end=int(found[2])),),
            kind=EditKind.REWRITE if instruction else EditKind.PROOFREAD,
            instruction=instruction,
            strength=Strength(strength),
            alternatives=alternatives,
            seed=seed,
        ),
    )


def find_holes(marked: str, tokens: int | None) -> tuple[str, tuple[Span, ...]]:
    """The text without its hole marks, and an empty span where each was.

    tokens: the length of holes that do not say one; None leaves it to the engine.
    """
    text, spans, at = "", [], 0
    for hole in _HOLE.finditer(marked):
        text += marked[at : hole.start()]
        words = hole[1].strip()
        is_length = words.isascii() and words.isdecimal()
        spans.append(
            Span(
                start=len(text),
                end=len(text),
                hint="" if is_length else words.strip(".\u2026"),
                length_hint=int(words) if is_length else tokens,
                schema=Schema.named(words),
            )
        )
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


def _outcome(pipeline: Pipeline, request: EditRequest) -> Outcome:
    events = list(pipeline.run(1, request, lambda: False))
    finished = events[-1]
    assert isinstance(finished, Finished)
    proposals = [event for event in events if isinstance(event, Proposal)]
    text, spans = request.text, request.spans
    return {
        "document": fill(text, spans, proposals[0].texts) if proposals else text,
        "proposals": [_proposal(text, spans, each) for each in proposals],
        "reason": finished.reason.value,
        "seed": finished.usage.seed,
        "steps": finished.usage.denoising_steps,
        "seconds": round(finished.usage.total_seconds, 3),
    }


def _proposal(text: str, spans: Sequence[Span], proposal: Proposal) -> Outcome:
    return {
        "text": " ".join(proposal.texts),
        "texts": list(proposal.texts),
        "score": round(proposal.score, 4),
        "tokens": list(proposal.tokens),
        "seams": _seams(text, spans, proposal.texts),
        "checks": [
            {
                "kind": check.kind.value,
                "span": check.span,
                "text": check.text,
                "repaired": check.repaired,
            }
            for check in proposal.checks
        ],
        "candidate": proposal.candidate,
        "fallback": proposal.is_fallback,
    }


def _seams(text: str, spans: Sequence[Span], texts: Sequence[str]) -> list[list[str]]:
    """What meets at the two borders of each gap, as [left, right] pairs."""
    seams: list[list[str]] = []
    for span, new in zip(spans, texts, strict=True):
        left, right = text[: span.start][-_SEAM:], text[span.end :][:_SEAM]
        seams += [[left, new[:_SEAM]], [new[-_SEAM:], right]]
    return seams
