"""Scripted stand-ins for the model: the same events as the real one, without torch and at will."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from engine.messages import (
    Channel,
    Committed,
    Draft,
    Event,
    Finished,
    FinishReason,
    GenerationRequest,
    JobRequest,
    Library,
    LoadRequest,
    Prefill,
    Ready,
    Recording,
    RequestEvent,
    TextPart,
    TokenState,
    Usage,
)

PATIENCE = 20.0  # seconds after which a test gives up; never waited for in a run that passes

Cancelled = Callable[[], bool]
Script = Callable[[int, GenerationRequest, Cancelled], Iterator[RequestEvent]]


def usage(*, new_tokens: int = 4, steps: int = 2) -> Usage:
    return Usage(
        seed=7,
        prompt_tokens=3,
        reused_tokens=0,
        new_tokens=new_tokens,
        canvases=1,
        denoising_steps=steps,
        prefill_seconds=0.01,
        denoise_seconds=0.02,
        total_seconds=0.04,
    )


def draft(
    request_id: int,
    pieces: tuple[str, ...],
    states: tuple[TokenState, ...] | None = None,
    *,
    canvas: int = 0,
    step: int = 1,
    max_steps: int = 48,
    confidence: int = 128,
    channel: Channel = Channel.ANSWER,
    span: int = 0,
    candidate: int = 0,
) -> Draft:
    return Draft(
        request_id=request_id,
        canvas=canvas,
        step=step,
        max_steps=max_steps,
        pieces=pieces,
        confidence=bytes([confidence] * len(pieces)),
        states=bytes(states or [TokenState.PROVISIONAL] * len(pieces)),
        channels=bytes([channel] * len(pieces)),
        span=span,
        candidate=candidate,
    )


def prompt_of(request: GenerationRequest) -> str:
    """The last user text of a chat, or the text of an edit."""
    turns = getattr(request, "turns", None)
    if turns is None:
        return request.text
    return "".join(part.text for part in turns[-1].parts if isinstance(part, TextPart))


def pieces_of(text: str) -> tuple[str, ...]:
    """Pieces as a tokenizer gives them: each word with the space before it."""
    words = text.split(" ")
    return tuple(word if i == 0 else " " + word for i, word in enumerate(words))


def answering(text: str, *, steps: int = 3) -> Script:
    """Denoises `text` in `steps` steps, from the left; stops between steps when cancelled."""

    def script(
        request_id: int, request: GenerationRequest, cancelled: Cancelled
    ) -> Iterator[RequestEvent]:
        pieces = pieces_of(text)
        settled = 0
        yield Prefill(request_id=request_id, done=3, total=3)
        for step in range(1, steps + 1):
            if cancelled():
                yield from ending(request_id, "".join(pieces[:settled]), FinishReason.STOPPED)
                return
            settled = len(pieces) * step // steps
            states = tuple(
                TokenState.ACCEPTED if i < settled else TokenState.NOISE for i in range(len(pieces))
            )
            yield draft(request_id, pieces, states, step=step)
        yield from ending(request_id, text, FinishReason.END)

    return script


def ending(request_id: int, text: str, reason: FinishReason) -> Iterator[RequestEvent]:
    """What every answer ends with: the text, the recording, the last event."""
    if text:
        yield Committed(request_id=request_id, canvas=0, channel=Channel.ANSWER, text=text)
    yield Recording(request_id=request_id, pieces=(), frames=())
    yield Finished(
        request_id=request_id, reason=reason, usage=usage(new_tokens=len(pieces_of(text)))
    )


@dataclass
class Gate:
    """A place inside a script where it stands still until the test lets it go on."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def pass_through(self) -> None:
        self.reached.set()
        assert self.opened.wait(PATIENCE), "the test never opened the gate"

    def until_cancelled(self, cancelled: Cancelled) -> None:
        """Stands at the gate until the request is cancelled."""
        self.reached.set()
        for _ in range(int(PATIENCE * 1000)):
            if cancelled():
                return
            self.opened.wait(0.001)
        raise AssertionError("the request was never cancelled")

    def wait_reached(self) -> None:
        assert self.reached.wait(PATIENCE), "the script never came to the gate"


@dataclass
class FakePipeline:
    """A loaded model that plays `script` for every request and remembers the prompts it saw."""

    script: Script
    seen: list[str] = field(default_factory=list)
    requests: list[GenerationRequest] = field(default_factory=list)
    closed: bool = False

    def ready(self, request_id: int) -> Ready:
        return Ready(
            request_id=request_id,
            model="Test model",
            device="cpu",
            context=2048,
            canvas_length=128,
            memory_bytes=1 << 20,
        )

    def run(
        self, request_id: int, request: GenerationRequest, cancelled: Cancelled
    ) -> Iterator[RequestEvent]:
        self.seen.append(prompt_of(request))
        self.requests.append(request)
        return self.script(request_id, request, cancelled)

    def close(self) -> None:
        self.closed = True

    def load(
        self, request: LoadRequest, report: Callable[[str, int, int], None], cancelled: Cancelled
    ) -> FakePipeline:
        """The `load` of a service whose only model is this one."""
        report("Reading the model", 1, 2)
        report("Reading the model", 2, 2)
        return self


def no_jobs(
    request: JobRequest, report: Callable[[str, int, int], None], cancelled: Cancelled
) -> Library:
    return Library(models=(), home=request.home, free=0)


def of_type(events: list[Event], kind: type) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]
