"""What the facts about a PC mean for running a model, in words. Looks at nothing itself.

`judge` is the one way in; `engine.facts` gathers what it judges. No torch here.
"""

from __future__ import annotations

import getpass
import platform
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.messages import Finding, FindingState, Gpu, Hardware

if TYPE_CHECKING:
    from engine.kernels.selection import Selection

GIB = 1 << 30
_NEEDED_VRAM = 18 * GIB  # the 26B model in four bits
_NEEDED_MEMORY = 15 * GIB
_NEEDED_DISK = 40 * GIB
_OLDEST_GPU = (8, 0)  # compute capability: int8 and bfloat16 tensor cores
GOOD, LIMITED, MISSING = FindingState.GOOD, FindingState.LIMITED, FindingState.MISSING


@dataclass(frozen=True, kw_only=True)
class TritonFacts:
    """What the kernels' compiler finds. `trial`: what came of a small kernel, empty if it ran."""

    version: str  # empty where it is not installed
    why_not: str | None = None  # why kernels cannot run; None where they can
    has_compiler: bool = True
    has_folder: bool = True
    trial: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A PC as it is. All sizes in bytes."""

    system: str  # "Linux 6.1"
    is_known_system: bool  # Windows or Linux
    python: str
    cores: int
    memory_total: int
    memory_free: int
    disk_free: int  # where models are kept; -1 where that disk is not there
    torch: str
    cuda: str  # of the torch build; empty for one without
    threads: int
    gpus: tuple[Gpu, ...]
    triton: TritonFacts


def judge(facts: Facts) -> Hardware:
    """All findings, in the order a person reads them, and the report to hand on."""
    findings = (
        _system(facts),
        _memory(facts),
        _disk(facts),
        _torch(facts),
        *_gpus(facts),
        triton_finding(facts.triton, has_gpu=any(gpu.is_usable for gpu in facts.gpus)),
    )
    return Hardware(
        findings=findings,
        gpus=facts.gpus,
        memory_total=facts.memory_total,
        memory_free=facts.memory_free,
        report=without_user(_as_text(findings)),
    )


def _finding(name: str, value: str, state: FindingState, meaning: str, remedy: str = "") -> Finding:
    return Finding(name=name, value=value, state=state, meaning=meaning, remedy=remedy)


def _system(facts: Facts) -> Finding:
    value = f"{facts.system}, Python {facts.python}"
    if facts.is_known_system:
        return _finding("system", value, GOOD, "Redraft runs here.")
    return _finding("system", value, LIMITED, "Redraft is made for Windows and Linux.")


def _memory(facts: Facts) -> Finding:
    value = f"{_gib(facts.memory_free)} of {_gib(facts.memory_total)} GiB free"
    if facts.memory_total >= _NEEDED_MEMORY:
        return _finding("memory", value, GOOD, "Enough to load a model.")
    return _finding(
        "memory",
        value,
        LIMITED,
        "Loading a large model will be tight.",
        "Close other programs before you load a model.",
    )


def _disk(facts: Facts) -> Finding:
    if facts.disk_free < 0:
        return _finding(
            "disk",
            "not there",
            MISSING,
            "The disk that keeps the models is not there.",
            "Connect it, or choose another folder for models.",
        )
    value = f"{_gib(facts.disk_free)} GiB free where models are kept"
    if facts.disk_free >= _NEEDED_DISK:
        return _finding("disk", value, GOOD, "Enough for a model.")
    return _finding(
        "disk",
        value,
        LIMITED,
        "A quantised model takes about 17 GB, and its source as much again or more.",
        "Free some space, or keep models on another disk.",
    )


def _torch(facts: Facts) -> Finding:
    build = f"CUDA {facts.cuda}" if facts.cuda else "CPU"
    value = f"{facts.torch} ({build} build), {facts.threads} threads on {facts.cores} cores"
    return _finding("torch", value, GOOD, "The library that computes.")


def _gpus(facts: Facts) -> list[Finding]:
    if facts.gpus:
        return [
            _gpu(gpu, f"gpu {index}" if index else "gpu") for index, gpu in enumerate(facts.gpus)
        ]
    return [
        _finding(
            "gpu",
            "none",
            LIMITED,
            "Only the demo model runs well without an NVIDIA GPU.",
            "The 26B model needs an NVIDIA GPU with 18 GB or more.",
        )
    ]


def _gpu(gpu: Gpu, name: str) -> Finding:
    major, minor = gpu.capability
    value = (
        f"{gpu.name}, {_gib(gpu.memory_free)} of {_gib(gpu.memory_total)} GiB free, "
        f"compute capability {major}.{minor}, driver {gpu.driver or 'unknown'}"
    )
    if gpu.capability != (0, 0) and gpu.capability < _OLDEST_GPU:
        return _finding(
            name,
            value,
            MISSING,
            "Too old: compute capability 8.0 is needed (RTX 30 or newer).",
            "The demo model runs on the processor.",
        )
    if not gpu.is_usable:
        return _finding(
            name,
            value,
            MISSING,
            "There is an NVIDIA GPU, but this torch build cannot use it.",
            "Run the set-up again; it installs the build for your driver.",
        )
    if gpu.memory_free >= _NEEDED_VRAM:
        return _finding(name, value, GOOD, "Fits the 26B model in four bits.")
    if gpu.memory_total < _NEEDED_VRAM:
        return _finding(
            name,
            value,
            LIMITED,
            "It has too little memory for the whole 26B model.",
            "Load it with a short context and small weights, or take the demo model.",
        )
    if not gpu.holders:
        return _finding(
            name,
            value,
            LIMITED,
            "Not enough free memory for the 26B model.",
            "Close programs that use the GPU.",
        )
    held = ", ".join(f"{each.name} {_gib(each.size)} GiB" for each in gpu.holders[:3])
    return _finding(
        name,
        f"{value}; held by {held}",
        LIMITED,
        "Not enough free memory for the 26B model.",
        f"Close {gpu.holders[0].name}, which holds {_gib(gpu.holders[0].size)} GiB of it.",
    )


def triton_finding(facts: TritonFacts, *, has_gpu: bool) -> Finding:
    """What the kernels' compiler can do here."""
    value = facts.version or "not installed"
    if not has_gpu:
        return _finding("triton", value, GOOD, "Not needed on a CPU.")
    if facts.why_not is not None:
        return _finding(
            "triton",
            value,
            LIMITED,
            f"The fast GPU kernels cannot be used: {facts.why_not}.",
            "Models run all the same, more slowly.",
        )
    if not facts.has_compiler:
        return _finding(
            "triton",
            value,
            LIMITED,
            "It needs a C compiler to make the fast GPU kernels.",
            "Install one, such as gcc.",
        )
    if facts.trial:
        return _finding(
            "triton",
            value,
            LIMITED,
            f"A small GPU kernel did not run: {facts.trial}.",
            "Models run all the same, more slowly.",
        )
    if not facts.has_folder:
        return _finding(
            "triton",
            value,
            GOOD,
            "The folder chosen for it cannot be used, so Redraft gives it one of its own.",
        )
    return _finding("triton", value, GOOD, "Compiles the fast GPU kernels.")


def kernels_finding(selection: Selection) -> Finding:
    """Which operations run by their kernels on this PC, and why the others do not."""
    total, left_out = len(selection.choices), selection.left_out
    value = f"{total - len(left_out)} of {total} operations fast"
    if not left_out:
        return _finding("kernels", value, GOOD, "All passed their test.")
    why = "; ".join(f"{choice.name}: {choice.why}" for choice in left_out)
    return _finding("kernels", value, LIMITED, f"The others go the plain way. {why}.")


def without_user(text: str) -> str:
    """Without the names of the user, the home folder and the PC: fit to be shown to strangers."""
    text = re.sub(re.escape(str(Path.home())), "~", text, flags=re.I)
    for name in (_user(), platform.node()):
        if len(name) > 1:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "<name>", text, flags=re.I)
    return text


def _user() -> str:
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""


def _as_text(findings: tuple[Finding, ...]) -> str:
    lines = []
    for each in findings:
        lines.append(f"{each.name:<8} {each.state.value:<8} {each.value}")
        lines.append(f"{'':<17} {each.meaning} {each.remedy}".rstrip())
    return "\n".join(lines) + "\n"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}"
