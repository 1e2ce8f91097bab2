"""One edit on its way: what it may use, the one way in which it denoises, and the drafts of that."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engine.denoise import Constraints, StepResult
from engine.editing.layout import Layout
from engine.editing.switches import Switches
from engine.generate import steps
from engine.messages import (
    Channel,
    Draft,
    EditRequest,
    Prefill,
    RequestEvent,
    Role,
    Sampling,
    Span,
    TokenState,
    Turn,
)
from engine.recording import Recorder, confidence, token_states
from engine.run import IsCancelled, Loaded, Run, prefill
from engine.text.prompt import chat_ids


class Stopped(Exception):
    """The edit was cancelled."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Which part of which canvas is the draft of a span."""

    row: int  # of the batch
    candidate: int
    span: int
    slot: slice
    head: str = ""  # characters at the beginning that are not the span's
    tail: str = ""
    lent: str = ""  # characters behind the slot that are
    settled: tuple[str, ...] = ()  # pieces of the span from earlier canvases
    stop_ids: frozenset[int] = frozenset()  # where the canvas is free: what may end the text


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a span of the request that is written anew, and what is protected beside it."""

    span: Span
    owner: int  # the span of the request
    lead: str = ""  # protected text in front of it, up to the part before or the span's beginning
    trail: str = ""  # behind the last part, up to the span's end

    @property
    def settled(self) -> tuple[str, ...]:
        """The pieces that a draft begins with."""
        return (self.lead,) if self.lead else ()


def cell_of(parts: Sequence[Part], layout: Layout, place: int, row: int, candidate: int) -> Cell:
    """Where the draft of the span is to which one gap of a canvas belongs."""
    gaps, slots = layout.window.gaps, layout.slots
    owner = parts[gaps[place].index].owner
    own = [place for place, gap in enumerate(gaps) if parts[gap.index].owner == owner]
    first, last = own[0], own[-1]
    return Cell(
        row=row,
        candidate=candidate,
        span=owner,
        slot=slice(slots[first].start, slots[last].stop),
        head=gaps[first].head,
        tail=gaps[last].tail,
        lent=gaps[last].lent + parts[gaps[last].index].trail,
        settled=parts[gaps[first].index].settled,
    )


def cells(
    parts: Sequence[Part], layouts: Sequence[Layout], candidates: Sequence[int]
) -> list[Cell]:
    """Where the drafts of a batch of canvases are; one candidate a row."""
    return [
        cell_of(parts, layout, place, row, candidates[row])
        for row, layout in enumerate(layouts)
        for place, gap in enumerate(layout.window.gaps)
        if not place or parts[gap.index].owner != parts[layout.window.gaps[place - 1].index].owner
    ]


@dataclass(kw_only=True)
class Job:
    """The state of one edit. Its parts denoise through `denoise` only."""

    loaded: Loaded
    request_id: int
    request: EditRequest
    switches: Switches
    run: Run
    recorder: Recorder
    cancelled: IsCancelled
    parts: Sequence[Part] = ()  # the gaps of the request; none where it is no infill
    _tries: dict[tuple[int, int], int] = field(default_factory=dict)  # span, candidate -> canvases

    def prompt(self, words: str) -> list[int]:
        """The prompt ids of a single user turn."""
        turns = (Turn.of(Role.USER, words),)
        return chat_ids(self.loaded.tokenizer, self.loaded.template, turns)

    def read(self, prompt: Sequence[int]) -> Iterator[Prefill]:
        """Encodes a prompt, as far as it is not in the cache. Raises Stopped."""
        self.run.prompt_tokens = max(self.run.prompt_tokens, len(prompt))
        spent = self.run.prefill_seconds
        yield from prefill(self.loaded, self.request_id, prompt, self.run, self.cancelled)
        self.run.prefill_seconds += spent
        if self.cancelled():
            raise Stopped

    def mean_score(self, prompt: Sequence[int], ids: Sequence[int]) -> float:
        """Mean log-probability of `ids` and the end of turn behind the prompt, by the encoder."""
        model, cache = self.loaded.model, self.loaded.cache
        kept = cache.keep_prefix(list(prompt))
        model.prefill(torch.tensor(prompt[kept:], dtype=torch.int64), cache)
        whole = torch.tensor([*ids, self.loaded.tokenizer.special.turn_end])
        return float(model.score(whole, cache).mean())

    @property
    def gap_steps(self) -> int:
        """Denoising steps of a gap at most: what the request says, else what does for gaps."""
        return self.request.sampling.max_denoising_steps or self.switches.gap_steps

    def sampling(self, most: int, **changes: float) -> dict[str, float]:
        """The request's sampling with at most so many steps."""
        own = {
            name: value for name, value in vars(self.request.sampling).items() if value is not None
        }
        configured = self.loaded.model.sampling.max_denoising_steps
        asked = own.get("max_denoising_steps", configured)
        return {**own, **changes, "max_denoising_steps": min(most, asked)}

    def denoise(
        self,
        prompt: Sequence[int],
        pins: Tensor,
        constraints: Constraints,
        sampling: dict[str, float] | Sampling,
        *,
        seed: int,
        cells: Sequence[Cell] = (),
        each: Callable[[StepResult], None] | None = None,
    ) -> Generator[RequestEvent, None, StepResult]:
        """Denoises a batch of canvases [B, C] behind the prompt; returns the last step.

        Yields a draft per cell and step; `each` sees every step. Raises Stopped between two steps.
        """
        loaded = self.loaded
        loop = steps(
            loaded.model,
            torch.tensor(prompt, device=loaded.model.device),
            max_new_tokens=pins.shape[-1],
            seed=seed,
            sampling=sampling if isinstance(sampling, Sampling) else dict(sampling),
            noise=loaded.noise,
            pins=pins,
            cache=loaded.cache,
            constraints=constraints,
            graphs=loaded.graphs,
        )
        canvases = self._next_tries(cells)
        previous: Tensor | None = None
        result: StepResult | None = None
        if self.cancelled():
            raise Stopped
        for result in loop:
            self.run.denoising_steps += 1
            if each is not None:
                each(result)
            for cell, canvas in zip(cells, canvases, strict=True):
                yield self.recorder.keep(self._draft(result, cell, canvas, previous))
            previous = result.argmax.cpu()
            if not result.is_last and self.cancelled():
                raise Stopped
        assert result is not None
        self.run.canvases += 1
        return result

    def _next_tries(self, cells: Sequence[Cell]) -> list[int]:
        """Which canvas of its span and candidate each cell is on."""
        found = []
        for cell in cells:
            key = (cell.span, cell.candidate)
            found.append(self._tries.get(key, 0))
            self._tries[key] = found[-1] + 1
        return found

    def _draft(self, result: StepResult, cell: Cell, canvas: int, previous: Tensor | None) -> Draft:
        row, ids = cell.row, result.argmax[cell.row, cell.slot].tolist()
        end = next((place for place, token in enumerate(ids) if token in cell.stop_ids), len(ids))
        ids, slot = ids[:end], slice(cell.slot.start, cell.slot.start + end)
        before = None if previous is None else previous[row]
        own = trimmed(self.loaded.tokenizer.pieces(ids), cell)
        earlier = len(cell.settled)
        return Draft(
            request_id=self.request_id,
            canvas=canvas,
            step=result.step,
            max_steps=result.max_steps,
            pieces=(*cell.settled, *own),
            confidence=b"\xff" * earlier + confidence(result.entropy[row, slot]),
            states=bytes((TokenState.SETTLED,)) * earlier + token_states(result, row, before)[slot],
            channels=bytes((Channel.ANSWER,)) * (earlier + len(own)),
            span=cell.span,
            candidate=cell.candidate,
        )


def trimmed(pieces: Sequence[str], cell: Cell) -> tuple[str, ...]:
    """The pieces without what belongs to the text around the span, and with what is lent to it."""
    shown = list(pieces)
    whole = "".join(pieces)
    head = len(cell.head) if whole.startswith(cell.head) else 0
    tail = len(cell.tail) if whole.endswith(cell.tail) else 0
    for place in range(len(shown)):
        cut = min(head, len(shown[place]))
        shown[place], head = shown[place][cut:], head - cut
    for place in reversed(range(len(shown))):
        cut = min(tail, len(shown[place]))
        shown[place], tail = shown[place][: len(shown[place]) - cut], tail - cut
    if shown:
        shown[-1] += cell.lent
    return tuple(shown)
