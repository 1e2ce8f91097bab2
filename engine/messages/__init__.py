"""Everything that crosses a queue between the engine and its clients.

Frozen dataclasses of plain values, standard library only: no tensor, no callable, every object
pickles. A client sends requests and receives events; each request ends with exactly one `Finished`
or `Failed` (a job with one `JobDone` or `JobFailed`, a load with one `Ready` or `LoadFailed`).
"""

from __future__ import annotations

from engine.messages.edits import (
    Check,
    CheckKind,
    EditKind,
    EditRequest,
    Proposal,
    Schema,
    Span,
    Strength,
)
from engine.messages.errors import (
    EngineError,
    EngineFault,
    ErrorKind,
)
from engine.messages.events import (
    Channel,
    Committed,
    Draft,
    Failed,
    Finished,
    FinishReason,
    Frame,
    LoadFailed,
    Loading,
    Prefill,
    Ready,
    Recording,
    TokenState,
    ToolCall,
    Unloaded,
    Usage,
)
from engine.messages.hardware import (
    Finding,
    FindingState,
    Gpu,
    Hardware,
    MemoryHolder,
)
from engine.messages.jobs import (
    JobDone,
    JobFailed,
    JobKind,
    JobOptions,
    JobProgress,
    JobRequest,
    JobResult,
)
from engine.messages.models import (
    Checked,
    Compared,
    Deleted,
    Downloaded,
    HashOrigin,
    Library,
    ModelEntry,
    ModelFormat,
    ModelState,
    Moved,
    Place,
    PreparedModel,
)
from engine.messages.requests import (
    ChatRequest,
    ImagePart,
    LoadRequest,
    Part,
    Role,
    Sampling,
    TextPart,
    Tool,
    ToolResultPart,
    Turn,
    UnloadRequest,
)

GenerationRequest = ChatRequest | EditRequest
Request = LoadRequest | UnloadRequest | GenerationRequest | JobRequest

EngineEvent = Loading | Ready | LoadFailed | Unloaded | JobProgress | JobDone | JobFailed
RequestEvent = Prefill | Draft | Committed | ToolCall | Proposal | Recording | Finished | Failed
Event = EngineEvent | RequestEvent
TERMINAL = (Finished, Failed, Ready, LoadFailed, Unloaded, JobDone, JobFailed)

__all__ = [
    "TERMINAL",
    "Channel",
    "ChatRequest",
    "Check",
    "CheckKind",
    "Checked",
    "Committed",
    "Compared",
    "Deleted",
    "Downloaded",
    "Draft",
    "EditKind",
    "EditRequest",
    "EngineError",
    "EngineEvent",
    "EngineFault",
    "ErrorKind",
    "Event",
    "Failed",
    "Finding",
    "FindingState",
    "FinishReason",
    "Finished",
    "Frame",
    "GenerationRequest",
    "Gpu",
    "Hardware",
    "HashOrigin",
    "ImagePart",
    "JobDone",
    "JobFailed",
    "JobKind",
    "JobOptions",
    "JobProgress",
    "JobRequest",
    "JobResult",
    "Library",
    "LoadFailed",
    "LoadRequest",
    "Loading",
    "MemoryHolder",
    "ModelEntry",
    "ModelFormat",
    "ModelState",
    "Moved",
    "Part",
    "Place",
    "Prefill",
    "PreparedModel",
    "Proposal",
    "Ready",
    "Recording",
    "Request",
    "RequestEvent",
    "Role",
    "Sampling",
    "Schema",
    "Span",
    "Strength",
    "TextPart",
    "TokenState",
    "Tool",
    "ToolCall",
    "ToolResultPart",
    "Turn",
    "UnloadRequest",
    "Unloaded",
    "Usage",
]
