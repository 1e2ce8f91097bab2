"""An edit becomes events: the request checked, its kind served, the proposals proven, the end."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from engine.editing.gaps import fill_gaps
from engine.editing.infill import Filled
from engine.editing.job import Job, Stopped
from engine.editing.proofread import proofread
from engine.editing.prove import fill, prove_outside
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
    _check(request)
    job = Job(
        loaded=loaded,
        request_id=request_id,
        request=request,
        switches=switches or Switches.for_width(loaded.model.config.hidden_size),
        run=Run(seed=drawn(request.seed), prompt_tokens=0),
        recorder=Recorder(request_id, loaded.tokenizer, stop_ids=()),
        cancelled=cancelled,
    )
    found: list[Filled] = []
    reason = FinishReason.END
    try:
        found = yield from _serve(job)
    except Stopped:
        reason = FinishReason.STOPPED
    yield from _proven(job, found)
    yield job.recorder.recording()
    if reason is FinishReason.END and not found:
        raise _no_result()
    job.run.new_tokens = sum(found[0].tokens) if found else 0
    yield Finished(request_id=request_id, reason=reason, usage=job.run.usage())


def _serve(job: Job) -> Generator[RequestEvent, None, list[Filled]]:
    match job.request.kind:
        case EditKind.INFILL:
            return (yield from fill_gaps(job, job.request.text))
        case EditKind.REWRITE:
            return (yield from rewrite(job, job.request.instruction))
        case EditKind.PROOFREAD:
            return (yield from proofread(job))


def _proven(job: Job, found: Sequence[Filled]) -> list[Proposal]:
    """The proposals, each held against the document outside of its spans. Raises EngineFault."""
    text, spans = job.request.text, job.request.spans
    proposals = []
    for each in found:
        prove_outside(text, spans, each.texts, fill(text, spans, each.texts))
        proposals.append(
            Proposal(
                request_id=job.request_id,
                candidate=each.candidate,
                texts=each.texts,
                score=each.score,
                checks=each.checks,
                tokens=each.tokens,
                is_fallback=each.is_fallback,
            )
        )
    return proposals


def _check(request: EditRequest) -> None:
    ranges = [(span.start, span.end) for span in request.spans]
    for start, end in request.protected:
        if not any(first <= start < end <= last for first, last in ranges):
            raise EngineFault(
                ErrorKind.BAD_REQUEST,
                "A protected range lies outside of what is edited.",
                "Select the text again.",
            )


def _no_result() -> EngineFault:
    return EngineFault(
        ErrorKind.NO_RESULT,
        "The model found nothing that fits here, so nothing was changed.",
        "Try again, say it in other words, or choose a smaller part.",
    )
