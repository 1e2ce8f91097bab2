"""What comes back while a model is loaded and while it writes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from engine.messages.errors import EngineError


class Channel(IntEnum):
    """Where a token belongs. The values are the bytes in `Draft.channels`."""

    THOUGHT = 0
    ANSWER = 1


class TokenState(IntEnum):
    """What one denoising step did with a token. The values are the bytes in `Draft.states`."""

    NOISE = 0  # not accepted, and its argmax changed in this step: still being searched
    PROVISIONAL = 1  # not accepted, but its argmax is the one of the step before
    ACCEPTED = 2  # inside the entropy bound of this step
    SETTLED = 3  # the canvas is finished
    PINNED = 4  # given text, never sampled
    BEYOND_END = 5  # behind the first stop token: will not be part of the answer


class FinishReason(Enum):
    END = "end"  # the model ended its turn
    LENGTH = "length"  # the token limit of the request
    STOPPED = "stopped"  # cancelled; what had settled is kept
    CANVAS_EXHAUSTED = "canvas_exhausted"  # as many canvases as one answer may have
    THOUGHT_EXHAUSTED = "thought_exhausted"  # thinking used up the token limit
    CONTEXT_FULL = "context_full"  # the next canvas does not fit into the context
    TOOL_CALL = "tool_call"  # the model waits for a tool result


@dataclass(frozen=True, kw_only=True)
class Loading:
    request_id: int
    what: str
    done: int  # bytes
    total: int


@dataclass(frozen=True, kw_only=True)
class Ready:
    request_id: int
    model: str  # its name for people
    device: str
    context: int  # tokens
    canvas_length: int
    memory_bytes: int


@dataclass(frozen=True, kw_only=True)
class LoadFailed:
    request_id: int
    error: EngineError


@dataclass(frozen=True, kw_only=True)
class Unloaded:
    request_id: int


@dataclass(frozen=True, kw_only=True)
class Prefill:
    request_id: int
    done: int  # tokens, prefix reuse included
    total: int


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The canvas after one denoising step. Replaces the last draft of its span and candidate.

    `pieces[i]` is the text of position i's argmax; the pieces joined are the canvas as text.
    `confidence`, `states` and `channels` hold one byte a piece. In an edit a draft is the span alone,
    from its first character to its last, whatever else is on the canvas.
    """

    request_id: int
    canvas: int  # counts from 0; in an edit every new try at the span is another canvas
    step: int  # counts from 1
    max_steps: int
    pieces: tuple[str, ...]
    confidence: bytes  # round(255 * exp(-entropy)), entropy in nats of the tempered distribution
    states: bytes  # TokenState
    channels: bytes  # Channel
    span: int = 0
    candidate: int = 0


@dataclass(frozen=True, kw_only=True)
class Committed:
    """Finished text. Appends to what was committed before on its channel; never dropped."""

    request_id: int
    canvas: int
    channel: Channel
    text: str


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    request_id: int
    name: str
    arguments: str  # JSON


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One denoising step for replay: indices into `Recording.pieces`, one entry a position."""

    canvas: int
    step: int
    indices: bytes  # little-endian uint32 each
    confidence: bytes
    states: bytes
    channels: bytes
    span: int = 0
    candidate: int = 0


@dataclass(frozen=True, kw_only=True)
class Recording:
    """All steps of a request, so that it can be watched again. Never dropped."""

    request_id: int
    pieces: tuple[str, ...]
    frames: tuple[Frame, ...]


@dataclass(frozen=True, kw_only=True)
class Usage:
    seed: int
    prompt_tokens: int
    reused_tokens: int  # of the prompt, taken from the prefix cache
    new_tokens: int
    canvases: int
    denoising_steps: int  # decoder passes
    prefill_seconds: float
    denoise_seconds: float
    total_seconds: float

    @property
    def tokens_per_forward(self) -> float:
        return self.new_tokens / self.denoising_steps if self.denoising_steps else 0.0


@dataclass(frozen=True, kw_only=True)
class Finished:
    request_id: int
    reason: FinishReason
    usage: Usage
    notice: EngineError | None = None  # to be told once, though nothing failed


@dataclass(frozen=True, kw_only=True)
class Failed:
    request_id: int
    error: EngineError
