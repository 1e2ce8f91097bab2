"""A request becomes events, for chat and for edits.

A chat: turns -> prompt ids -> encoder pass over what the cache does not hold yet -> per canvas a
`Draft` for every denoising step, then `Committed` text -> `Recording`, `Finished`. An edit does the
same with a canvas whose outside is pinned. Between two steps the request may be cancelled.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from engine.denoise import StepResult
from engine.editing.infill import InfillCanvas, build_canvas, gap_texts, infill_turns
from engine.generate import steps
from engine.load import DEMO, Cancelled, load_model, model_folder
from engine.messages import (
    Channel,
    ChatRequest,
    Committed,
    EditKind,
    EditRequest,
    EngineFault,
    ErrorKind,
    Finished,
    FinishReason,
    GenerationRequest,
    ImagePart,
    LoadRequest,
    Prefill,
    Proposal,
    Ready,
    RequestEvent,
    ToolCall,
    Usage,
)
from engine.model.cache import SLACK
from engine.model.network import Model
from engine.recording import Recorder
from engine.text.channels import ChannelState, labels
from engine.text.prompt import chat_ids
from engine.text.template import ChatTemplate
from engine.text.tokenizer import Tokenizer
from engine.text.tools import CallSyntaxError, calls

DEFAULT_CONTEXT = {"cpu": 8192, "cuda": 16384}
# Below this hidden size one CPU thread must do. On a quiet PC a second one saves a quarter (0.95 s
# a canvas instead of 1.27 s on the demo model), but on a busy one the threads wait for each other
# at every small product: steps then take up to eight times as long.
NARROW = 512
MAX_CANVASES = 32  # of one answer; the user can ask to continue

IsCancelled = Callable[[], bool]


def load_pipeline(
    request: LoadRequest,
    report: Callable[[str, int, int], None],
    cancelled: IsCancelled,
    noise: str = "native",
) -> Pipeline:
    """The model a LoadRequest asks for; `noise` as in `engine.generate.steps`. Raises EngineFault."""

    def report_or_stop(what: str, done: int, total: int) -> None:
        if cancelled():
            raise Cancelled
        report(what, done, total)

    folder = model_folder(request.model)
    tokenizer, template = Tokenizer.load(folder), ChatTemplate.load(folder)
    device = request.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = "float32" if device == "cpu" else "bfloat16"
    try:
        model = load_model(
            folder, device=device, dtype=dtype, weights=request.weights, report=report_or_stop
        )
    except Cancelled:
        raise EngineFault(
            ErrorKind.CANCELLED, "Loading was cancelled.", "Load the model again when you need it."
        ) from None
    if tokenizer.vocab_size > model.config.vocab_size:
        raise EngineFault(
            ErrorKind.MODEL_UNSUPPORTED,
            "The tokenizer of this model belongs to another model.",
            "Download the model again.",
        )
    if device == "cpu" and model.config.hidden_size < NARROW:
        torch.set_num_threads(1)
    limit = request.max_context or DEFAULT_CONTEXT[model.device.type]
    return Pipeline(
        model,
        tokenizer,
        template,
        name="Demo model" if request.model == DEMO else Path(folder).name,
        context=min(limit, model.config.max_positions),
        noise=noise,
    )


@dataclass(kw_only=True)
class _Run:
    """What one request has done so far; becomes its `Usage`."""

    seed: int
    prompt_tokens: int
    reused_tokens: int = 0
    new_tokens: int = 0
    canvases: int = 0
    denoising_steps: int = 0
    prefill_seconds: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    def usage(self) -> Usage:
        total = time.perf_counter() - self.began
        return Usage(
            seed=self.seed,
            prompt_tokens=self.prompt_tokens,
            reused_tokens=self.reused_tokens,
            new_tokens=self.new_tokens,
            canvases=self.canvases,
            denoising_steps=self.denoising_steps,
            prefill_seconds=self.prefill_seconds,
            denoise_seconds=total - self.prefill_seconds,
            total_seconds=total,
        )


class Pipeline:
    """A loaded model with its text side and the cache of the last conversation."""

    def __init__(
        self,
        model: Model,
        tokenizer: Tokenizer,
        template: ChatTemplate,
        *,
        name: str,
        context: int,
        noise: str = "native",
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._template = template
        self._name = name
        self._context = context
        self._noise = noise
        self._cache = model.new_cache(context)

    def ready(self, request_id: int) -> Ready:
        """What this model is, as the answer to a LoadRequest."""
        return Ready(
            request_id=request_id,
            model=self._name,
            device=str(self.model.device),
            context=self._context,
            canvas_length=self.model.config.canvas_length,
            memory_bytes=self.model.bytes_used + self._cache.bytes_used,
        )

    def run(
        self, request_id: int, request: GenerationRequest, cancelled: IsCancelled
    ) -> Iterator[RequestEvent]:
        """The events of one request, the last of them `Finished`. Raises EngineFault."""
        match request:
            case ChatRequest():
                yield from self._chat(request_id, request, cancelled)
            case EditRequest():
                yield from self._edit(request_id, request, cancelled)

    def close(self) -> None:
        """Gives the memory back."""
        del self.model, self._cache
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _chat(
        self, request_id: int, request: ChatRequest, cancelled: IsCancelled
    ) -> Iterator[RequestEvent]:
        _refuse_images(request)
        prompt = chat_ids(
            self.tokenizer,
            self._template,
            request.turns,
            thinking=request.thinking,
            tools=request.tools,
        )
        budget, limit = self._budget(len(prompt), request.max_new_tokens)
        run = _Run(seed=_seed(request.seed), prompt_tokens=len(prompt))
        yield from self._prefill(request_id, prompt, run, cancelled)
        stop_ids = self.model.sampling.merged(request.sampling).stop_ids
        recorder = Recorder(request_id, self.tokenizer, stop_ids)
        state = ChannelState.begin(thinking=request.thinking)
        ids: list[int] = []
        has_ended = False
        loop = steps(
            self.model,
            torch.tensor(prompt, device=self.model.device),
            max_new_tokens=budget * self.model.config.canvas_length,
            seed=run.seed,
            sampling=request.sampling,
            noise=self._noise,
            cache=self._cache,
        )
        for result in () if cancelled() else loop:
            run.denoising_steps += 1
            yield recorder.draft(result, state)
            is_stopped = cancelled()
            if not (result.is_last or is_stopped):
                continue
            new = _settled(result, stop_ids)
            has_ended = result.is_last and len(new) < result.argmax.shape[1]
            run.canvases += 1
            run.new_tokens += len(new)
            ids += new
            state = yield from self._commit(request_id, result.canvas, new, state)
            if has_ended or is_stopped:
                break
        reason = _reason(limit, state, has_ended=has_ended, is_stopped=cancelled())
        if has_ended:
            calls_made = list(self._tool_calls(request_id, run.canvases - 1, ids))
            yield from calls_made
            if any(isinstance(event, ToolCall) for event in calls_made):
                reason = FinishReason.TOOL_CALL
        yield recorder.recording()
        yield Finished(request_id=request_id, reason=reason, usage=run.usage())

    def _edit(
        self, request_id: int, request: EditRequest, cancelled: IsCancelled
    ) -> Iterator[RequestEvent]:
        if request.kind is not EditKind.INFILL:
            raise EngineFault(
                ErrorKind.BAD_REQUEST,
                "This version can fill gaps, but not rewrite a selection.",
                "Ask for the rewriting in the chat.",
            )
        canvas = build_canvas(
            self.tokenizer, request.text, request.spans, self.model.config.canvas_length
        )
        turns = infill_turns(request.instruction)
        prompt = chat_ids(self.tokenizer, self._template, turns)
        run = _Run(seed=_seed(request.seed), prompt_tokens=len(prompt), canvases=1)
        yield from self._prefill(request_id, prompt, run, cancelled)
        recorder = Recorder(request_id, self.tokenizer, stop_ids=())
        state = ChannelState.begin(thinking=False)
        batch = max(1, request.alternatives)
        loop = steps(
            self.model,
            torch.tensor(prompt, device=self.model.device),
            max_new_tokens=self.model.config.canvas_length,
            seed=run.seed,
            sampling=request.sampling,
            noise=self._noise,
            pins=canvas.pins.expand(batch, -1),
            cache=self._cache,
        )
        result, reason = None, FinishReason.STOPPED
        for result in () if cancelled() else loop:
            run.denoising_steps += 1
            for candidate in range(batch):
                yield recorder.draft(result, state, candidate)
            if result.is_last:
                reason = FinishReason.END
            elif cancelled():
                break
        if result is not None and reason is FinishReason.END:
            run.new_tokens = int((~result.pinned[0]).sum())
            yield from self._proposals(request_id, canvas, result)
        yield recorder.recording()
        yield Finished(request_id=request_id, reason=reason, usage=run.usage())

    def _proposals(
        self, request_id: int, canvas: InfillCanvas, result: StepResult
    ) -> Iterator[Proposal]:
        """The candidates, the likeliest document (mean log-probability by the encoder) first."""
        scored = []
        for candidate, row in enumerate(result.argmax):
            document = row[: canvas.length]
            score = float(self.model.score(document, self._cache).mean())
            scored.append((score, candidate, gap_texts(self.tokenizer, canvas, row.tolist())))
        for score, candidate, texts in sorted(scored, key=lambda item: -item[0]):
            yield Proposal(request_id=request_id, candidate=candidate, texts=texts, score=score)

    def _budget(self, prompt: int, wanted: int | None) -> tuple[int, FinishReason]:
        """How many canvases may be written, and why not more. Raises EngineFault for none."""
        length = self.model.config.canvas_length
        room = (self._context - prompt) // length
        if room < 1:
            raise EngineFault(
                ErrorKind.PROMPT_TOO_LONG,
                f"This conversation takes {prompt:,} tokens; with room for an answer "
                f"{self._context - length:,} fit.",
                "Shorten the message, or start a new chat.",
            )
        asked = MAX_CANVASES if wanted is None else -(-wanted // length)
        limit = FinishReason.CANVAS_EXHAUSTED if wanted is None else FinishReason.LENGTH
        return (asked, limit) if asked <= room else (room, FinishReason.CONTEXT_FULL)

    def _prefill(
        self, request_id: int, prompt: Sequence[int], run: _Run, cancelled: IsCancelled
    ) -> Iterator[Prefill]:
        """Encodes what the cache does not hold yet, in chunks that can be cancelled."""
        began = time.perf_counter()
        run.reused_tokens = self._cache.keep_prefix(list(prompt))
        yield Prefill(request_id=request_id, done=self._cache.length, total=len(prompt))
        while self._cache.length < len(prompt) and not cancelled():
            at = self._cache.length
            self.model.prefill(torch.tensor(prompt[at : at + SLACK]), self._cache)
            yield Prefill(request_id=request_id, done=self._cache.length, total=len(prompt))
        run.prefill_seconds = time.perf_counter() - began

    def _commit(
        self, request_id: int, canvas: int, ids: Sequence[int], state: ChannelState
    ) -> Generator[RequestEvent, None, ChannelState]:
        """The settled text of a canvas, channel by channel; returns the state behind it."""
        found = labels(self.tokenizer, ids, state)
        for channel in Channel:
            text = found.text(channel)
            if text:
                yield Committed(request_id=request_id, canvas=canvas, channel=channel, text=text)
        return found.state

    def _tool_calls(
        self, request_id: int, canvas: int, ids: Sequence[int]
    ) -> Iterator[RequestEvent]:
        """The tools an answer asks for; a call that cannot be read is shown as it is."""
        try:
            found = calls(self.tokenizer, ids)
        except CallSyntaxError:
            text = self.tokenizer.decode_with_markup(ids)
            yield Committed(request_id=request_id, canvas=canvas, channel=Channel.ANSWER, text=text)
            return
        for name, arguments in found:
            yield ToolCall(request_id=request_id, name=name, arguments=arguments)


def _settled(result: StepResult, stop_ids: Sequence[int]) -> list[int]:
    """The canvas up to its stop id; of an unfinished one only the accepted run it begins with."""
    ids: list[int] = result.argmax[0].tolist()
    end = next((place for place, token in enumerate(ids) if token in stop_ids), len(ids))
    if not result.is_last:
        sure = result.accepted[0].tolist()
        end = min(end, next((place for place, is_sure in enumerate(sure) if not is_sure), len(ids)))
    return ids[:end]


def _reason(
    limit: FinishReason, state: ChannelState, *, has_ended: bool, is_stopped: bool
) -> FinishReason:
    """Why an answer is over; `limit` is what would have ended it at the latest."""
    if has_ended:
        return FinishReason.END
    if is_stopped:
        return FinishReason.STOPPED
    return FinishReason.THOUGHT_EXHAUSTED if state.channel is Channel.THOUGHT else limit


def _refuse_images(request: ChatRequest) -> None:
    """The vision tower is not part of the engine yet; an unseen image must not be answered."""
    if any(isinstance(part, ImagePart) for turn in request.turns for part in turn.parts):
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            "This version cannot look at images.",
            "Remove the image and describe it in words.",
        )


def _seed(wanted: int | None) -> int:
    return secrets.randbits(32) if wanted is None else wanted
