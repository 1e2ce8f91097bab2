"""Faults at will: the n-th operator of torch fails, once or from then on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.messages import GenerationRequest, LoadRequest, Ready, RequestEvent
from engine.pipeline import Pipeline


class Kind(Enum):
    OUT_OF_MEMORY = "out of memory"
    FAILS = "fails"  # and the device is none the worse for it
    LOST = "lost"  # the device is gone
    NAN = "nan"  # computes values that are no numbers


@dataclass(frozen=True, kw_only=True)
class Fault:
    kind: Kind
    make: Callable[[], BaseException] | None = None  # None: NaN


def _cuda(words: str) -> Callable[[], BaseException]:
    return lambda: torch.AcceleratorError(
        f"CUDA error: {words}\nCUDA kernel errors might be asynchronously reported at some other "
        "API call, so the stacktrace below might be incorrect."
    )


FAULTS = (
    Fault(
        kind=Kind.OUT_OF_MEMORY,
        make=lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 256.00 MiB."),
    ),
    Fault(kind=Kind.OUT_OF_MEMORY, make=_cuda("out of memory")),
    Fault(
        kind=Kind.OUT_OF_MEMORY,
        make=lambda: RuntimeError(
            "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 9876543210 bytes. Error code 12 (Cannot allocate memory)"
        ),
    ),
    Fault(kind=Kind.OUT_OF_MEMORY, make=MemoryError),
    Fault(kind=Kind.FAILS, make=_cuda("invalid configuration argument")),
    Fault(kind=Kind.FAILS, make=lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied")),
    Fault(kind=Kind.FAILS, make=lambda: NotImplementedError("no such operator")),
    Fault(kind=Kind.LOST, make=_cuda("an illegal memory access was encountered")),
    Fault(
        kind=Kind.LOST,
        make=lambda: RuntimeError("Triton Error [CUDA]: unspecified launch failure"),
    ),
    Fault(kind=Kind.NAN),
)


class Injector(TorchDispatchMode):
    """Counts the operators of this thread; from the one numbered `at` on they fail.

    once: only that one.
    """

    def __init__(self, at: int | None = None, fault: Fault | None = None, once: bool = True):
        super().__init__()
        self.count = 0
        self.has_struck = False
        self._at, self._fault, self._once = at, fault, once

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        number, self.count = self.count, self.count + 1
        strikes = self._at is not None and (
            number == self._at or (number > self._at and not self._once)
        )
        if strikes and self._fault.make is not None:
            self.has_struck = True
            raise self._fault.make()
        out = func(*args, **(kwargs or {}))
        if not (strikes and _computes_numbers(func, out)):
            return out
        self.has_struck = True
        is_in_place = func._schema.returns[0].alias_info is not None
        return out.fill_(torch.nan) if is_in_place else torch.full_like(out, torch.nan)


def _computes_numbers(func, out) -> bool:
    """Whether the result can be no number: not for integers, nor for views, which compute nothing."""
    if not isinstance(out, torch.Tensor) or not out.is_floating_point():
        return False
    alias = func._schema.returns[0].alias_info
    return alias is None or alias.is_write


class FaultyPipeline:
    """The real pipeline; `injector` is at work in its next request and is then gone."""

    def __init__(self, real: Pipeline) -> None:
        self.real = real
        self.injector: Injector | None = None

    def ready(self, request_id: int) -> Ready:
        return self.real.ready(request_id)

    def run(
        self, request_id: int, request: GenerationRequest, cancelled: Callable[[], bool]
    ) -> Iterator[RequestEvent]:
        injector, self.injector = self.injector, None
        with injector or nullcontext():
            yield from self.real.run(request_id, request, cancelled)

    def close(self) -> None:
        self.real.close()

    def load(
        self, request: LoadRequest, report: Callable[[str, int, int], None], cancelled: object
    ) -> FaultyPipeline:
        return self
