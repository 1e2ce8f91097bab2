"""Which operations run by their kernels and which by plain torch: each kernel is tried at the start.

A kernel is compiled, run on a small sample and compared with its reference. One that fails, takes
too long or computes something else is left out, alone; its operation then goes the plain way.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.faults import LOST, is_lost
from engine.kernels.cache_folder import choose_folder, use_folder
from engine.kernels.trials import TrialBook
from engine.messages import EngineError, EngineFault, ErrorKind

log = logging.getLogger(__name__)

EACH_S = 60.0  # seconds for a kernel: compiling takes some, hanging takes for ever
ALL_S = 240.0

Results = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something the network does, in two ways.

    kernel and reference take what `sample(device)` makes, and leave it as it is. tolerance: of
    each result, the largest difference as a share of the reference's largest value; integers must
    be equal.
    """

    name: str
    kernel: Callable[..., Results]
    reference: Callable[..., Results]
    sample: Callable[[torch.device], tuple[Any, ...]]
    tolerance: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How an operation is done, and why not by its kernel."""

    name: str
    uses_kernel: bool
    why: str = ""  # in plain words
    remedy: str = ""
    detail: str = ""  # for the log
    seconds: float = 0.0
    has_raised: bool = False


@dataclass(frozen=True, kw_only=True)
class Selection:
    choices: tuple[Choice, ...]
    has_none: bool = False  # no kernel can run here at all

    def uses_kernel(self, name: str) -> bool:
        return any(choice.uses_kernel for choice in self.choices if choice.name == name)

    @property
    def left_out(self) -> tuple[Choice, ...]:
        return tuple(choice for choice in self.choices if not choice.uses_kernel)


def choose(
    operations: Sequence[Operation],
    device: torch.device,
    why_none: str | None,
    folder: Path,
    versions: str,
    *,
    each_s: float = EACH_S,
    all_s: float = ALL_S,
) -> Selection:
    """Tries all operations on the device.

    why_none: why no kernel can run here (`portable.why_not`), or None. folder: below the data
    folder, ours. versions: of whatever kernels depend on (see `Trials`). Takes `all_s` seconds at
    most, and `each_s` for one. Raises EngineFault where a kernel has cost the GPU; the next start
    leaves that kernel out.
    """
    if why_none is not None:
        return Selection(
            choices=tuple(
                Choice(name=operation.name, uses_kernel=False, why=why_none)
                for operation in operations
            ),
            has_none=True,
        )
    book = TrialBook(folder / "kernels.json", versions)
    fresh = folder / "triton-anew"
    use_folder(fresh if book.needs_own_cache else choose_folder(folder / "triton"))
    trial = _Trial(device=device, book=book, each_s=each_s, deadline=time.monotonic() + all_s)
    choices = {operation.name: trial.run(operation) for operation in operations}
    broken = [operation for operation in operations if choices[operation.name].has_raised]
    if broken and not book.needs_own_cache:
        # Perhaps what was compiled earlier cannot be read: once more, into another folder.
        use_folder(fresh)
        second = {operation.name: trial.run(operation) for operation in broken}
        if any(choice.uses_kernel for choice in second.values()):
            book.leave_usual_cache()
            choices |= second
    for choice in choices.values():
        if not choice.uses_kernel:
            log.warning("plain %s: %s. %s", choice.name, choice.why, choice.detail)
    return Selection(choices=tuple(choices.values()))


def notice(selection: Selection) -> EngineError | None:
    """What to tell the user once; None where every kernel is used."""
    left_out = selection.left_out
    if not left_out:
        return None
    detail = "; ".join(f"{choice.name}: {choice.why}" for choice in left_out)
    if selection.has_none:
        return _slower(
            "Redraft writes slower than it could: its fast kernels cannot run on this PC.",
            "The command “python -m engine doctor” says why.",
            detail,
        )
    first = left_out[0]
    if first.remedy:
        return _slower(
            f"Redraft writes slower than it could, because {first.why}.", first.remedy, detail
        )
    return _slower(
        f"Redraft writes slower than it could, because {first.why}.",
        "A newer driver for the graphics card may help. Answers are as good as ever.",
        detail,
    )


def _slower(message: str, remedy: str, detail: str) -> EngineError:
    return EngineError(kind=ErrorKind.SLOWER, message=message, remedy=remedy, detail=detail)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    device: torch.device
    book: TrialBook
    each_s: float
    deadline: float  # of time.monotonic

    def run(self, operation: Operation) -> Choice:
        """Raises EngineFault where the GPU is lost."""
        if operation.name in self.book.fatal:
            return _plain(operation, "a kernel broke off the last start")
        seconds = min(self.each_s, self.deadline - time.monotonic())
        if seconds <= 0:
            return _plain(operation, "the tests of the kernels took too long")
        self.book.begin(operation.name)
        began = time.monotonic()
        try:
            difference = within(seconds, lambda: _difference(operation, self.device))
        except TimeoutError:
            choice = _plain(operation, "a kernel took too long to compile")
        except Exception as error:
            if is_lost(error):  # its name stays written down
                raise EngineFault(LOST.kind, LOST.message, LOST.remedy, str(error)) from None
            log.exception("the kernel of %s failed", operation.name)
            choice = _failed(operation, error)
        else:
            choice = Choice(name=operation.name, uses_kernel=True, seconds=time.monotonic() - began)
            if difference > operation.tolerance:
                choice = _plain(
                    operation, "a kernel computed wrong numbers", detail=f"by {difference}"
                )
        self.book.end()
        return choice


def within(seconds: float, work: Callable[[], float]) -> float:
    """work() on a thread that may be left behind. Raises what it raises, or TimeoutError."""
    done: list[float] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            failed.append(error)

    thread = threading.Thread(target=run, name="redraft-kernel-trial", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]


@torch.inference_mode()
def _difference(operation: Operation, device: torch.device) -> float:
    """How far the kernel is from its reference, as `Operation.tolerance` counts; inf for shapes."""
    given = operation.sample(device)
    found, expected = _several(operation.kernel(*given)), _several(operation.reference(*given))
    if len(found) != len(expected):
        return float("inf")
    return max(_distance(one, other) for one, other in zip(found, expected, strict=True))


def _distance(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    if not expected.is_floating_point():
        return 0.0 if torch.equal(found.to(expected.dtype), expected) else float("inf")
    largest = expected.double().abs().max().clamp(min=1e-30)
    worst = float((found.double() - expected.double()).abs().max() / largest)
    return float("inf") if math.isnan(worst) else worst


def _several(results: Results) -> tuple[Tensor, ...]:
    return (results,) if isinstance(results, Tensor) else results


def _lacks_compiler(error: BaseException) -> bool:
    """Source: `triton.runtime.build`, and what a shell says of a compiler that is not there."""
    said = str(error).lower()
    return "c compiler" in said or (isinstance(error, FileNotFoundError) and "cc" in said)


def _failed(operation: Operation, error: Exception) -> Choice:
    detail = f"{type(error).__name__}: {error}"
    if _lacks_compiler(error):
        return _plain(
            operation,
            "Triton finds no C compiler",
            "Install a C compiler such as gcc, then start Redraft again.",
            detail=detail,
            has_raised=True,
        )
    return _plain(operation, "a kernel failed its test", detail=detail, has_raised=True)


def _plain(
    operation: Operation,
    why: str,
    remedy: str = "",
    *,
    detail: str = "",
    has_raised: bool = False,
) -> Choice:
    return Choice(
        name=operation.name,
        uses_kernel=False,
        why=why,
        remedy=remedy,
        detail=detail,
        has_raised=has_raised,
    )
