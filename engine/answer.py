"""A chat becomes an answer: the prompt, canvas after canvas, the end of thinking, tool calls."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch

from engine.denoise import StepResult
from engine.generate import steps
from engine.messages import (
    Channel,
    ChatRequest,
    Committed,
    EngineFault,
    ErrorKind,
    Finished,
    FinishReason,
    ImagePart,
    RequestEvent,
    ToolCall,
)
from engine.recording import Recorder
from engine.run import IsCancelled, Loaded, Run, drawn, prefill, refuse_hopeless, room
from engine.survival import with_less
from engine.text.channels import NAME, ChannelState, labels
from engine.text.prompt import chat_ids
from engine.text.tools import CallSyntaxError, calls


def answer(
    loaded: Loaded, request_id: int, request: ChatRequest, cancelled: IsCancelled
) -> Iterator[RequestEvent]:
    """The events of a chat request, the last of them `Finished`. Raises EngineFault."""
    _refuse_images(request)
    refuse_hopeless(loaded, request.turns)
    prompt = opening(loaded, request)
    canvases, limit = room(loaded, len(prompt), request.max_new_tokens)
    run = Run(seed=drawn(request.seed), prompt_tokens=len(prompt))
    stop_ids = loaded.model.sampling.merged(request.sampling).stop_ids
    writing = _Writing(
        loaded=loaded,
        request=request,
        run=run,
        recorder=Recorder(request_id, loaded.tokenizer, stop_ids),
        request_id=request_id,
        stop_ids=stop_ids,
        state=ChannelState.begin(thinking=request.thinking and not _continues(request)),
    )

    def attempt(loaded: Loaded) -> Iterator[RequestEvent]:
        writing.loaded = loaded
        yield from prefill(loaded, request_id, [*prompt, *writing.ids], run, cancelled)
        while run.canvases < canvases and not (writing.has_ended or cancelled()):
            yield from writing.canvases(prompt, canvases - run.canvases, cancelled)
            if writing.is_over_budget:
                writing.close_thought()

    yield from with_less(loaded, attempt)
    reason = _reason(limit, writing, is_stopped=cancelled())
    if writing.has_ended:
        calls_made = list(_tool_calls(loaded, request_id, run.canvases - 1, writing.ids))
        yield from calls_made
        if any(isinstance(event, ToolCall) for event in calls_made):
            reason = FinishReason.TOOL_CALL
    yield writing.recorder.recording()
    yield Finished(request_id=request_id, reason=reason, usage=run.usage())


def opening(loaded: Loaded, request: ChatRequest) -> list[int]:
    """The prompt ids, up to where the model goes on writing. Raises EngineFault."""
    tokenizer = loaded.tokenizer
    prompt = chat_ids(
        tokenizer,
        loaded.template,
        request.turns,
        thinking=request.thinking or bool(request.thought_so_far),
        tools=request.tools,
    )
    if request.thought_so_far:
        thought = tokenizer.encode(f"{NAME}\n{request.thought_so_far}")
        special = tokenizer.special
        prompt += [special.channel_start, *thought, special.channel_end]
    return prompt + tokenizer.encode(request.answer_so_far)


def _continues(request: ChatRequest) -> bool:
    return bool(request.thought_so_far or request.answer_so_far)


@dataclass(kw_only=True)
class _Writing:
    """An answer as far as it is written."""

    loaded: Loaded
    request: ChatRequest
    run: Run
    recorder: Recorder
    request_id: int
    stop_ids: Sequence[int]
    state: ChannelState
    ids: list[int] = field(default_factory=list)
    has_ended: bool = False
    thoughts_closed: int = 0

    @property
    def is_over_budget(self) -> bool:
        """Whether the model still thinks after as many tokens as it may. Looked at per canvas."""
        budget = self.request.thought_budget
        is_thinking = self.state.channel is Channel.THOUGHT
        return budget is not None and is_thinking and len(self.ids) >= budget

    def close_thought(self) -> None:
        """Ends the thought in the model's place, so that the next canvas begins the answer."""
        end = self.loaded.tokenizer.special.channel_end
        self.ids.append(end)
        self.state = labels(self.loaded.tokenizer, [end], self.state).state
        self.thoughts_closed += 1

    def canvases(
        self, prompt: Sequence[int], most: int, cancelled: IsCancelled
    ) -> Iterator[RequestEvent]:
        """Up to `most` canvases behind all that is written; fewer at an end or over budget."""
        loaded, run = self.loaded, self.run
        earlier = run.canvases
        loop = steps(
            loaded.model,
            torch.tensor([*prompt, *self.ids], device=loaded.model.device),
            max_new_tokens=most * loaded.model.config.canvas_length,
            seed=run.seed + self.thoughts_closed,
            sampling=self.request.sampling,
            noise=loaded.noise,
            cache=loaded.cache,
            graphs=loaded.graphs,
        )
        for here in loop:
            result = replace(here, canvas=earlier + here.canvas)
            run.denoising_steps += 1
            yield self.recorder.draft(result, self.state)
            is_stopped = cancelled()
            if not (result.is_last or is_stopped):
                continue
            new = _settled(result, self.stop_ids)
            self.has_ended = result.is_last and len(new) < result.argmax.shape[1]
            run.canvases += 1
            run.new_tokens += len(new)
            self.ids += new
            yield from self._commit(result.canvas, new)
            if self.has_ended or is_stopped or self.is_over_budget:
                return

    def _commit(self, canvas: int, ids: Sequence[int]) -> Generator[RequestEvent]:
        """The settled text of a canvas, channel by channel."""
        found = labels(self.loaded.tokenizer, ids, self.state)
        for channel in Channel:
            if text := found.text(channel):
                yield Committed(
                    request_id=self.request_id, canvas=canvas, channel=channel, text=text
                )
        self.state = found.state


def _tool_calls(
    loaded: Loaded, request_id: int, canvas: int, ids: Sequence[int]
) -> Iterator[RequestEvent]:
    """The tools an answer asks for; a call that cannot be read is shown as it is."""
    try:
        found = calls(loaded.tokenizer, ids)
    except CallSyntaxError:
        text = loaded.tokenizer.decode_with_markup(ids)
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


def _reason(limit: FinishReason, writing: _Writing, *, is_stopped: bool) -> FinishReason:
    """Why an answer is over; `limit` is what would have ended it at the latest."""
    if writing.has_ended:
        return FinishReason.END
    if is_stopped:
        return FinishReason.STOPPED
    if writing.state.channel is Channel.THOUGHT:
        return FinishReason.THOUGHT_EXHAUSTED
    return limit


def _refuse_images(request: ChatRequest) -> None:
    """The vision tower is not part of the engine yet; an unseen image must not be answered."""
    if any(isinstance(part, ImagePart) for turn in request.turns for part in turn.parts):
        raise EngineFault(
            ErrorKind.BAD_REQUEST,
            "This version cannot look at images.",
            "Remove the image and describe it in words.",
        )
