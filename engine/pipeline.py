"""A request becomes events, for chat and for edits.

A chat: turns -> prompt ids -> encoder pass over what the cache does not hold yet -> per canvas a
`Draft` for every denoising step, then `Committed` text -> `Recording`, `Finished`. An edit does the
same with a canvas whose outside is pinned. Between two steps the request may be cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

from engine.answer import answer
from engine.config import ModelConfig
from engine.device import device_memory
from engine.editing.edit import edit
from engine.graph import Graphs, cuda_capture
from engine.kernels.cache_folder import usual_folder
from engine.kernels.selection import notice
from engine.load import DEMO, Cancelled, Report, fuse, load_model, model_folder
from engine.memory import Wish, plan_wish, refuse_unfit
from engine.messages import (
    ChatRequest,
    EditRequest,
    EngineError,
    EngineFault,
    ErrorKind,
    Finished,
    GenerationRequest,
    LoadRequest,
    Ready,
    RequestEvent,
)
from engine.model.network import Model
from engine.quant.scheme import Scheme
from engine.run import IsCancelled, Loaded
from engine.survival import guarded, with_less
from engine.text.template import ChatTemplate
from engine.text.tokenizer import Tokenizer

DEFAULT_CONTEXT = {"cpu": 8192, "cuda": 16384}
# Below this hidden size one CPU thread must do. On a quiet PC a second one saves a quarter (0.95 s
# a canvas instead of 1.27 s on the demo model), but on a busy one the threads wait for each other
# at every small product: steps then take up to eight times as long.
NARROW = 512

Memory = Callable[[str], tuple[int, int]]  # of a device, bytes that are free, and in all


def load_pipeline(
    request: LoadRequest,
    report: Report,
    cancelled: IsCancelled,
    noise: str = "native",
    memory: Memory = device_memory,
    kernels: Path | None = None,
) -> Pipeline:
    """The model a LoadRequest asks for; `noise` as in `engine.generate.steps`.

    Raises EngineFault, before a weight is read where the memory plan does not fit into what is free.
    kernels: a folder for what is remembered of them, and compiled.
    """
    folder = model_folder(request.model)
    tokenizer, template = Tokenizer.load(folder), ChatTemplate.load(folder)
    model, needed = _load_fitting(request, folder, report, cancelled, memory)
    model, selection = fuse(model, kernels or usual_folder().parent / "redraft", request.cache_bits)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise EngineFault(
            ErrorKind.MODEL_UNSUPPORTED,
            "The tokenizer of this model belongs to another model.",
            "Download the model again.",
        )
    if model.device.type == "cpu" and model.config.hidden_size < NARROW:
        torch.set_num_threads(1)
    context = _context(request, model.config, model.device.type)
    return Pipeline(
        Loaded(
            model=model,
            tokenizer=tokenizer,
            template=template,
            cache=model.new_cache(context, request.cache_bits),
            context=context,
            noise=noise,
            needed_bytes=needed,
            graphs=Graphs(cuda_capture() if model.fused is not None else None),
        ),
        name="Demo model" if request.model == DEMO else Path(folder).name,
        notice=None if selection is None else notice(selection),
    )


def _load_fitting(
    request: LoadRequest, folder: Path, report: Report, cancelled: IsCancelled, memory: Memory
) -> tuple[Model, int]:
    """The model, and the bytes that one of its requests takes for a moment. Raises EngineFault."""
    device, needed = request.device, 0
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"

    def check(config: ModelConfig, scheme: Scheme) -> None:
        nonlocal needed
        wish = Wish(
            config=config,
            scheme=scheme,
            context=_context(request, config, device),
            device=device,
            cache_bits=request.cache_bits,
        )
        needed = plan_wish(wish).momentary
        if not request.load_anyway:
            free, total = memory(device)
            refuse_unfit(wish, free=free, total=total)

    def report_or_stop(what: str, done: int, total: int) -> None:
        if cancelled():
            raise Cancelled
        report(what, done, total)

    try:
        model = load_model(
            folder,
            device=device,
            dtype="float32" if device == "cpu" else "bfloat16",
            weights=request.weights,
            report=report_or_stop,
            check=check,
        )
    except Cancelled:
        raise EngineFault(
            ErrorKind.CANCELLED, "Loading was cancelled.", "Load the model again when you need it."
        ) from None
    return model, needed


def _context(request: LoadRequest, config: ModelConfig, device: str) -> int:
    """Tokens the cache gets room for."""
    return min(request.max_context or DEFAULT_CONTEXT[device], config.max_positions)


class Pipeline:
    """A loaded model that answers requests, one at a time."""

    def __init__(self, loaded: Loaded, name: str, notice: EngineError | None = None) -> None:
        """notice: what the first answer tells the user at its end."""
        self._loaded: Loaded | None = loaded
        self._name = name
        self._notice = notice

    @property
    def loaded(self) -> Loaded:
        assert self._loaded is not None, "the pipeline is closed"
        return self._loaded

    def ready(self, request_id: int) -> Ready:
        """What this model is, as the answer to a LoadRequest."""
        model = self.loaded.model
        return Ready(
            request_id=request_id,
            model=self._name,
            device=str(model.device),
            context=self.loaded.context,
            canvas_length=model.config.canvas_length,
            memory_bytes=model.bytes_used + self.loaded.cache.bytes_used,
        )

    def run(
        self, request_id: int, request: GenerationRequest, cancelled: IsCancelled
    ) -> Iterator[RequestEvent]:
        """The events of one request, the last of them `Finished`. Raises EngineFault."""

        def events() -> Iterator[RequestEvent]:
            match request:
                case ChatRequest():
                    return answer(self.loaded, request_id, request, cancelled)
                case EditRequest():
                    return with_less(
                        self.loaded, lambda loaded: edit(loaded, request_id, request, cancelled)
                    )

        for event in guarded(self.loaded, events):
            if isinstance(event, Finished) and event.notice is None and self._notice is not None:
                event, self._notice = replace(event, notice=self._notice), None
            yield event

    def close(self) -> None:
        """Gives the memory back."""
        self._loaded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
