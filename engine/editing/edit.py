"""An edit becomes events: the request checked, its kind served, the proposals proven, the end."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from engine.editing.gaps import fill_gaps
from engine.editing.infill import Filled
from engine.editing.job import Job, Part, Stopped
from engine.editing.partly import rewrite_partly
from engine.editing.proofread import proofread
from engine.editing.protect import check_protected, closed, opened
from engine.editing.prove import fill, prove_outside, prove_protected
from engine.editing.rewrite import rewrite
from engine.editing.switches import Switches
from engine.messages import (
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Finished,
    FinishReason,
    Proposal,
    RequestEvent,
    Strength,
)
from engine.recording import Recorder
from engine.run import IsCancelled, Loaded, Run, drawn

MOST_ALTERNATIVES = 8


def edit(
    loaded: Loaded,
    request_id: int,
    request: EditRequest,
    cancelled: IsCancelled,
    switches: Switches | None = None,
) -> Iterator[RequestEvent]:
    """The events of an edit, the last of them `Finished`. Raises EngineFault.

    That includes NO_RESULT where every candidate failed, behind the recording of all of them.
    """
    request = replace(request, alternatives=min(max(1, request.alternatives), MOST_ALTERNATIVES))
    check_protected(request.spans, request.protected)
    parts: Sequence[Part] = ()
    if request.kind is EditKind.INFILL:
        parts = opened(request.text, request.spans, request.protected)
    job = Job(
        loaded=loaded,
        request_id=request_id,
        request=replace(request, spans=tuple(part.span for part in parts) or request.spans),
        switches=switches or Switches.for_width(loaded.model.config.hidden_size),
        run=Run(seed=drawn(request.seed), prompt_tokens=0),
        recorder=Recorder(request_id, loaded.tokenizer, stop_ids=()),
        cancelled=cancelled,
        parts=parts,
    )
    found: list[Filled] = []
    reason = FinishReason.END
    try:
        found = yield from _serve(job)
    except Stopped:
        reason = FinishReason.STOPPED
    if parts:
        found = [closed(each, parts) for each in found]
    yield from _proven(request_id, request, found)
    yield job.recorder.recording()
    if reason is FinishReason.END and not found:
        raise _no_result()
    job.run.new_tokens = sum(found[0].tokens) if found else 0
    yield Finished(request_id=request_id, reason=reason, usage=job.run.usage())


def _rewrite(job: Job) -> Generator[RequestEvent, None, list[Filled]]:
    return (yield from rewrite(job, job.request.instruction))


_REWRITES = {
    Strength.LIGHT: proofread,
    Strength.MEDIUM: rewrite_partly,
    Strength.FULL: _rewrite,
}


def _serve(job: Job) -> Generator[RequestEvent, None, list[Filled]]:
    match job.request.kind:
        case EditKind.INFILL:
            return (yield from fill_gaps(job, job.request.text))
        case EditKind.REWRITE:
            return (yield from _REWRITES[job.request.strength](job))
        case EditKind.PROOFREAD:
            return (yield from proofread(job))


def _proven(request_id: int, request: EditRequest, found: Sequence[Filled]) -> list[Proposal]:
    """The proposals, each held against the document outside of its spans, and against what is
    protected inside of them. Raises EngineFault."""
    text, spans = request.text, request.spans
    proposals = []
    for each in found:
        prove_outside(text, spans, each.texts, fill(text, spans, each.texts))
        prove_protected(text, spans, each.texts, request.protected)
        proposals.append(
            Proposal(
                request_id=request_id,
                candidate=each.candidate,
                texts=each.texts,
                score=each.score,
                checks=each.checks,
                tokens=each.tokens,
                is_fallback=each.is_fallback,
            )
        )
    return proposals


def _no_result() -> EngineFault:
    return EngineFault(
        ErrorKind.NO_RESULT,
        "The model found nothing that fits here, so nothing was changed.",
        "Try again, say it in other words, or choose a smaller part.",
    )
