"""What becomes of a request when the device fails under it: once more with less, or a plain end.

Whatever happens, the next request finds an empty cache and computes what a fresh engine would.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter

import torch

from engine.device import (
    Holder,
    answers,
    free_share,
    others,
    overflows,
    stay_within_free,
    usable,
)
from engine.faults import LOST, error_of, is_lost, is_of_device, is_out_of_memory
from engine.memory import GIB
from engine.messages import (
    Draft,
    EngineError,
    EngineFault,
    ErrorKind,
    Finished,
    Proposal,
    RequestEvent,
)
from engine.run import Loaded

log = logging.getLogger(__name__)

_SAME_CONTEXT = 4096  # tokens; steps behind so many more take longer

OVERFLOW = EngineError(
    kind=ErrorKind.SLOWER,
    message="The memory of the graphics card is full, so each step takes many times as long.",
    remedy="Close other programs that use the graphics card, or load the model with less context.",
)

Attempt = Callable[[Loaded], Iterator[RequestEvent]]

# Raised before anything is computed: the cache is as good as it was.
_REFUSALS = frozenset(
    {
        ErrorKind.BAD_REQUEST,
        ErrorKind.NO_RESULT,
        ErrorKind.PROMPT_EMPTY,
        ErrorKind.PROMPT_TOO_LONG,
    }
)


def guarded(loaded: Loaded, events: Callable[[], Iterator[RequestEvent]]) -> Iterator[RequestEvent]:
    """The events of a request. Raises EngineFault, also where memory ran out or the GPU is lost."""
    device = loaded.model.device.type
    try:
        stay_within_free(device)
        yield from watched(loaded, events()) if overflows(device) else events()
    except GeneratorExit:  # nobody wants more of them
        raise
    except EngineFault as fault:
        if fault.error.kind not in _REFUSALS:
            loaded.cache.cut(0)
        raise
    except BaseException as error:
        told, is_full = error_of(error), is_out_of_memory(error)
        may_be_lost = is_of_device(error) and not is_full
        if is_lost(error) or (may_be_lost and not answers(device)):
            log.exception("the device is lost")
            raise EngineFault(LOST.kind, LOST.message, LOST.remedy, told.detail) from None
        _let_go(loaded, error)
        if not is_full:
            raise
        log.exception("out of memory")
        told = shortage(loaded.needed_bytes, usable(device), _others(device), told.detail)
        raise EngineFault(told.kind, told.message, told.remedy, told.detail) from None


def with_less(loaded: Loaded, attempt: Attempt) -> Iterator[RequestEvent]:
    """The events of `attempt`; where memory runs out, those of another one that works in small.

    The second attempt goes on behind what the first one has done. After a `Proposal` there is none.
    """
    may_repeat = True
    try:
        for event in attempt(loaded):
            may_repeat = may_repeat and not isinstance(event, Proposal)
            yield event
    except Exception as error:
        if not (may_repeat and is_out_of_memory(error)):
            raise
        log.warning("out of memory, once more with less: %s", error)
        _let_go(loaded, error)
    else:
        return
    try:
        yield from attempt(replace(loaded, model=loaded.model.in_small()))
    finally:
        loaded.cache.cut(0)  # other chunks round in another way


def watched(loaded: Loaded, events: Iterator[RequestEvent]) -> Iterator[RequestEvent]:
    """The events, the last one with a notice where the GPU's memory has overflowed meanwhile."""
    device, has_overflowed = loaded.model.device.type, False
    while True:
        began = perf_counter()
        event = next(events, None)
        seconds = perf_counter() - began
        if event is None:
            return
        # The first step of a canvas reads the prompt or the canvas before it.
        if isinstance(event, Draft) and event.candidate == 0 and event.step > 1:
            kind = (len(event.pieces), loaded.cache.length // _SAME_CONTEXT)
            has_overflowed |= loaded.watch.sees(kind, seconds, partial(free_share, device))
        if isinstance(event, Finished) and has_overflowed:
            event = replace(event, notice=OVERFLOW)
        yield event


def shortage(needed: int, free: int, holders: Sequence[Holder], detail: str = "") -> EngineError:
    """The words for too little memory: how much is missing and who has it.

    needed, free: bytes; holders: other programs on the GPU, the largest first.
    """
    if needed <= free:  # in pieces too small, or freed meanwhile
        return _short(
            "There was not enough memory for this.",
            "Close other programs or send a shorter text, then try again.",
            detail,
        )
    missing = f"{(needed - free) / GIB:.2f}"
    if not holders:
        return _short(
            f"For a moment this needs {missing} GiB of memory more than is free.",
            "Close other programs or send a shorter text, then try again.",
            detail,
        )
    most = holders[0]
    return _short(
        f"For a moment this needs {missing} GiB of memory more than the graphics card has free.",
        f"{most.name} uses {most.bytes / GIB:.1f} GiB of it. Close that program, then try again.",
        detail,
    )


def _short(message: str, remedy: str, detail: str) -> EngineError:
    return EngineError(kind=ErrorKind.OUT_OF_MEMORY, message=message, remedy=remedy, detail=detail)


def _let_go(loaded: Loaded, error: BaseException) -> None:
    """Gives back what a failed request holds: the cache's content, and what its frames refer to."""
    loaded.cache.cut(0)
    loaded.graphs.clear()
    seen: BaseException | None = error
    while seen is not None:
        traceback.clear_frames(seen.__traceback__)
        seen = seen.__context__
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _others(device: str) -> tuple[Holder, ...]:
    return others(os.getpid()) if device == "cuda" else ()
