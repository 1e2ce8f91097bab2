"""What a client asks the engine for: to load a model, to answer a chat."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Role(Enum):
    SYSTEM = "system"
    USER = "user"
    MODEL = "model"
    TOOL = "tool"


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
    cache_bits: int = 16  # of keys and values; with 8 a context takes half the memory
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
