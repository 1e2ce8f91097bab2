"""Scripted edits: what the engine says while it edits, without a model."""

from __future__ import annotations

from collections.abc import Sequence

from engine.messages import (
    EditRequest,
    EngineError,
    ErrorKind,
    Failed,
    Finished,
    FinishReason,
    Frame,
    Prefill,
    Proposal,
    Recording,
    TokenState,
)
from tests.fakes import Gate, Script, draft, pieces_of, usage


def editing(*alternatives: Sequence[str] | str, steps: int = 3, gate: Gate | None = None) -> Script:
    """Proposes these alternatives, each a text or one text a span; first it denoises them.

    With a gate it stands still after its first step, until the gate opens or it is cancelled.
    """
    texts = [(each,) if isinstance(each, str) else tuple(each) for each in alternatives]

    def script(request_id, request, cancelled):
        assert isinstance(request, EditRequest)
        yield Prefill(request_id=request_id, done=3, total=3)
        frames = []
        for step in range(1, steps + 1):
            for candidate, spans in enumerate(texts):
                for span, text in enumerate(spans):
                    yield of_step(request_id, text, step, steps, span, candidate)
                    frames.append(frame(text, step, span, candidate))
            if step == 1 and gate is not None:
                gate.reached.set()
                while not gate.opened.wait(0.001) and not cancelled():
                    pass
            if cancelled():
                yield Recording(request_id=request_id, pieces=(), frames=())
                yield Finished(request_id=request_id, reason=FinishReason.STOPPED, usage=usage())
                return
        for candidate, spans in enumerate(texts):
            yield Proposal(
                request_id=request_id, candidate=candidate, texts=spans, score=-float(candidate)
            )
        yield Recording(request_id=request_id, pieces=("one",), frames=tuple(frames))
        yield Finished(request_id=request_id, reason=FinishReason.END, usage=usage())

    return script


def of_step(request_id, text, step, steps, span, candidate):
    pieces = pieces_of(text)
    sure = len(pieces) * step // steps
    states = tuple(
        TokenState.ACCEPTED if i < sure else TokenState.PROVISIONAL if i == sure else
        TokenState.NOISE for i in range(len(pieces))
    )  # fmt: skip
    return draft(request_id, pieces, states, step=step, span=span, candidate=candidate)


def frame(text, step, span, candidate):
    count = len(pieces_of(text))
    return Frame(
        canvas=0,
        step=step,
        indices=bytes(4 * count),
        confidence=bytes([128] * count),
        states=bytes([TokenState.PROVISIONAL] * count),
        channels=bytes([1] * count),
        span=span,
        candidate=candidate,
    )


def refusing(message: str, remedy: str, kind: ErrorKind = ErrorKind.NO_RESULT) -> Script:
    def script(request_id, request, cancelled):
        error = EngineError(kind=kind, message=message, remedy=remedy)
        yield Failed(request_id=request_id, error=error)

    return script
