"""What this PC has, and what that means for running a model. Looks, never changes anything."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import psutil
import torch

from engine.device import nvidia_smi
from engine.kernels.cache_folder import has_compiler, is_writable, usual_folder
from engine.kernels.portable import why_not
from engine.kernels.selection import Selection
from engine.messages import JobKind, JobRequest

GIB = 1 << 30
_NEEDED_VRAM = 18 * GIB  # the 26B model in four bits


class State(Enum):
    GOOD = "good"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the check-up."""

    name: str
    value: str
    state: State
    meaning: str
    remedy: str = ""


def examine() -> list[Finding]:
    """All findings, in the order a person reads them."""
    return [_system(), _memory(), _disk(), _torch(), *_gpus(), _triton()]


def report() -> dict[str, Any]:
    """`examine` as plain values for JSON."""
    findings = [asdict(finding) | {"state": finding.state.value} for finding in examine()]
    return {"findings": findings, "ready": all(f["state"] != "missing" for f in findings)}


def run_job(
    request: JobRequest,
    report_progress: Callable[[str, int, int], None],
    cancelled: Callable[[], bool],
) -> dict[str, object]:
    """The jobs of the job worker: `doctor`, and `verify` of a model. Raises EngineFault."""
    match request.kind:
        case JobKind.DOCTOR:
            return report()
        case JobKind.VERIFY:
            from engine.verify import verify  # brings transformers along, 4 s

            return dict(verify(request.model, report_progress, cancelled))


def _system() -> Finding:
    is_known = sys.platform in ("linux", "win32")
    return Finding(
        name="system",
        value=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        state=State.GOOD if is_known else State.LIMITED,
        meaning="Redraft runs here." if is_known else "Redraft is made for Windows and Linux.",
    )


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    is_enough = memory.total >= 15 * GIB
    return Finding(
        name="memory",
        value=f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free",
        state=State.GOOD if is_enough else State.LIMITED,
        meaning="Enough to load a model." if is_enough else "Loading a large model will be tight.",
        remedy="" if is_enough else "Close other programs before you load a model.",
    )


def _disk() -> Finding:
    free = shutil.disk_usage(Path.home()).free
    is_enough = free >= 40 * GIB
    return Finding(
        name="disk",
        value=f"{free / GIB:.1f} GiB free in the home folder",
        state=State.GOOD if is_enough else State.LIMITED,
        meaning="Enough for a model." if is_enough else "A quantised model takes about 17 GB.",
        remedy="" if is_enough else "Free some space, or keep models on another disk.",
    )


def _torch() -> Finding:
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    return Finding(
        name="torch",
        value=f"{torch.__version__} ({build} build), {torch.get_num_threads()} threads",
        state=State.GOOD,
        meaning="The library that computes.",
    )


def _gpus() -> list[Finding]:
    if torch.cuda.is_available():
        return [_gpu(index) for index in range(torch.cuda.device_count())]
    name = _nvidia_smi("name")
    if name:
        return [
            Finding(
                name="gpu",
                value=name,
                state=State.MISSING,
                meaning="There is an NVIDIA GPU, but this torch build cannot use it.",
                remedy="Run the set-up again; it installs the build for your driver.",
            )
        ]
    return [
        Finding(
            name="gpu",
            value="none",
            state=State.LIMITED,
            meaning="Only the demo model runs well without an NVIDIA GPU.",
            remedy="The 26B model needs an NVIDIA GPU with 18 GB or more.",
        )
    ]


def _gpu(index: int) -> Finding:
    free, total = torch.cuda.mem_get_info(index)
    major, minor = torch.cuda.get_device_capability(index)
    if (major, minor) < (8, 0):
        state, meaning = (
            State.MISSING,
            "Too old: compute capability 8.0 is needed (RTX 30 or newer).",
        )
    elif free < _NEEDED_VRAM:
        state, meaning = State.LIMITED, "Not enough free memory for the 26B model."
    else:
        state, meaning = State.GOOD, "Fits the 26B model in four bits."
    return Finding(
        name=f"gpu {index}",
        value=(
            f"{torch.cuda.get_device_name(index)}, {free / GIB:.1f} of {total / GIB:.1f} GiB free, "
            f"compute capability {major}.{minor}, driver {_nvidia_smi('driver_version') or 'unknown'}"
        ),
        state=state,
        meaning=meaning,
        remedy="Close programs that use the GPU." if state is State.LIMITED else "",
    )


def _triton() -> Finding:
    has_gpu = torch.cuda.is_available()
    is_there = importlib.util.find_spec("triton") is not None
    return triton_finding(
        version=importlib.metadata.version("triton") if is_there else "",
        why_not=why_not(torch.device("cuda")) if has_gpu else None,
        has_gpu=has_gpu,
        has_compiler=sys.platform == "win32" or has_compiler(),  # there Triton brings its own
        has_folder=is_writable(usual_folder()) if has_gpu else True,
    )


def triton_finding(
    *, version: str, why_not: str | None, has_gpu: bool, has_compiler: bool, has_folder: bool
) -> Finding:
    """What Triton can do here. version: empty where it is not installed."""
    state, remedy = State.LIMITED, ""
    if not has_gpu:
        state, meaning = State.GOOD, "Not needed on a CPU."
    elif why_not is not None:
        meaning = f"The fast GPU kernels cannot be used: {why_not}."
    elif not has_compiler:
        meaning = "It needs a C compiler to make the fast GPU kernels."
        remedy = "Install one, such as gcc."
    elif not has_folder:
        state = State.GOOD
        meaning = "Its usual folder cannot be written, so Redraft gives it one of its own."
    else:
        state, meaning = State.GOOD, "Compiles the fast GPU kernels."
    return Finding(
        name="triton",
        value=version or "not installed",
        state=state,
        meaning=meaning,
        remedy=remedy,
    )


def kernels_finding(selection: Selection) -> Finding:
    """Which operations run by their kernels on this PC, and why the others do not."""
    total, left_out = len(selection.choices), selection.left_out
    why = "; ".join(f"{choice.name}: {choice.why}" for choice in left_out)
    return Finding(
        name="kernels",
        value=f"{total - len(left_out)} of {total} operations fast",
        state=State.LIMITED if left_out else State.GOOD,
        meaning=f"The others go the plain way. {why}." if left_out else "All passed their test.",
    )


def _nvidia_smi(field: str) -> str:
    """One field of the first GPU as the driver tells it; empty without a driver."""
    lines = nvidia_smi(f"--query-gpu={field}", "--format=csv,noheader")
    return lines[0] if lines else ""
