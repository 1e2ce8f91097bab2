"""Everything that crosses a queue between the engine and its clients.

Frozen dataclasses of plain values, standard library only: no tensor, no callable, every object
pickles. A client sends requests and receives events; each request ends with exactly one `Finished`
or `Failed` (a job with one `JobDone` or `JobFailed`, a load with one `Ready` or `LoadFailed`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum


class Role(Enum):
    SYSTEM = "system"
    USER = "user"
    MODEL = "model"
    TOOL = "tool"


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


class EditKind(Enum):
    INFILL = "infill"
    REWRITE = "rewrite"
    PROOFREAD = "proofread"


class CheckKind(Enum):
    """What is looked at before a proposal is shown."""

    REPEATS_BEFORE = "repeats_before"  # it begins with what stands in front of it already
    REPEATS_AFTER = "repeats_after"  # it ends with what stands behind it already
    CUT_WORD = "cut_word"  # a word runs into the text at a border
    CUT_NUMBER = "cut_number"
    LOST = "lost"  # a number, address or quotation of the original is missing
    BRACKETS = "brackets"  # opened and not closed, or the other way round
    UNCHANGED = "unchanged"
    EMPTY = "empty"
    BROKEN = "broken"  # no valid text, or protected text is not in it


class JobKind(Enum):
    VERIFY = "verify"
    DOCTOR = "doctor"


class ErrorKind(Enum):
    MODEL_MISSING = "model_missing"
    MODEL_BROKEN = "model_broken"
    MODEL_UNSUPPORTED = "model_unsupported"
    PROMPT_EMPTY = "prompt_empty"
    PROMPT_TOO_LONG = "prompt_too_long"
    BAD_REQUEST = "bad_request"
    NO_RESULT = "no_result"  # an edit whose every candidate failed its checks; nothing is changed
    NOT_LOADED = "not_loaded"
    OUT_OF_MEMORY = "out_of_memory"
    ENGINE_LOST = "engine_lost"  # the GPU is gone for this process: only a new one has it again
    SLOWER = "slower"  # nothing failed: it takes longer than it could, and this is why
    DISK = "disk"  # full, or a file that cannot be written
    NETWORK = "network"  # no connection, or something answers that is not the hub
    ACCESS = "access"  # the model is for people who asked, or the token is not accepted
    CANCELLED = "cancelled"  # a load or a job that was cancelled; an answer ends as STOPPED instead
    SHUTDOWN = "shutdown"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True)
class EngineError:
    """A fault in words for the user: what happened, and what to do next."""

    kind: ErrorKind
    message: str  # one plain sentence
    remedy: str  # the next step
    detail: str = ""  # for the log, never shown by itself


class EngineFault(Exception):
    """Raised inside the engine where the reason is known; the service turns it into an event."""

    def __init__(self, kind: ErrorKind, message: str, remedy: str, detail: str = "") -> None:
        super().__init__(message)
        self.error = EngineError(kind=kind, message=message, remedy=remedy, detail=detail)


# --- what goes in ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a canvas is denoised. `None` means: as the checkpoint's generation_config says."""

    max_denoising_steps: int | None = None
    t_min: float | None = None
    t_max: float | None = None
    entropy_bound: float | None = None  # nats
    stability_threshold: int | None = None  # steps
    confidence_threshold: float | None = None  # nats, mean over the free positions
    stop_ids: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class TextPart:
    text: str


@dataclass(frozen=True, kw_only=True)
class ImagePart:
    data: bytes  # an encoded PNG, JPEG or WebP
    soft_tokens: int = 280


@dataclass(frozen=True, kw_only=True)
class ToolResultPart:
    """A call that the model made, and what came of it."""

    name: str
    result: str
    arguments: str = "{}"  # of the call, a JSON object


Part = TextPart | ImagePart | ToolResultPart


@dataclass(frozen=True, kw_only=True)
class Turn:
    role: Role
    parts: tuple[Part, ...]

    @staticmethod
    def of(role: Role, text: str) -> Turn:
        return Turn(role=role, parts=(TextPart(text=text),))


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A function the model may ask for. `parameters` is a JSON schema, as JSON text."""

    name: str
    description: str
    parameters: str


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    model: str  # a folder, or "demo"
    device: str = "auto"
    weights: str = "source"
    max_context: int | None = None  # tokens; None lets the engine choose
    load_anyway: bool = False  # although the memory plan says that it does not fit


@dataclass(frozen=True, kw_only=True)
class UnloadRequest:
    pass


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    turns: tuple[Turn, ...]
    sampling: Sampling = field(default_factory=Sampling)
    thinking: bool = False
    thought_budget: int | None = None  # tokens; then the thought is ended, at the end of a canvas
    thought_so_far: str = ""  # with `answer_so_far`: what the model wrote before, to go on behind
    answer_so_far: str = ""
    tools: tuple[Tool, ...] = ()
    seed: int | None = None  # None: the engine draws one and reports it in Usage
    max_new_tokens: int | None = None  # None: as much as the context holds


@dataclass(frozen=True, kw_only=True)
class Span:
    """A range of the document to write anew, in code points, `end` exclusive.

    An empty range is a place to insert at; at the end of the text it means: go on writing.
    """

    start: int
    end: int
    hint: str = ""  # what should stand here, in the user's words
    length_hint: int | None = None  # tokens, so many exactly; None: the engine finds out
    lengths: tuple[int, int] | None = None  # tokens, at least and at most, where it has to find out
    choices: tuple[str, ...] = ()  # if any: one of these, and nothing else
    schema: str = ""


@dataclass(frozen=True, kw_only=True)
class EditRequest:
    """Text to write anew inside of `spans`; whatever is outside of them stays as it is.

    Infilling takes any number of spans that do not overlap, rewriting and proofreading one. Answered
    by `Prefill`, `Draft`s, up to `alternatives` `Proposal`s with the best first, `Recording` and
    `Finished`; or by `Failed` where nothing passed its checks (`ErrorKind.NO_RESULT`).
    """

    text: str
    spans: tuple[Span, ...]
    kind: EditKind
    instruction: str = ""
    alternatives: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    protected: tuple[tuple[int, int], ...] = ()  # ranges inside of the spans: kept word for word


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """Slow file work, done beside the chat by the job worker."""

    kind: JobKind
    model: str = ""


GenerationRequest = ChatRequest | EditRequest
Request = LoadRequest | UnloadRequest | GenerationRequest | JobRequest


# --- what comes out -------------------------------------------------------------------------------


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
class JobProgress:
    request_id: int
    what: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class JobDone:
    request_id: int
    result: str  # JSON


@dataclass(frozen=True, kw_only=True)
class JobFailed:
    request_id: int
    error: EngineError


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
class Check:
    """Something a check found in a proposal, to be shown beside it."""

    kind: CheckKind
    span: int  # index into the request's spans
    text: str = ""  # the words in question
    repaired: bool = False  # it was so and is not any more


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One alternative for an edit: `texts[i]` replaces span i of the request.

    Proposals come best first; `candidate` is the one of its drafts.
    """

    request_id: int
    candidate: int
    texts: tuple[str, ...]
    score: float  # nats, higher is better; to be compared inside of one request only
    checks: tuple[Check, ...] = ()  # empty: nothing was found
    tokens: tuple[int, ...] = ()  # length of each text
    # Written from the instruction alone, because nothing written between the fixed ends was good.
    is_fallback: bool = False


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


EngineEvent = Loading | Ready | LoadFailed | Unloaded | JobProgress | JobDone | JobFailed
RequestEvent = Prefill | Draft | Committed | ToolCall | Proposal | Recording | Finished | Failed
Event = EngineEvent | RequestEvent
TERMINAL = (Finished, Failed, Ready, LoadFailed, Unloaded, JobDone, JobFailed)
