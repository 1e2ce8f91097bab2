"""What the device is and has free, who else holds its memory, and whether it still answers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import torch

from engine.faults import is_out_of_memory
from engine.memory import CUDA_CONTEXT

MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Another program with memory of the GPU."""

    name: str
    bytes: int


def device_memory(device: str) -> tuple[int, int]:
    """Bytes that "cuda" or "cpu" has free for the engine, and in all."""
    if device == "cpu":
        found = psutil.virtual_memory()
        return found.available, found.total
    free, total = torch.cuda.mem_get_info()
    # Asking has started the CUDA context, so what the plan counts for it is taken already.
    return min(total, free + CUDA_CONTEXT), total


def usable(device: str) -> int:
    """Bytes that a request can still take: free ones, and those that torch keeps for itself."""
    if device == "cpu":
        return int(psutil.virtual_memory().available)
    free, _ = torch.cuda.mem_get_info()
    return free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()


def stay_within_free(device: str) -> None:
    """Lets torch raise where the GPU's memory ends, also on Windows.

    There the driver moves to the PC's memory instead of refusing, and a step takes many times as
    long. Not proven: nobody has run this on Windows.
    """
    if overflows(device):
        free, total = torch.cuda.mem_get_info()
        torch.cuda.set_per_process_memory_fraction(
            min(1.0, (free + torch.cuda.memory_reserved()) / total)
        )


def free_share(device: str) -> float:
    """The share of the device's memory that nobody holds."""
    free, total = device_memory(device)
    return free / total


def overflows(device: str) -> bool:
    """Whether the driver goes on in the PC's memory where the device's ends."""
    return device == "cuda" and sys.platform == "win32"


def answers(device: str) -> bool:
    """Whether the device still computes; one that is full does."""
    try:
        return bool(torch.ones(2, device=device).sum().item() == 2)
    except RuntimeError as error:
        return is_out_of_memory(error)


def others(own_pid: int) -> tuple[Holder, ...]:
    """Other programs with memory of the GPUs, the largest first.

    Empty where the driver does not say, as on Windows.
    """
    found = nvidia_smi("--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")
    return parse_holders(found, own_pid)


def parse_holders(lines: Sequence[str], own_pid: int) -> tuple[Holder, ...]:
    """Of lines like "1234, 8056": process id and MiB."""
    found = []
    for line in lines:
        pid, _, size = line.partition(",")
        if pid.strip().isdecimal() and size.strip().isdecimal() and int(pid) != own_pid:
            found.append(Holder(name=_program(int(pid)), bytes=int(size) * MIB))
    return tuple(sorted(found, key=lambda holder: -holder.bytes))


def nvidia_smi(*options: str) -> list[str]:
    """Lines of what the driver's tool says; none without a driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        found = subprocess.run(
            [tool, *options], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.stdout.splitlines() if line.strip()]


def _program(pid: int) -> str:
    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return f"process {pid}"
